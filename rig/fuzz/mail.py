"""What a message holds: its parts, what is decoded of them, and the text for people."""

import binascii
import email
import email.policy
import os
import random
import re
import zlib
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage, Message
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from rig.mail.attachments import attachments
from rig.promises.notices import require
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.mime.body import body, body_text
from woomera_milter.message.mime.protection import protection_of
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import Part, outline
from woomera_milter.store.downloads import attachment_disposition
from woomera_milter.text import wording
from woomera_milter.text.charsets import decode, decode_html
from woomera_milter.text.file_names import MAX_FILE_NAME_BYTES, safe_file_name
from woomera_milter.text.language import language
from woomera_milter.text.lines import cut, lines_for_people
from woomera_milter.text.markup.words import from_html

_CONTROLS = [*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029]
_REORDERING = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # UAX #9
_UNSEEN = frozenset(map(chr, [*_CONTROLS, *_REORDERING, 0xFEFF]))
_TEXT_BYTES = 50
_LANGUAGES = ("en", "de", "ja")
_TYPES = frozenset(
    {
        *("text/plain", "text/html", "image/png", "message/rfc822", "application/octet-stream"),
        *("multipart/mixed", "multipart/alternative", "multipart/related", "multipart/digest"),
        *("multipart/signed", "multipart/encrypted", "application/pkcs7-mime"),
    }
)
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)\d) *(?:\.|\Z)", re.IGNORECASE | re.ASCII)
_SECTION = re.compile(rb"(?:^(?:>?From |[ \t]|[!-9;-~]+[ \t]*:)[^\n]*\n)+", re.MULTILINE)


@contextmanager
def on_disk(data: bytes) -> Iterator[int]:
    """Give the descriptor of a file with these octets."""
    fd = os.memfd_create("fuzz")
    try:
        os.write(fd, data)
        yield fd
    finally:
        os.close(fd)


def chance_of(data: bytes) -> random.Random:
    """Return chance that is the same each time for the same input."""
    return random.Random(zlib.crc32(data))


def check_mime(data: bytes) -> set[Hashable]:
    """Hold the outline, and all that is read by it, to being true, wherever windows end."""
    # Of a header section longer than a window only the beginning counts, so that trees may differ.
    sections_bytes = max((len(it[0]) for it in _SECTION.finditer(data)), default=0)
    window_bytes = max(chance_of(data).randint(150, 400), sections_bytes)
    with on_disk(data) as fd:
        root = outline(fd, len(data))
        same = outline(fd, len(data), window_bytes=window_bytes) == root
        require(same, f"with windows of {window_bytes} octets the parts are others")
        check_parts(fd, root, data, window_bytes)
        facts = header_summary(parse_header_block(data))
        for text in (facts.subject, facts.header_from, facts.to, facts.date):
            check_line(text)
        return set(_features(root))


def check_parts(fd: int, root: Part, data: bytes, window_bytes: int) -> None:
    """Hold a tree to lying within the message, and to decoding as binascii does."""
    _check_nested(root, 0, len(data))
    listed = attachments(fd, root, window_bytes=window_bytes)
    require(listed == attachments(fd, root), "attachments depend on the window")
    for it in listed:
        chunks = list(decoded_chunks(fd, it.part, window_bytes=window_bytes))
        octets = b"".join(chunks)
        require(max(map(len, chunks), default=0) <= 2 * window_bytes, "a chunk is larger than the window")
        require(it.size_bytes == len(octets), f"{it.size_bytes} is not the size, which is {len(octets)}")
        _check_decoded(it.part.transfer_encoding, data[it.part.start : it.part.end], octets)
        check_file_name(it.name)
    names = {it.name.casefold() for it in listed}
    require(len(names) == len(listed), "two attachments have the same name")
    text = body_text(fd, root, _TEXT_BYTES).text
    require(len(text.encode()) <= _TEXT_BYTES, "the text is too long")
    require(not set(text) & _UNSEEN, f"the text holds unseen characters: {text!r}")
    for piece in body(fd, root, _TEXT_BYTES).pieces:
        piece.text.encode()
    protection_of(root, text)


