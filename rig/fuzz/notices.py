"""The notice that takes a message's place: true to its form, and nobody's tool."""

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from functools import cache

from rig.fuzz.headers import ID, applied
from rig.fuzz.mail import on_disk
from rig.mail.attachments import attachments
from rig.promises.notices import check_kept_headers, check_markup, read_notice, require
from woomera_milter import config
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.encoding import MAX_NAME_OCTETS, wire
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.mime.body import body_text
from woomera_milter.message.mime.protection import protection_of
from woomera_milter.message.mime.tree import outline
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.notice import Composer
from woomera_milter.notice.original import Linked, Links, Original

PAGE_LINK = "https://bucket.example.com/index.html?X=1&Y=2"
MESSAGE_LINK = "https://bucket.example.com/message.eml?X=1&Y=2"
FILE_LINK = "https://bucket.example.com/1/logo.png?a=1&b=2"
EXPIRES_AT = datetime(2026, 12, 1, 5, 24, tzinfo=UTC)
_LIMIT_BYTES = 10 * 1024 * 1024
_ROOMY_BYTES = 16 * 1024  # of header fields: of more, made ASCII, some may have to go for want of room


@cache
def configuration() -> config.Config:
    """Return one with which links can be signed."""
    keys = {"access_key_id": "AKIAFUZZ000000000000", "secret_access_key": "s" * 40}
    storage = {"bucket": "large-mail", "region": "us-east-1"} | keys
    return config.validate({"storage": storage}, "config.yaml")


@cache
def composer() -> Composer:
    """Return one for all."""
    return Composer(configuration().notice)


def check_notice(data: bytes) -> set[Hashable]:
    """Hold the notice that takes a message's place to its form, and to being the sender's message's alone."""
    headers = [it for it in parse_header_block(data) if it.name.lower() not in ("bcc", "resent-bcc")]
    facts = header_summary(headers)
    with on_disk(data) as fd:
        root = outline(fd, len(data))
        text = body_text(fd, root, 32 * 1024)
        files = attachments(fd, root)
        protected = protection_of(root, text.text)
    original = Original(
        id=ID,
        envelope_sender="",
        headers=facts,
        size_bytes=len(data),
        limit_bytes=_LIMIT_BYTES,
        attachments=[Linked(it, link=FILE_LINK if number % 2 else None) for number, it in enumerate(files)],
        text=text,
        protection=protected,
    )
    edits = HeaderEdits(headers, "")
    links = Links(MESSAGE_LINK, PAGE_LINK)
    notice = composer().compose(original, links, EXPIRES_AT, edits.relayed_bytes)
    section = b"".join(map(wire, applied(headers, edits.changes(notice, ID))))
    read = read_notice(section + b"\r\n" + notice.body)
    require(read.id == ID, f"the notice's id is {read.id}")
    require(read.links_end_at == EXPIRES_AT, "the notice tells another end of the links")
    check_links(read.text, [PAGE_LINK, MESSAGE_LINK, FILE_LINK])
    check_markup(read, {PAGE_LINK, MESSAGE_LINK, FILE_LINK})
    fields = b"".join(wire(it) for it in headers if len(it.name) <= MAX_NAME_OCTETS)
    if len(fields) < _ROOMY_BYTES:
        check_kept_headers(fields + b"\r\n", read)
    return {
        ("files", len(files).bit_length(), protected),
        ("text", len(text.text).bit_length(), text.truncated),
        ("size", len(section).bit_length(), len(notice.body) // 4096),
        ("facts", bool(facts.subject), bool(facts.header_from), bool(facts.date)),
    }


def check_links(text: str, ours: Sequence[str]) -> None:
    """Hold a plain text to links of ours alone, each a whole line, page and message first."""
    lines = [it for it in text.splitlines() if it.lstrip().lower().startswith(("http", "www.", "mailto:"))]
    require(lines[:2] == list(ours[:2]), f"the first links are {lines[:2]}")
    require(set(lines) <= set(ours), f"what is no link of ours stands like one: {set(lines) - set(ours)}")
