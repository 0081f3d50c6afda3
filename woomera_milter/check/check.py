"""Tells whether this host will work, as findings that a person can act on."""

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from woomera_milter import config
from woomera_milter.check import archive, filters, links, login, milter, sendmail, sendmail_cf, ses
from woomera_milter.check import host as check_host
from woomera_milter.check import relay as check_relay
from woomera_milter.check.bucket import s3
from woomera_milter.check.finding import Finding, Status, failed, guarded, passed
from woomera_milter.check.sendmail_cf import SendmailCf
from woomera_milter.errors import ConfigError, WoomeraError
from woomera_milter.store.inspection import Bucket
from woomera_milter.submission.ses import Ses


@dataclass(frozen=True, slots=True)
class Area:
    """What was found in one part of the world."""

    name: str
    findings: tuple[Finding, ...]


def run(path: Path, cf_path: Path, *, offline: bool) -> Iterator[Area]:
    """Look at everything, area by area; at the configuration alone where `offline`, or where it is broken."""
    findings = run_offline(path)
    yield Area("configuration", tuple(findings))
    if offline or any(it.status == "failure" for it in findings):
        return
    configuration = config.load(path)
    try:
        cf = sendmail_cf.load(cf_path)
    except WoomeraError as error:
        yield Area("sendmail", (failed("sendmail.cf", error),))
        cf = None
    yield from _host(configuration, cf)
    yield from _s3(configuration)
    yield from _mail(configuration, cf)
    if _keeps_archive(configuration, cf):
        yield _area("archive", lambda: archive.look(configuration, datetime.now(UTC)))


def run_offline(path: Path) -> list[Finding]:
    """Given the path of a configuration, return what is to be said of it alone, without the outside world."""
    try:
        configuration = config.load(path)
    except ConfigError as error:
        return [_of_config("failure", problem) for problem in error.problems]
    found = [passed(str(path), "the configuration is valid")]
    doubtful = config.warnings(configuration, path) + config.examples(configuration, path)
    return found + [_of_config("warning", warning) for warning in doubtful]


def _of_config(status: Status, message: str) -> Finding:
    """A message of config's, `FILE: what is wrong; remedy`, taken apart."""
    subject, _, rest = message.partition(": ")
    detail, _, remedy = rest.rpartition("; ")
    return Finding(status, subject, detail, remedy)


def _host(configuration: config.Config, cf: SendmailCf | None) -> Iterator[Area]:
    yield _area("host", lambda: check_host.look(configuration, cf.max_message_bytes if cf else None))
    if cf is not None:
        yield _area(
            "sendmail",
            lambda: sendmail.look(cf, configuration),
            lambda: filters.look(cf, configuration),
        )
    yield _area("milter", lambda: milter.look(configuration))


def _s3(configuration: config.Config) -> Iterator[Area]:
    try:
        bucket = Bucket(configuration.storage)
    except WoomeraError as error:
        yield Area("S3", (failed("storage", error),))
        return
    host = socket.gethostname()
    yield _area("S3", lambda: s3.look(bucket, configuration, host, datetime.now(UTC)))
    yield _area("links", lambda: links.look(bucket, configuration, host, datetime.now(UTC)))
    bucket.close()


def _mail(configuration: config.Config, cf: SendmailCf | None) -> Iterator[Area]:
    mail, relay = configuration.mail, cf.smart_host if cf else None
    if cf is not None and relay is not None:
        yield _area(
            "relay",
            lambda: check_relay.look(relay, configuration.limit),
            lambda: login.look(cf, relay),
        )
    if mail.via == "smtp":
        yield _area("jobs' mail", lambda: [check_relay.mail_host(mail)])
    senders = _senders(configuration, cf)
    if mail.via == "ses":
        yield _area("SES", lambda: ses.look(Ses(mail, configuration.storage), senders))
    elif relay is not None and (region := sendmail.ses_region(relay.host)):
        there = mail.model_copy(update={"region": region})
        yield _area("SES", lambda: ses.look_aside(Ses(there, configuration.storage), senders))


def _senders(configuration: config.Config, cf: SendmailCf | None) -> list[str]:
    """Return from whom this host is known to send: the jobs' senders, the domain that sendmail writes."""
    reporter = configuration.report.sender if configuration.report.to else None
    known = (configuration.sweep.sender, reporter, cf.macros.get("M") if cf else None)
    return list(dict.fromkeys(it for it in known if it))


def _keeps_archive(configuration: config.Config, cf: SendmailCf | None) -> bool:
    """Tell whether the archive is in use: it is for those who want it."""
    settings = configuration.archive
    is_filter = cf is not None and any(it.listens_at(settings.socket) for it in cf.filters)
    return is_filter or settings.spool.exists()


def _area(name: str, *looks: Callable[[], Iterable[Finding]]) -> Area:
    return Area(name, tuple(finding for look in looks for finding in guarded(name, look)))