def _check_nested(part: Part, start: int, end: int) -> None:
    require(start <= part.start <= part.end <= end, "a part does not lie within its parent")
    for child in part.children:
        _check_nested(child, part.start, part.end)
    for before, after in pairwise(part.children):
        require(before.end <= after.start, "two parts overlap")


def _check_decoded(encoding: str, raw: bytes, octets: bytes) -> None:
    if encoding == "x-uuencode":
        return
    if encoding == "base64":
        try:
            expected = binascii.a2b_base64(raw)
        except binascii.Error:
            return
        if octets == raw and re.match(
            rb"\s*(?:<|\S+[ \t]+\S+[ \t]+\S)", raw
        ):  # a text that never was encoded
            return
        if re.search(rb"(?s)\n\s*([^A-Za-z0-9\s+/=]).*\1", raw):  # a footer, which binascii reads as well
            expected = expected[: len(octets)]
        if len(octets) > len(expected):  # pieces, each padded: binascii ends with the first
            octets = octets[: len(expected)]
    else:
        # Relays add white space after soft line breaks, which binascii takes literally.
        unpadded = re.sub(rb"=[ \t]{1,100}(?=\r?\n)", b"=", raw)
        expected = binascii.a2b_qp(unpadded) if encoding == "quoted-printable" else raw
    require(octets == expected, f"{raw!r} in {encoding} became {octets!r} instead of {expected!r}")


def _features(part: Part, depth: int = 0) -> Iterator[Hashable]:
    # Of a closed list, lest each type that nobody ever heard of look new.
    content_type = part.content_type if part.content_type in _TYPES else ""
    known = part.transfer_encoding if part.transfer_encoding in ("base64", "quoted-printable") else ""
    is_empty = part.start == part.end
    yield (
        content_type,
        known,
        part.disposition,
        is_empty,
        part.is_multipart,
        bool(part.name),
        bool(part.content_id),
    )
    yield "depth", depth, len(part.children).bit_length(), part.is_multipart
    yield content_type, part.charset in ("utf-8", None)
    for child in part.children:
        yield from _features(child, depth + 1)


def check_line(text: str) -> None:
    """Hold what a person reads of a header to one line that hides nothing and can be encoded."""
    text.encode()
    require(not set(text) & (_UNSEEN | {"\n", "\t"}), f"a line holds unseen characters: {text!r}")


def check_file_name(name: str) -> None:
    """Hold a file name to being one on any system, and in a header field of S3."""
    require(0 < len(name.encode()) <= MAX_FILE_NAME_BYTES + len(" (10000)"), "a file name is too long")
    require(not _DEVICE.match(name), f"a file name is that of a device, {name!r}")
    require(not set(name) & (_UNSEEN | set('/\\:*?"<>|\n')), f"a file name holds {name!r}")
    require(name[0] not in ". " and name[-1] not in ". ", f"a file name is {name!r}")
    disposition = attachment_disposition(name)
    form = re.fullmatch(
        r"attachment; filename=\"[ -!#-~]*\"; filename\*=UTF-8''([\w.~%-]+)", disposition, re.A
    )
    require(form is not None and unquote(form[1]) == name, f"{name!r} became {disposition!r}")


_CHARSETS = (
    "",
    "utf-8",
    "utf-7",
    "utf-16",
    "utf-32",
    "iso-2022-jp",
    "gb2312",
    "hz",
    "euc-kr",
    "big5",
    "tis-620",
    "euc-jp",
    "gbk",
    "koi8-r",
    "iso-8859-1",
    "us-ascii",
)


