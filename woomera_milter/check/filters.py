"""What `woomera check` says of sendmail's filters: ours, its flag and times, and the company it keeps."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from woomera_milter import config
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.check.sendmail_cf import Filter, SendmailCf
from woomera_milter.config.values import format_duration

LEAST_REPLY_TIME = timedelta(seconds=30)
"""For S and R: sendmail's default of 10 s takes a milter on a busy host for a dead one."""
DEADLINE_MARGIN = timedelta(seconds=30)
"""What E needs above milter.deadline, to compose the notice and to hand it over."""

_SIGNER = re.compile(r"dkim|openarc|domainkey", re.IGNORECASE)
_BUILD = "build sendmail.cf anew and restart sendmail"


def look(cf: SendmailCf, configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of the filters of the running sendmail.cf."""
    socket = configuration.milter.socket
    at_socket = [it for it in cf.filters if it.listens_at(socket)]
    by_name = [it for it in cf.filters if it.name == "woomera"]
    ours = next(iter(at_socket + by_name), None)
    if ours is None:
        yield _missing(cf, socket)
    else:
        yield _place(ours, socket)
        yield from _skipped_by_daemons(cf, ours)
        yield _flag(ours)
        yield from _times(ours, configuration.milter.deadline)
        yield from _order(cf.filters, ours, configuration)
    yield from _archive(cf, ours, configuration.archive.socket)


def _missing(cf: SendmailCf, socket: str) -> Finding:
    lost = "over-limit mail is not intercepted"
    if left_out := [it for it in cf.defined_filters.values() if it.listens_at(socket)]:
        return failure(
            "filter",
            f"{left_out[0].name} is defined, but InputMailFilters leaves it out: {lost}",
            f"name it in confINPUT_MAIL_FILTERS, or take that define out of sendmail.mc; {_BUILD}",
        )
    return failure(
        "filter",
        f"none of sendmail's filters is at milter.socket, {socket}: {lost}",
        f"put FEATURE(`woomera') into sendmail.mc; {_BUILD}",
    )


def _place(ours: Filter, socket: str) -> Finding:
    if ours.listens_at(socket):
        return passed("filter", f"{ours.name} is among sendmail's filters, at {ours.socket}")
    return failure(
        "filter",
        f"sendmail looks for the milter at {ours.socket}, but milter.socket is {socket}",
        f"write the same in sendmail.mc's FEATURE(`woomera', ...) and in config.yaml; {_BUILD}",
    )


def _skipped_by_daemons(cf: SendmailCf, ours: Filter) -> Iterator[Finding]:
    """A daemon may have filters of its own (op.me, DaemonPortOptions, InputMailFilters)."""
    for daemon in cf.daemons:
        if daemon.filters is not None and ours.name not in daemon.filters:
            yield failure(
                "filter",
                f"the daemon on port {daemon.port} has filters of its own, and {ours.name} is not one",
                f"name it in that daemon's InputMailFilters in DAEMON_OPTIONS; {_BUILD}",
            )


def _flag(ours: Filter) -> Finding:
    subject = "failure flag"
    match ours.flag:
        case "T" | "4":
            return passed(subject, f"{ours.flag}: clients wait while the milter is down")
        case "R":
            return warning(
                subject,
                "R: all mail of this host is refused for good while the milter is down",
                f"use FEATURE(`woomera', `', `T'), unless that is meant; {_BUILD}",
            )
    return warning(
        subject,
        "none: over-limit mail is lost while the milter is down, and mangled if it dies amid a message",
        f"use FEATURE(`woomera', `', `T'), unless small mail must flow whatever happens; {_BUILD}",
    )


def _times(ours: Filter, deadline: timedelta) -> Iterable[Finding]:
    end = format_duration(ours.timeouts["E"])
    detail = f"E, {end}, is well above milter.deadline, {format_duration(deadline)}"
    return list(_too_short(ours, deadline)) or [passed("filter's timeouts", detail)]


def _too_short(ours: Filter, deadline: timedelta) -> Iterator[Finding]:
    spans = {letter: format_duration(span) for letter, span in ours.timeouts.items()}
    if ours.timeouts["E"] < deadline + DEADLINE_MARGIN:
        yield failure(
            "filter's timeouts",
            f"sendmail gives up after E, {spans['E']}, while storing may take milter.deadline, "
            f"{format_duration(deadline)}",
            f"set E well above it in the third argument of FEATURE(`woomera', ...); {_BUILD}",
        )
    if short := [f"{it}:{spans[it]}" for it in "SR" if ours.timeouts[it] < LEAST_REPLY_TIME]:
        yield warning(
            "filter's timeouts",
            f"{' and '.join(short)}: on a busy host sendmail takes the milter for dead",
            f"set S:2m;R:2m in the third argument of FEATURE(`woomera', ...); {_BUILD}",
        )


def _order(filters: Sequence[Filter], ours: Filter, configuration: config.Config) -> Iterable[Finding]:
    before = [it for it in filters[: filters.index(ours)] if not it.listens_at(configuration.archive.socket)]
    names = ", ".join(it.name for it in before)
    detail = f"{names} comes first, and is reckoned with" if before else "ours is the first"
    found = list(_in_the_way(before, ours, trust_msg_size=configuration.milter.trust_msg_size))
    return found or [passed("order of filters", detail)]


def _in_the_way(before: Sequence[Filter], ours: Filter, *, trust_msg_size: bool) -> Iterator[Finding]:
    signers = [it.name for it in before if _SIGNER.search(f"{it.name} {it.socket}")]
    others = [it.name for it in before if it.name not in signers]
    if signers:
        yield warning(
            "order of filters",
            f"{', '.join(signers)} signs before {ours.name}, which then replaces what was signed",
            f"move its line below FEATURE(`woomera') in sendmail.mc; {_BUILD}",
        )
    if others and trust_msg_size:
        yield warning(
            "order of filters",
            f"{', '.join(others)} comes first, and sendmail tells us the size from before that",
            "set milter.trust_msg_size: false if it makes messages larger",
        )


def _archive(cf: SendmailCf, ours: Filter | None, socket: str) -> Iterable[Finding]:
    archive = next((it for it in cf.filters if it.listens_at(socket)), None)
    if archive is not None:
        found = list(_misplaced(archive, cf.filters[-1]))
        return found or [passed("archive filter", "the last one, and without a flag")]
    if ours is None:
        return []
    if ours.flag:
        return [passed("archive filter", f"none, and none is needed with flag {ours.flag}")]
    return [
        warning(
            "archive filter",
            "none: nothing keeps what passes while the milter is down",
            f"put FEATURE(`woomera_archive') last among the filters, see docs/archive.md; {_BUILD}",
        )
    ]


def _misplaced(archive: Filter, last: Filter) -> Iterator[Finding]:
    if archive.flag:
        yield failure(
            "archive filter",
            f"has the flag {archive.flag}: mail stops while the archive milter is down",
            f"use FEATURE(`woomera_archive'), which sets no flag; {_BUILD}",
        )
    if archive is not last:
        yield failure(
            "archive filter",
            f"is not the last: it keeps mail as it was before {last.name}",
            f"move FEATURE(`woomera_archive') below all other filters in sendmail.mc; {_BUILD}",
        )
