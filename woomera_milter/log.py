"""What the log says of each message: queue id first, then the event, then key=value.

One function an event, so that the wording stays the same and a monitor can rely on it.
Nothing here takes a link, a header, an address or a part of a message: a log is read by
more people than the mail is. A key that an exception carries is never formatted either;
`WoomeraError` texts are written to be logged.
"""

import json
import logging
import os
import re
import sys
from datetime import datetime
from pathlib import Path
from traceback import extract_tb, format_tb
from typing import TextIO

logger = logging.getLogger("woomera_milter")

NO_QUEUE_ID = "-"
_PLAIN = re.compile(r"[\w.:/@+<>\[\]-]+", re.ASCII)

# systemd.exec(5), "Logging and Standard Input/Output": a line's priority as a prefix.
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _Formatter(logging.Formatter):
    def __init__(self, *, journald: bool) -> None:
        super().__init__("%(message)s")
        self._journald = journald

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record).replace("\n", " | ")
        return f"<{_PRIORITY[record.levelno]}>{line}" if self._journald else line


def set_up(level: str) -> None:
    """Send our own events of `level` and above to stderr, one line each; other libraries stay silent.

    botocore and urllib3 would log URLs, headers and signatures.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(journald="JOURNAL_STREAM" in os.environ))
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    logging.getLogger().handlers[:] = [logging.NullHandler()]


def write_to(stream: TextIO) -> None:
    """Send events to `stream` from now on."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stream)


def _event(level: int, queue_id: str, event: str, /, **values: object) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, "%s", " ".join([f"{queue_id or NO_QUEUE_ID}:", event, *_pairs(values)]))


def _pairs(values: dict[str, object]) -> list[str]:
    return [f"{key}={_value(value)}" for key, value in values.items()]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


# A message.


def passed(queue_id: str, why: str, **values: object) -> None:
    """The message was left as it is: small, or not for the relay."""
    _event(logging.DEBUG, queue_id, "passed", why=why, **values)


def intercepted(
    queue_id: str,
    message_id: str,
    *,
    measured_bytes: int,
    store_s: float,
    expires_at: datetime,
    to_sender: bool = False,
) -> None:
    """The message is stored, and the MTA has taken the notice in its place, and for its sender, too."""
    values: dict[str, object] = {
        "measured_bytes": measured_bytes,
        "store_s": store_s,
        "expires_at": expires_at,
    } | ({"copy": "sender"} if to_sender else {})
    _event(logging.INFO, queue_id, "intercepted", id=message_id, **values)


def failed(queue_id: str, reason: str, answer: str, problem: str) -> None:
    """An over-limit message could not be handled; `answer` is what the client was told."""
    _event(logging.ERROR, queue_id, "failed", reason=reason, answer=answer, problem=problem)


def crashed(queue_id: str, answer: str, error: BaseException) -> None:
    """A mistake of ours. Only its type and places are logged: its text could quote the message."""
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in extract_tb(error.__traceback__)]
    values = {"answer": answer, "error": type(error).__name__, "at": ">".join(places)}
    _event(logging.ERROR, queue_id, "crashed", **values)


def traceback(error: BaseException) -> None:
    """Where a mistake of ours ended a command, line by line, without the text of the error."""
    lines = "".join(format_tb(error.__traceback__)).rstrip()
    _event(logging.DEBUG, NO_QUEUE_ID, "traceback", error=type(error).__name__, lines=lines)


def unsure_of_destination(queue_id: str, why: str) -> None:
    """`sendmail -bv` could not tell where local-looking recipients lead, so the message is intercepted."""
    _event(logging.WARNING, queue_id, "unsure-of-destination", why=why)


def degraded(queue_id: str, message_id: str, what: str, why: str) -> None:
    """Something that the notice could have offered is missing from it; the message itself is safe."""
    _event(logging.WARNING, queue_id, "degraded", id=message_id, what=what, why=why)


def kept(queue_id: str, name: str, *, size_bytes: int) -> None:
    """The archive milter has a copy of the message, on disk and synced."""
    _event(logging.INFO, queue_id, "kept", name=name, size_bytes=size_bytes)


def not_kept(queue_id: str, reason: str, problem: str) -> None:
    """An alarm: the message went its way, but the archive milter has no copy of it."""
    _event(logging.CRITICAL, queue_id, "not-kept", reason=reason, problem=problem)


def archived(name: str, key: str, *, size_bytes: int) -> None:
    """A copy is in S3, verified; nothing of it is left on this host."""
    _event(logging.INFO, NO_QUEUE_ID, "archived", name=name, key=key, size_bytes=size_bytes)


def not_archived(name: str, reason: str, problem: str) -> None:
    """A copy could not be moved to S3; it stays where it is, for the next run."""
    _event(logging.ERROR, NO_QUEUE_ID, "not-archived", name=name, reason=reason, problem=problem)


# A sweep.


def notified(message_id: str, *, recipients: int, expires_at: datetime) -> None:
    """The notice for an archived message is with the relay."""
    _event(logging.INFO, NO_QUEUE_ID, "notified", id=message_id, recipients=recipients, expires_at=expires_at)


def may_repeat(message_id: str) -> None:
    """Nobody knows how an earlier hand-over of this notice ended, so some may get it a second time."""
    _event(logging.WARNING, NO_QUEUE_ID, "may-be-a-second-notice", id=message_id)


def unguarded(name: str) -> None:
    """The S3 server ignores conditional writes, so two hosts that begin at once may both send this report."""
    _event(logging.WARNING, NO_QUEUE_ID, "unguarded", name=name, why="S3 ignores conditional writes")


def not_notified(message_id: str, reason: str) -> None:
    """Recipients of an archived message have not got their notice; the sweep's result says why."""
    _event(logging.ERROR, NO_QUEUE_ID, "not-notified", id=message_id, reason=reason)


def not_recorded(message_id: str, reason: str, problem: str) -> None:
    """What a sweep or `woomera resend` did could not be written down; of a sweep, the next one sees to it."""
    _event(logging.WARNING, NO_QUEUE_ID, "not-recorded", id=message_id, reason=reason, problem=problem)


# The statistics.


def not_counted(reason: str, problem: str) -> None:
    """Counters could not be written; they are kept, and the next snapshot that succeeds has them all."""
    _event(logging.WARNING, NO_QUEUE_ID, "not-counted", reason=reason, problem=problem)


def credentials_late(source: str, limit_s: float) -> None:
    """What gives AWS credentials took too long, and is ended with all programs that it started."""
    _event(logging.WARNING, NO_QUEUE_ID, "credentials-late", source=source, limit_s=limit_s)


def reported(name: str, *, recipients: int) -> None:
    """The administrators' report of a period is with the relay."""
    _event(logging.INFO, NO_QUEUE_ID, "reported", report=name, recipients=recipients)


# The process.


def started(what: str, **values: object) -> None:
    """A service is ready."""
    _event(logging.INFO, NO_QUEUE_ID, f"{what} started", **values)


def stopped(what: str, **values: object) -> None:
    """A service has ended as it was asked to."""
    _event(logging.INFO, NO_QUEUE_ID, f"{what} stopped", **values)


def refused_mta(missing: str) -> None:
    """The MTA does not offer what we need, so this connection is not filtered by us."""
    _event(logging.ERROR, NO_QUEUE_ID, "refused-mta", missing=missing)


def warning(problem: str) -> None:
    """Something about this host or its configuration that an administrator should mend."""
    _event(logging.WARNING, NO_QUEUE_ID, "warning", problem=problem)
