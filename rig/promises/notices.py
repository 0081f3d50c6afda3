"""A notice as SES got it, taken apart and held against what the public contract says of its form."""

import email
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from html.parser import HTMLParser

from rig.servers.ses import MAX_HEADER_LINE_BYTES, SINGLE_FIELDS, field_name, header_lines

MAX_NOTICE_BYTES = 100 * 1024
MAX_BODY_LINE_BYTES = 76
WOOMERA_ID = "x-woomera-id"

_HIDDEN = ("bcc", "resent-bcc")
_REPLACED = ("mime-version", "dkim-signature", WOOMERA_ID, *_HIDDEN)
_KEPT_HEADERS_BYTES = 64 * 1024
_LETTER_REL = "noopener noreferrer nofollow"  # of links that are the sender's
_MOMENT = re.compile(r"until (\w+ \d{1,2} \w+ \d{4}, \d\d:\d\d UTC)")
_SIZE = re.compile(r"([\d.]+) (bytes|KB|MB|GB)")
_UNIT_BYTES = {"bytes": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}

Field = tuple[str, bytes]
"""The lower-case name of a header field, and the octets after its colon, folds among them."""


class BrokenPromise(AssertionError):  # noqa: N818 - the name says what it means for a reader of a failed test
    """A promise to a sender or a recipient was not kept; the text says which."""


def require(kept: bool, sentence: str) -> None:
    """Raise BrokenPromise with `sentence` unless `kept`."""
    if not kept:
        raise BrokenPromise(sentence)


@dataclass(frozen=True, slots=True)
class Notice:
    """The parts of a notice, decoded."""

    octets: bytes
    fields: tuple[Field, ...]
    text: str
    html: str

    @property
    def id(self) -> str:
        """Its X-Woomera-Id."""
        return dict(self.fields)[WOOMERA_ID].strip().decode()

    @property
    def links(self) -> list[str]:
        """The links of the plain text: lines that are nothing else."""
        return re.findall(r"^https?://\S+$", self.text, re.MULTILINE)

    @property
    def links_end_at(self) -> datetime:
        """The moment that its plain text names, a whole minute."""
        found = _MOMENT.search(self.text)
        require(found is not None, "the notice does not say until when its links work")
        assert found is not None
        require(found[1] in self.html, "the HTML does not name the end of the links that the text names")
        return datetime.strptime(found[1], "%A %d %B %Y, %H:%M UTC").replace(tzinfo=UTC)

    def names_size(self, size_bytes: int) -> bool:
        """Tell whether its text names this size, rounded as people write sizes."""
        named = [(float(number), _UNIT_BYTES[unit]) for number, unit in _SIZE.findall(self.text)]
        return any(abs(number * unit - size_bytes) <= 0.051 * unit for number, unit in named)


def header_fields(message: bytes) -> list[Field]:
    """Return the header fields of a message in their order, up to the first line that is none."""
    fields: list[Field] = []
    for line in header_lines(message):
        if field_name(line) == "" and fields:
            name, value = fields[-1]
            fields[-1] = (name, value + b"\r\n" + line)
        elif b":" in line:
            fields.append((field_name(line), line.partition(b":")[2]))
        else:
            break
    return fields


def read_notice(octets: bytes) -> Notice:
    """Take a notice apart; raise BrokenPromise where it is none, or not what SES and mail clients need."""
    fields = header_fields(octets)
    _check_header_section(octets, fields)
    _check_octets(octets)
    message = email.message_from_bytes(octets)
    require(message.get_content_type() == "multipart/alternative", "the notice is not multipart/alternative")
    parts = message.get_payload()
    assert isinstance(parts, list)
    types = [part.get_content_type() for part in parts if isinstance(part, Message)]
    require(types == ["text/plain", "text/html"], f"the parts of the notice are {types}")
    text, html = (_decoded(part) for part in parts if isinstance(part, Message))
    for anchor in re.findall(r"<a\s[^>]*href=[^>]*>", html):
        is_ours = "mailto:" not in anchor and _LETTER_REL not in anchor
        is_tracked = is_ours and "ses:no-track" not in anchor
        require(not is_tracked, f"SES may rewrite a link of the notice: {anchor[:60]}")
    return Notice(octets, tuple(fields), text, html)