def check_text(data: bytes) -> set[Hashable]:
    """Hold whatever decodes octets for people to giving text that can be encoded, and hides nothing."""
    charset = _CHARSETS[zlib.crc32(data[:4]) % len(_CHARSETS)]
    fallback = _CHARSETS[zlib.crc32(data[-4:]) % len(_CHARSETS)]
    text = decode(data, charset, fallback_charset=fallback)
    text.encode()
    beginning = decode(data[: len(data) // 2], charset, complete=False)
    beginning.encode()
    decode_html(data, fallback).encode()
    for shown in (lines_for_people(text), from_html(text)):
        require(not set(shown) & _UNSEEN, f"unseen characters in {shown!r}")
        for max_bytes in (0, 1, 10, 100):
            part, is_cut = cut(shown, max_bytes)
            require(len(part.encode()) <= max_bytes and shown.startswith(part), "a beginning that is none")
            require(is_cut == (part != shown), "a cut that is not told")
    check_file_name(safe_file_name(text, "x"))
    for line in (wording.one_line(text), *(language(tag).sent(text) for tag in _LANGUAGES)):
        check_line(line)
        require(not re.search(r"://\w", line), f"what mail clients make a link of: {line!r}")
    replaced = text.count("\ufffd").bit_length()
    return {
        (charset, replaced),
        ("html", from_html(text).count("\n").bit_length()),
        ("length", len(text).bit_length()),
    }


class _Choices:
    """Octets, taken for choices one after the other; when they are used up, always the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        self._at += 1
        return self._data[self._at - 1] % count if self._at <= len(self._data) else 0

    def octets(self) -> bytes:
        length = self.below(256) * self.below(8)
        self._at += length
        return self._data[self._at - length : self._at]


_WORDS = ("plan.pdf", "a b", "größe.txt", "日本.png", "x" * 100, "a;b=c", "q\"'e")


def check_benign(data: bytes) -> set[Hashable]:
    """Have the email package write a message, and hold us to reading in it what the email package reads."""
    choices = _Choices(data)
    policy = (email.policy.SMTP, email.policy.default, email.policy.SMTP.clone(max_line_length=998))[
        choices.below(3)
    ]
    message = _written(choices, policy, depth=0)
    message["Subject"] = " ".join(_WORDS[choices.below(len(_WORDS))] for _ in range(choices.below(20)))
    octets = message.as_bytes()
    parsed = email.message_from_bytes(octets, policy=policy)
    subject = header_summary(parse_header_block(octets)).subject
    require(subject == parsed["Subject"], f"{parsed['Subject']!r} became {subject!r}")
    with on_disk(octets) as fd:
        root = outline(fd, len(octets))
        ours, theirs = list(_leaves(root)), list(_their_leaves(parsed))
        types = [it.content_type for it in ours]
        require(types == [it.get_content_type() for it in theirs], f"the parts became {types}")
        for part, leaf in zip(ours, theirs, strict=True):
            require(part.name == (leaf.get_filename() or ""), f"{leaf.get_filename()!r} became {part.name!r}")
            payload = leaf.get_payload(decode=True)
            if isinstance(payload, bytes):  # None: a message of its own
                require(b"".join(decoded_chunks(fd, part)) == payload, f"{payload!r} became something else")
        return set(_features(root))


def _written(choices: _Choices, policy: "email.policy.EmailPolicy[Any]", depth: int) -> EmailMessage:
    message = EmailMessage(policy)
    if depth < 5 and choices.below(3):
        subtype = ("mixed", "alternative", "related", "digest")[choices.below(4)]
        message["Content-Type"] = f"multipart/{subtype}"
        message.set_payload([_written(choices, policy, depth + 1) for _ in range(1 + choices.below(4))])
        if choices.below(2):
            message.preamble = "A preamble.\n"
        return message
    name: dict[str, Any] = {"filename": _WORDS[choices.below(len(_WORDS))]} if choices.below(2) else {}
    cte = ("base64", "quoted-printable", "8bit")[choices.below(3)]
    octets = choices.octets()
    if choices.below(2):
        text = "".join(it for it in decode(octets) if it.isprintable() or it == "\n")
        message.set_content(text, subtype=("plain", "html")[choices.below(2)], cte=cte, **name)
    else:
        message.set_content(octets, "image", "png", cte=cte if cte != "8bit" else "base64", **name)
    return message


def _leaves(part: Part) -> Iterator[Part]:
    if not part.is_multipart:
        yield part
    for child in part.children:
        yield from _leaves(child)


def _their_leaves(message: Message) -> Iterator[Message]:
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for child in message.get_payload():
            assert isinstance(child, Message)
            yield from _their_leaves(child)
    else:
        yield message
