"""Messages and what must become of them, as data; test_messages.py sends each on the real path."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rig.mail import kinds, messages
from rig.mail.messages import FILL, MB, RECIPIENT, SENDER
from rig.promises.checker import Sent

SMALL_LIMIT_BYTES = MB
"""`limit` of the lab that runs the cases."""
ALLOWANCE_BYTES = 2048
OVER_BYTES = SMALL_LIMIT_BYTES + 64 * 1024
NAMES_TO_SEE = {
    "RFC 2231 names": ("Zürich €.pdf", "Größenangaben.xlsx", "bétter.txt"),
    "RFC 2047 names": ("Zürich Pläne.pdf", "漢字", "Été.docx"),
}

Decision = Literal["passes", "intercepted"]


@dataclass(frozen=True, slots=True)
class Case:
    """A message, its envelope, and what must become of it."""

    name: str
    message: Callable[[], bytes]
    decision: Decision
    envelope_sender: str = SENDER
    recipients: tuple[str, ...] = (RECIPIENT,)
    stored: Callable[[bytes], bytes] | None = None
    """Makes the .eml of the message where it is not, but for Bcc, what was sent."""
    shows: tuple[str, ...] = ()
    """What the notice's text must have in it."""

    def sent(self) -> Sent:
        """Make the message."""
        return Sent(self.message(), self.envelope_sender, self.recipients)


def sized(measured_bytes: int, kind: str = "plain text") -> Callable[[], bytes]:
    """Return a maker of that kind of message, whose measured size with the allowance is `measured_bytes`."""
    return lambda: kinds.of_kind(kind, measured_bytes - ALLOWANCE_BYTES)


def small(kind: str) -> Callable[[], bytes]:
    """Return a maker of the shortest message of that kind."""
    return lambda: kinds.of_kind(kind)


def with_header(field: str, size_bytes: int = OVER_BYTES) -> Callable[[], bytes]:
    """Return a maker of an ordinary message with one more header field, the first one."""
    return lambda: field.encode() + b"\r\n" + messages.message(size_bytes - len(field.encode()) - 2)


def encoded_word(text: str) -> str:
    """Return `text` as RFC 2047 has it; in base64, since sendmail rewrites a From with a bare colon."""
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def from_field(value: str) -> Callable[[], bytes]:
    """Return a maker of an over-limit message whose From is `value`."""
    return lambda: re.sub(
        rb"(?m)^From: .*$", f"From: {value}\r".encode(), messages.message(OVER_BYTES), count=1
    )


KINDS_WITHIN = [
    Case(f"{kind}, small", small(kind), "passes")
    for kind in (*kinds.EXACT, *kinds.INEXACT)
    if kind != "a line of 1 MB"
]

KINDS_OVER = [
    Case(f"{kind}, over", sized(OVER_BYTES + MB, kind), "intercepted", shows=NAMES_TO_SEE.get(kind, ()))
    for kind in kinds.EXACT
]

# The milter protocol has no way to show these octets: rig/kinds.py names them all.
PROTOCOL_EXCEPTIONS = [
    Case(f"{kind}, over", sized(OVER_BYTES, kind), "intercepted", stored=stored)
    for kind, stored in {
        "no final newline": lambda sent: sent + b"\r\n",
        "space before the colon": lambda sent: sent.replace(b"X-Spaced :", b"X-Spaced:", 1),
        "NUL in a header": lambda sent: sent.replace(b"\0", b"", 1),
        "mbox From line": lambda sent: sent.partition(b"\r\n")[2],
        "non-ASCII header name": lambda sent: sent.replace("X-Größe".encode(), "\r\nX-Größe".encode(), 1),
        "no blank line": lambda sent: sent.replace(b"This is no", b"\r\nThis is no", 1),
    }.items()
]

_AROUND_THE_LIMIT: dict[int, Decision] = {-1: "passes", 0: "passes", 1: "intercepted"}
EDGES = [
    Case(f"{kind}, limit{excess_bytes:+d}", sized(SMALL_LIMIT_BYTES + excess_bytes, kind), decision)
    for kind in (
        "plain text",
        "30 kB of headers",
        "lines at the break",
        "a line of 100,000 octets",
        "8-bit UTF-8",
    )
    for excess_bytes, decision in _AROUND_THE_LIMIT.items()
]

FULL_SIZE = [
    *(
        Case(f"limit{excess_bytes:+d}", sized(10 * MB + excess_bytes), decision)
        for excess_bytes, decision in _AROUND_THE_LIMIT.items()
    ),
    Case(
        "a file of 25 MB", lambda: messages.message_with_file(25 * MB), "intercepted", shows=("figures.bin",)
    ),
]

HEADERS = [
    Case(
        "HTML and JavaScript in From",
        from_field('"<script>alert(1)</script>" <sender@example.com>'),
        "intercepted",
        shows=("<script>alert(1)</script>",),  # in the plain text; the checker looks at the HTML
    ),
    Case(
        "line breaks in an encoded From",
        from_field(encoded_word("Sandra\r\nBcc: victim@example.net") + " <sender@example.com>"),
        "intercepted",
        shows=("Sandra Bcc: victim@example.net",),
    ),
    Case(
        "a link in From, which must not pass for ours",
        from_field(encoded_word("\nhttps://evil.example/\n") + " <sender@example.com>"),
        "intercepted",
        shows=("https:// evil.example/",),
    ),
    Case(
        "8-bit From",
        from_field("Jürgen Größer <sender@example.com>"),
        "intercepted",
        shows=("Jürgen Größer",),
    ),
    Case(
        "template code in a header",
        with_header("Comments: {{ 7 * 7 }} {% include '/etc/passwd' %}"),
        "intercepted",
    ),
    Case(
        "an X-Woomera-Id of the sender's",
        with_header("X-Woomera-Id: forged"),
        "intercepted",
    ),
    Case("null sender", lambda: messages.message(OVER_BYTES), "intercepted", envelope_sender=""),
    Case("null sender, small", messages.message, "passes", envelope_sender=""),
    Case(
        "no header at all",
        lambda: messages.filled(b"\r\n" + FILL, OVER_BYTES),
        "intercepted",
        shows=(SENDER,),
    ),
]

ALL_AT_THE_SMALL_LIMIT = [*KINDS_WITHIN, *KINDS_OVER, *PROTOCOL_EXCEPTIONS, *EDGES, *HEADERS]