def _check_header_section(octets: bytes, fields: list[Field]) -> None:
    for line in header_lines(octets):
        require(line.isascii(), f"a header of the notice is not ASCII: {line[:60]!r}")
        require(len(line) < MAX_HEADER_LINE_BYTES, f"a header line of the notice has {len(line)} octets")
    counts = Counter(name for name, _ in fields)
    require(counts[WOOMERA_ID] == 1, f"the notice has {counts[WOOMERA_ID]} X-Woomera-Id fields, not one")
    doubled = sorted(name for name in SINGLE_FIELDS if counts[name] > 1)
    require(not doubled, f"SES allows these fields once only: {doubled}")
    for name in ("mime-version", "content-type", "content-transfer-encoding"):
        require(counts[name] == 1, f"the notice has {counts[name]} {name} fields, not one")
    content = {name for name in counts if name.startswith("content-")}
    surplus = content - {"content-type", "content-transfer-encoding"}
    require(not surplus, f"fields of the original's body stayed in the notice: {sorted(surplus)}")
    for name in ("dkim-signature", *_HIDDEN):
        require(counts[name] == 0, f"the notice has a {name} field")


def _check_octets(octets: bytes) -> None:
    require(len(octets) < MAX_NOTICE_BYTES, f"the notice has {len(octets)} octets, not under 100 KB")
    body = octets.partition(b"\r\n\r\n")[2]
    require(body.isascii(), "the notice's body is not 7-bit")
    require(b"\0" not in body, "the notice's body has a NUL")
    rest = body.replace(b"\r\n", b"")
    require(b"\r" not in rest and b"\n" not in rest, "the notice has a bare CR or LF")
    longest = max(map(len, body.split(b"\r\n")))
    require(longest <= MAX_BODY_LINE_BYTES, f"a line of the notice's body has {longest} octets")


def _decoded(part: Message) -> str:
    encoding = str(part["Content-Transfer-Encoding"]).lower()
    require(encoding in ("quoted-printable", "base64"), f"a part of the notice is in {encoding}")
    require(part.get_content_charset() == "utf-8", "a part of the notice is not in UTF-8")
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode("utf-8").replace("\r\n", "\n")


def check_kept_headers(original: bytes, notice: Notice) -> None:
    """Hold the notice to keeping the original's other header fields.

    Fields that had to change to pass SES (8-bit, control characters, overlong lines) need only be there.
    """
    fields = header_fields(original)
    is_huge = sum(len(name) + len(value) + 3 for name, value in fields) > _KEPT_HEADERS_BYTES
    kept = Counter((name, _words(value)) for name, value in notice.fields)
    names = {name for name, _ in notice.fields}
    seen: set[str] = set()
    for name, value in fields:
        repeated = name in SINGLE_FIELDS and name in seen
        seen.add(name)
        if repeated or name in _REPLACED or name.startswith("content-") or not value.strip():
            continue
        if is_huge and (name.startswith("x-") or name in ("received", "authentication-results")):
            continue
        require(name in names, f"the original's {name} field is not in the notice")
        if _is_plain(value):
            require(
                kept[name, _words(value)] > 0, f"the notice changed the original's {name}: {value[:80]!r}"
            )


def _is_plain(value: bytes) -> bool:
    lines = value.decode("latin-1").replace("\t", " ").split("\r\n")
    return value.isascii() and all(len(line) < 900 and line.isprintable() for line in lines)


def _words(value: bytes) -> bytes:
    """The value without its folds and with single spaces: sendmail folds lists of addresses anew."""
    return b" ".join(value.split())


def check_markup(notice: Notice, allowed_targets: set[str]) -> None:
    """Hold the HTML to running nothing, loading nothing, and leading nowhere but to `allowed_targets`.

    What the sender's letter leads to is marked as such.
    """
    _Markup(allowed_targets).feed(notice.html)


class _Markup(HTMLParser):
    def __init__(self, allowed_targets: set[str]) -> None:
        super().__init__()
        self._allowed_targets = allowed_targets

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        running = ("script", "iframe", "object", "embed", "form", "img", "link", "base", "svg")
        require(tag not in running, f"the notice's HTML has a <{tag}>")
        for name, value in attrs:
            require(not name.startswith("on"), f"the notice's HTML has an {name} handler")
            require(name not in ("src", "srcset", "action", "background"), f"the HTML loads by {name}")
            if name == "href" and dict(attrs).get("rel") != _LETTER_REL:
                require(value in self._allowed_targets, f"the notice's HTML leads to {value!r}")
            require("url(" not in (value or ""), "the notice's HTML loads by a style")

    handle_startendtag = handle_starttag
