"""pymilter's callbacks, each a line or two, and the process that serves them.

The only importer of pymilter. A connection has one `Session` at a time, made anew at each
MAIL FROM, so nothing of one message is left for the next on the same connection.
"""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

import Milter
import milter

from woomera_milter import config, log
from woomera_milter.archive.session import ArchiveSession
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.errors import TemporaryError
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.intercept import Interceptor, Replacement
from woomera_milter.milter.process import bound_memory, tell_systemd
from woomera_milter.milter.session import Session
from woomera_milter.milter.sockets import make_way, nudged
from woomera_milter.milter.transaction import Transaction, Verdict

REPLY_WRITE_S = 0.2
ARCHIVE_FINISH_S = 30.0

ACCEPT: int = Milter.ACCEPT
CONTINUE: int = Milter.CONTINUE
REJECT: int = Milter.REJECT
TEMPFAIL: int = Milter.TEMPFAIL


@dataclass(frozen=True, slots=True)
class Role:
    """One of the two milters: the section of its settings, and what it asks of the MTA.

    `on_trouble` is the answer where a mistake of ours leaves none.
    """

    name: str
    section: str
    actions: Mapping[str, int]
    on_trouble: int


MAIN = Role(
    "milter",
    "milter",
    {"change headers": Milter.CHGHDRS, "add headers": Milter.ADDHDRS, "change the body": Milter.CHGBODY},
    on_trouble=TEMPFAIL,
)
ARCHIVE = Role("archive-milter", "archive", {}, on_trouble=CONTINUE)


# What sendmail is to tell at each stage, and no more.
MACROS = {
    Milter.M_CONNECT: "",
    Milter.M_HELO: "",
    Milter.M_ENVFROM: "",
    Milter.M_ENVRCPT: "{rcpt_mailer}",
    Milter.M_EOH: "i {msg_size}",
    Milter.M_EOM: "",
}

# What becomes part of keys, file names and log lines, whoever is at the other end of the socket.
_QUEUE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply with its enhanced status code (RFC 3463)."""

    code: str
    enhanced_code: str
    text: str


# X.3.0: other or undefined mail system status (RFC 3463, section 3.4).
REPLIES = {
    Verdict.TEMPFAIL: Reply(
        "451", "4.3.0", "Message too large to relay, and storing it failed; try again later"
    ),
    Verdict.REJECT: Reply("554", "5.3.0", "Message too large to relay, and storing it failed"),
}
ANSWERS = {Verdict.PASS: ACCEPT, Verdict.TEMPFAIL: TEMPFAIL, Verdict.REJECT: REJECT}


@dataclass(slots=True)
class InHand:
    """Counts the messages whose end-of-message is being worked on."""

    _count: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold one message."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait_until_none(self, timeout_s: float) -> None:
        """Return when no message is in hand any more, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, timeout_s)


@Milter.header_leading_space
class Connection(Milter.Base):
    """An SMTP connection of the MTA's. No callback raises: pymilter would print a traceback.

    Callbacks marked noreply are not waited for by the MTA: they cannot refuse anything, and
    need not, since all is decided at the end of the headers or of the message.
    """

    def __init__(self, role: Role, new_session: Callable[[str], Transaction], in_hand: InHand) -> None:
        self._role = role
        self._new_session = new_session
        self._in_hand = in_hand
        self._session: Transaction | None = None

    def negotiate(self, options: list[int]) -> int:
        """Ask for what we need and nothing else; refuse an MTA that lacks it."""
        offered_actions, offered_protocol = options[0], options[1]
        missing = [what for what, action in self._role.actions.items() if not offered_actions & action]
        if not offered_protocol & Milter.P_HDR_LEADSPC:
            missing.append("leave header values as they are (SMFIP_HDR_LEADSPC)")
        if missing:
            log.refused_mta(", ".join(missing))
            return REJECT
        answer: int = super().negotiate(options)
        options[0] = sum(self._role.actions.values())
        # Without this sendmail.mc would have to list {msg_size}, and sendmail would send macros that nobody
        # reads, a packet a stage; pymilter's decorator fails on Python 3.
        for stage, macros in MACROS.items():
            self._ctx.setsymlist(stage, macros)
        return answer

    @Milter.noreply
    def envfrom(self, sender: str, *_parameters: str) -> int:
        """MAIL FROM: a new message."""
        self._end_session()
        self._session = self._new_session(_address(sender))
        return CONTINUE

    @Milter.noreply
    def envrcpt(self, recipient: str, *_parameters: str) -> int:
        """RCPT TO."""
        if self._session:
            self._session.add_recipient(_address(recipient), self._macro("{rcpt_mailer}"))
        return CONTINUE

    @Milter.noreply
    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        """Take one header field."""
        if self._session:
            self._session.add_header(name, value)
        return CONTINUE

    def eoh(self) -> int:
        """End of headers: the body is only asked for where the message may be over the limit."""
        if self._session is None:
            return self._role.on_trouble
        queue_id, msg_size = self._macro("i"), self._macro("{msg_size}")
        wants_body = self._session.end_headers(
            queue_id if _QUEUE_ID.fullmatch(queue_id) else "",
            int(msg_size) if _SIZE.fullmatch(msg_size) else None,
        )
        return CONTINUE if wants_body else ACCEPT

    @Milter.noreply
    def body(self, chunk: bytes) -> int:
        """Take a part of the body, at most 64 KB."""
        if self._session:
            self._session.add_body(chunk)
        return CONTINUE

    def eom(self) -> int:
        """End of message: decide, and carry it out."""
        if self._session is None:
            return self._role.on_trouble
        with self._in_hand.one():
            decision = self._session.end_message(self._report_progress)
            if isinstance(decision, Replacement):
                answer = self._replace(self._session, decision)
            else:
                answer = self._answer(decision)
        self._end_session()
        return answer

    def _macro(self, name: str) -> str:
        """Return what the MTA says of it; nothing where that is no text."""
        try:
            return self.getsymval(name) or ""
        except UnicodeDecodeError:
            return ""

    def _answer(self, verdict: Verdict) -> int:
        if reply := REPLIES.get(verdict):
            self.setreply(reply.code, reply.enhanced_code, reply.text)
        return ANSWERS[verdict]

    def _replace(self, session: Transaction, replacement: Replacement) -> int:
        """Headers first, the body last: sendmail cuts its copy of the message at the first new octet."""
        try:
            for change in replacement.header_changes:
                self.chgheader(change.name, change.index, change.value)
            self.replacebody(replacement.body)
        except milter.error:
            return self._answer(session.not_replaced(replacement))
        session.replaced(replacement)
        return ACCEPT

    def _report_progress(self) -> None:
        try:
            self.progress()
        except milter.error as error:
            raise TemporaryError(
                "the MTA hung up while the message was being stored", reason="mta"
            ) from error

    def abort(self) -> int:
        """The message ends early: RSET, a lost client, another filter's refusal."""
        self._end_session()
        return CONTINUE

    def close(self) -> int:
        """Leave the connection."""
        self._end_session()
        return CONTINUE

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def _address(path: str) -> str:
    """Return the address of a RFC 5321 path: without angle brackets, and as valid UTF-8."""
    return (
        path.removeprefix("<").removesuffix(">").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    )


