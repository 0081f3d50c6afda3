"""Sweeps of a bucket in memory, and the mailer that keeps their notices."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from rig.mail.messages import message
from tests.fakes.bucket import MemoryStore
from woomera_milter import config
from woomera_milter.notice.notice import Composer
from woomera_milter.offload.offload import Offload
from woomera_milter.store.claims import Claims
from woomera_milter.store.links import Signer
from woomera_milter.submission.answers import Answer, ReplyKind
from woomera_milter.submission.mailer import Mailer, TransportMailer
from woomera_milter.sweep.listing import ArchiveListing
from woomera_milter.sweep.notifier import Ledger, Notifier
from woomera_milter.sweep.sweep import Sweep, SweepResult
from woomera_milter.sweep.watermark import EVERYTHING, SweepRange

LIMIT_BYTES = 128 * 1024
OVER = message(LIMIT_BYTES + 4096)
KEY = "archive/2026/11/24/host-1/a.eml"
LEASE = timedelta(minutes=15)


class Transport:
    """Takes whatever it is given, for those it is given it for."""

    name = "transport"

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.recipients: list[str] = []
        self.meanwhile = meanwhile

    def deliver(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
    ) -> dict[str, Answer]:
        may_send()
        self.meanwhile()
        self.recipients += recipients
        return dict.fromkeys(recipients, Answer(ReplyKind.ACCEPTED, "250 Ok"))

    def close(self) -> None: ...


def mailer(transport: Transport) -> Mailer:
    return TransportMailer(transport, lambda _: None, lambda: 1)


class Unwatched:
    def scanned(self, count: int) -> None: ...
    def sending(self, total: int) -> None: ...
    def sent(self) -> None: ...


def settings(**changes: Any) -> config.Config:
    keys = {"access_key_id": "AKIASTORAGE000000000", "secret_access_key": "s" * 40}
    data = {"limit": "128KB", "storage": {"bucket": "large-mail", "region": "us-east-1"} | keys} | changes
    return config.validate(data, "config.yaml")


def sweep(
    store: MemoryStore,
    outbox: Mailer,
    folder: Path,
    ledger: Ledger | None = None,
    *,
    single_host: bool = False,
    **changes: Any,
) -> Sweep:
    configuration = settings(**changes)
    claims = Claims(store, "host-1", LEASE, single_host=single_host)
    offload = Offload(configuration, store, Signer(configuration.links, configuration.storage))
    composer = Composer(configuration.notice)
    notifier = Notifier(configuration, store, claims, offload, composer, outbox, folder, ledger)
    listing = ArchiveListing(store, "archive/", "")
    return Sweep(configuration, store, listing, claims, notifier, folder, ledger)


def run(
    store: MemoryStore,
    outbox: Mailer,
    folder: Path,
    span: SweepRange = EVERYTHING,
    most: int = 500,
    **more: Any,
) -> SweepResult:
    return sweep(store, outbox, folder, **more).run(span, most=most, dry_run=False, observer=Unwatched())


def record(*recipients: str, source: str = "archive-milter", **more: Any) -> bytes:
    value = {"envelope_sender": "s@example.com", "recipients": recipients, "source": source} | more
    return json.dumps(value | {"archived_at": "2026-11-24T09:00:00Z", "host": "host-1"}).encode()
