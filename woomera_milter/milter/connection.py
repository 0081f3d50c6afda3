"""pymilter's callbacks, each a line or two.

A connection has one `Transaction` at a time, made anew at each MAIL FROM, so nothing of one message is left
for the next on the same connection.
"""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any

import Milter
import milter

from woomera_milter import log
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.message.envelope import address_in
from woomera_milter.milter.transaction import Transaction, Verdict

if TYPE_CHECKING:
    from woomera_milter.notice.header_edits import HeaderChange

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
COPYING = replace(MAIN, actions={**MAIN.actions, "add recipients": Milter.ADDRCPT})
"""The main milter where notice.copy_to_sender is on."""


# What sendmail is to tell at each stage, and no more.
MACROS = {
    Milter.M_CONNECT: "",
    Milter.M_HELO: "",
    Milter.M_ENVFROM: "",
    Milter.M_ENVRCPT: "{rcpt_mailer}",
    Milter.M_EOH: "i {msg_size} j M",
    Milter.M_EOM: "{nrcpts}",
}

# What becomes part of keys, file names and log lines, whoever is at the other end of the socket.
_QUEUE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}")


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


_of_this_thread = threading.local()
"""`connection`: whose callback libmilter ran last in this thread, of which each connection has one."""


def _guarded(callback: Callable[..., int]) -> Callable[..., int]:
    """Give a callback a boundary: whatever breaks, the MTA has an answer where it waits for one."""

    @wraps(callback)
    def wrapper(self: "Connection", *arguments: Any) -> int:
        _of_this_thread.connection = self
        try:
            return callback(self, *arguments)
        except Exception as error:  # the boundary
            return self.give_up(error, callback.__name__)

    return wrapper


def report_unraised(
    role: Role, _: type[BaseException], error: BaseException, __: TracebackType | None
) -> None:
    """For `sys.excepthook`: what pymilter cannot hand to a callback, such as a header name that is no UTF-8.

    It comes in the connection's own thread, and pymilter then answers by its policy. The MTA does not wait
    for an answer to a header, and would wait for ever for the next one after any but CONTINUE. A peer that
    has not negotiated has no connection here, and hears what `role` says in trouble.
    """
    connection: Connection | None = getattr(_of_this_thread, "connection", None)
    milter.set_exception_policy(CONTINUE if connection else role.on_trouble)
    if connection:
        connection.give_up(error, "header")
    else:
        log.crashed(log.NO_QUEUE_ID, _word_for(role), error)


def _word_for(role: Role) -> str:
    return Verdict.PASS.value if role.on_trouble == CONTINUE else Verdict.TEMPFAIL.value


@Milter.header_leading_space
class Connection(Milter.Base):
    """An SMTP connection of the MTA's. No callback raises: pymilter would print a traceback.

    Callbacks marked noreply are not waited for by the MTA: they cannot refuse anything, and
    need not, since all is decided at the end of the headers or of the message. So a message of which one
    of them broke has no transaction any more, and is answered there.
    """

    def __init__(
        self,
        role: Role,
        new_transaction: Callable[[str], Transaction],
        in_hand: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`in_hand` is entered while the end of a message is being worked on."""
        self._role = role
        self._new_transaction = new_transaction
        self._in_hand = in_hand
        self._transaction: Transaction | None = None

    @_guarded
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
    @_guarded
    def envfrom(self, sender: str, *_parameters: str) -> int:
        """MAIL FROM: a new message."""
        self._end_transaction()
        self._transaction = self._new_transaction(address_in(sender))
        return CONTINUE

    @Milter.noreply
    @_guarded
    def envrcpt(self, recipient: str, *_parameters: str) -> int:
        """RCPT TO."""
        if self._transaction:
            self._transaction.add_recipient(address_in(recipient), self._macro("{rcpt_mailer}"))
        return CONTINUE

    @Milter.noreply
    @_guarded
    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        """Take one header field."""
        if self._transaction:
            self._transaction.add_header(name, value)
        return CONTINUE

    @_guarded
    def eoh(self) -> int:
        """End of headers: the body is only asked for where the message may be over the limit."""
        if self._transaction is None:
            return self._role.on_trouble
        queue_id, msg_size = self._macro("i"), self._macro("{msg_size}")
        wants_body = self._transaction.end_headers(
            queue_id if _QUEUE_ID.fullmatch(queue_id) else "",
            int(msg_size) if _NUMBER.fullmatch(msg_size) else None,
            [name for macro in ("j", "M") if (name := self._macro(macro))],
        )
        return CONTINUE if wants_body else ACCEPT

    @Milter.noreply
    @_guarded
    def body(self, chunk: bytes) -> int:
        """Take a part of the body, at most 64 KB."""
        if self._transaction:
            self._transaction.add_body(chunk)
        return CONTINUE

    @_guarded
    def eom(self) -> int:
        """End of message: decide, and carry it out."""
        if self._transaction is None:
            return self._role.on_trouble
        recipient_count = self._macro("{nrcpts}")
        if _NUMBER.fullmatch(recipient_count):
            self._transaction.keep_recipients(int(recipient_count))
        with self._in_hand():
            answer = self._answer(self._transaction.end_message(self))
        self._end_transaction()
        return answer

    def give_up(self, error: BaseException, callback_name: str) -> int:
        """Drop the message amid which something broke; return the answer to the callback of that name."""
        on_trouble = self._role.on_trouble
        log.crashed(log.NO_QUEUE_ID, _word_for(self._role), error)
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.close()
        return {"negotiate": REJECT, "eoh": on_trouble, "eom": on_trouble}.get(callback_name, CONTINUE)

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

    def report_progress(self) -> None:
        """Have the MTA wait on, as `Mta` promises."""
        try:
            self.progress()
        except milter.error as error:
            raise TemporaryError(
                "the MTA hung up while the message was being stored", reason=Reason.MTA
            ) from error

    def replace_message(
        self, changes: "Sequence[HeaderChange]", body: bytes, copy_to: str | None = None
    ) -> None:
        """The body last: sendmail cuts its copy of the message at the first new octet."""
        try:
            if copy_to:
                self.addrcpt(f"<{copy_to}>")
            for change in changes:
                self.chgheader(change.name, change.index, change.value)
            self.replacebody(body)
        except milter.error as error:
            raise TemporaryError("the MTA refused a change to the message", reason=Reason.MTA) from error

    @_guarded
    def abort(self) -> int:
        """The message ends early: RSET, a lost client, another filter's refusal."""
        self._end_transaction()
        return CONTINUE

    @_guarded
    def close(self) -> int:
        """Leave the connection."""
        self._end_transaction()
        return CONTINUE

    def _end_transaction(self) -> None:
        if self._transaction is not None:
            self._transaction.close()
            self._transaction = None


def libmilter_version() -> str:
    """Return the version of the libmilter that is loaded, such as 1.0.1."""
    return ".".join(map(str, milter.getversion()))