def libmilter_version() -> str:
    """Return the version of the libmilter that is loaded, such as 1.0.1."""
    return ".".join(map(str, milter.getversion()))


def serve(
    configuration: config.Config,
    interceptor: Interceptor,
    counters: Counters,
    snapshots: AbstractContextManager[object],
) -> None:
    """Serve the main milter's socket until SIGTERM, then finish what is in hand.

    `snapshots` runs meanwhile, and ends after the last message is counted.
    Raise PermanentError or TemporaryError where the socket cannot be had.
    """
    settings = configuration.milter
    workers = ThreadPoolExecutor(settings.max_concurrent, thread_name_prefix="store")
    new_session = partial(Session, configuration, interceptor, workers, counters)
    _serve(MAIN, settings.socket, new_session, settings.deadline.total_seconds(), snapshots)
    workers.shutdown(wait=False, cancel_futures=True)


def serve_archive(configuration: config.Config, spool: ArchiveSpool, destinations: Destinations) -> None:
    """Serve the archive milter's socket, as `serve` does the main one's."""
    settings = configuration.archive
    new_session = partial(
        ArchiveSession,
        settings.min_size,
        spool,
        destinations,
        trust_msg_size=configuration.milter.trust_msg_size,
    )
    _serve(ARCHIVE, settings.socket, new_session, ARCHIVE_FINISH_S, _without_remains(spool))


@contextlib.contextmanager
def _without_remains(spool: ArchiveSpool) -> Iterator[None]:
    """Remove what a killed milter had begun. The socket is ours by now, so no living one works there."""
    spool.remove_unfinished()
    yield


def _serve(
    role: Role,
    address: str,
    new_session: Callable[[str], Transaction],
    finish_s: float,
    meanwhile: AbstractContextManager[object],
) -> None:
    """Serve; `meanwhile` is entered once the socket is ours, and before the first message comes."""
    bound_memory()
    in_hand = InHand()
    Milter.factory = partial(Connection, role, new_session, in_hand)
    milter.set_flags(sum(role.actions.values()))
    milter.set_exception_policy(role.on_trouble)
    os.umask(0o177)
    # libmilter waits for these in a thread of its own; one that comes before it is ready has to wait, too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    make_way(role.section, address)
    _open(role, address)
    log.started(role.name, socket=address)
    tell_systemd()
    with meanwhile, nudged(address):  # their threads take over the signal mask
        try:
            Milter.runmilter("woomera", address, rmsock=False)
        except milter.error as error:
            raise TemporaryError(
                f"libmilter has given up serving {address} ({error})",
                remedy="see whether this host is out of memory, threads or descriptors",
                reason="socket",
            ) from error
        in_hand.wait_until_none(finish_s)
        time.sleep(REPLY_WRITE_S)  # libmilter writes the reply after the callback has returned
    log.stopped(role.name)


def _open(role: Role, address: str) -> None:
    """Open the socket ahead of `runmilter`, which does not return: from now on the MTA's connections wait."""
    milter.register("woomera")
    milter.setconn(address)
    try:
        milter.opensocket(False)
    except milter.error as error:
        raise TemporaryError(
            f"{role.section}.socket: {address} cannot be opened ({error})",
            remedy="see that the folder belongs to the milter's user, and that no other process has the port",
            reason="socket",
        ) from error
