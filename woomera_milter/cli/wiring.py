"""The one place where stores, signers and the jobs that use them are built from the configuration."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from woomera_milter import config, log
from woomera_milter.archive.shipper import CONCURRENT, Shipper
from woomera_milter.errors import ConfigError, TemporaryError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.intercept import Interceptor
from woomera_milter.milter.snapshots import SnapshotWriter
from woomera_milter.notice.notice import Composer
from woomera_milter.offload import uploads
from woomera_milter.offload.offload import Offload
from woomera_milter.report.reader import AT_ONCE as READ_AT_ONCE
from woomera_milter.report.reader import Reader
from woomera_milter.report.report import Report
from woomera_milter.store.claims import Claims
from woomera_milter.store.keys import report_key
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store
from woomera_milter.store.s3_store import S3Store
from woomera_milter.submission.mailer import Mailer
from woomera_milter.sweep.job import SweepJob
from woomera_milter.sweep.listing import ArchiveListing, lies_in_own
from woomera_milter.sweep.notifier import Notifier
from woomera_milter.sweep.processed_mail import ProcessedMail
from woomera_milter.sweep.resend import Resend
from woomera_milter.sweep.sweep import AT_ONCE as SWEEP_AT_ONCE
from woomera_milter.sweep.sweep import Sweep

_LIST_CONNECTIONS = 8
_START_S = 3.0


def stored_messages(configuration: config.Config) -> Store:
    """Return where messages lie, for whoever looks through them."""
    return S3Store(configuration.storage, max_connections=_LIST_CONNECTIONS)


def interceptor(configuration: config.Config) -> Interceptor:
    """Return what stores messages, and raise where this host's configuration cannot work."""
    settings = configuration.milter
    signer = Signer(configuration.links, configuration.storage)
    # Small mail needs no links, and over-limit mail is better off with on_failure than without a milter: so
    # neither keys that cannot be had at the moment, nor what is slow to give them, keep the socket shut.
    checker = ThreadPoolExecutor(1)
    check = checker.submit(_check_links, configuration, signer, datetime.now(UTC))
    checker.shutdown(wait=False)
    try:
        check.result(_START_S)
    except TimeoutError:
        log.warning(
            "links: it takes long to obtain the signing credentials; over-limit mail alone waits for them"
        )
    except TemporaryError as error:
        log.warning(str(error))
    SpooledMessage(settings.spool).close()
    return Interceptor(
        configuration,
        Destinations(settings.mailers, settings.sendmail),
        _offload(configuration, signer, settings.max_concurrent + uploads.AT_ONCE),
        Composer(configuration.notice),
    )


def snapshots(configuration: config.Config, counters: Counters) -> SnapshotWriter:
    """Return what writes the milter's counters to the bucket."""
    store = S3Store(configuration.storage, max_connections=1)
    return SnapshotWriter(store, counters, socket.gethostname(), configuration.milter.stats_every)


def shipper(configuration: config.Config, *, dry_run: bool) -> Shipper:
    """Return what moves copies to the archive."""
    store = None if dry_run else S3Store(configuration.storage, max_connections=CONCURRENT)
    return Shipper(store, configuration.archive.prefix)


def sweep_job(
    configuration: config.Config,
    mailer: Mailer,
    spool: Path,
    *,
    prefix: str | None,
    processed_emails: str | None,
    single_host: bool,
    dry_run: bool,
) -> SweepJob:
    """Return a run of `woomera sweep`, and raise where this host's configuration cannot work.

    `prefix` and `processed_emails` are the first Woomera's, from the bucket's root.
    """
    storage = configuration.storage
    swept = storage.prefix + configuration.sweep.prefix if prefix is None else prefix
    if lies_in_own(swept, storage.prefix):
        problem = f"sweep.prefix: {swept} is a folder of our own, where no sweep may look"
        raise ConfigError([f"{problem}; write the archive's prefix"])
    now = datetime.now(UTC)
    signer = Signer(configuration.links, storage)
    if not dry_run:
        _check_links(configuration, signer, now)
        SpooledMessage(spool).close()
    store = S3Store(storage, 2 * SWEEP_AT_ONCE + uploads.AT_ONCE, signer.forget_credentials)
    bucket = S3Store(storage.model_copy(update={"prefix": ""}), max_connections=2 * SWEEP_AT_ONCE)
    ledger = ProcessedMail(bucket, processed_emails) if processed_emails else None
    claims = Claims(store, socket.gethostname(), configuration.sweep.lease, single_host=single_host)
    composer = Composer(configuration.notice)
    offload = Offload(configuration, store, signer)
    notifier = Notifier(configuration, bucket, claims, offload, composer, mailer, spool, ledger)
    listing = ArchiveListing(bucket, swept, storage.prefix)
    sweep = Sweep(configuration, bucket, listing, claims, notifier, spool, ledger)
    # The first Woomera's invocation looks at all of its prefix, as it always did.
    return SweepJob(sweep, store, swept, ledger, keeps_watermark=prefix is None, started_at=now)


def resend(configuration: config.Config, mailer: Mailer) -> Resend:
    """Return what sends a stored message's notice again."""
    signer = Signer(configuration.links, configuration.storage)
    store = stored_messages(configuration)
    return Resend(configuration, store, signer, Composer(configuration.notice), mailer)


def reader(configuration: config.Config, read: Callable[[int], None]) -> Reader:
    """Return what reads a period's figures from the bucket; `read` hears of each object."""
    store = S3Store(configuration.storage, max_connections=READ_AT_ONCE)
    return Reader(store, configuration.archive.prefix, configuration.storage.retention, read)


def report_job(configuration: config.Config, mailer: Mailer) -> Report:
    """Return what sends a report once."""
    store = S3Store(configuration.storage, max_connections=1)
    lease = configuration.sweep.lease
    claims = Claims(store, socket.gethostname(), lease, key_of=report_key)
    return Report(configuration.report, claims, mailer)


def _offload(configuration: config.Config, signer: Signer, connections: int) -> Offload:
    store = S3Store(configuration.storage, connections, signer.forget_credentials)
    return Offload(configuration, store, signer)


def _check_links(configuration: config.Config, signer: Signer, now: datetime) -> None:
    """Raise WoomeraError where links cannot be made that live as long as messages are kept."""
    signer.ends_at(now, now + configuration.storage.retention)
