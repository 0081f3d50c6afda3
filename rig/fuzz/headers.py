"""Header fields: what an MTA makes of them by our changes, whom they name, and what a new notice keeps."""

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from unicodedata import category

import idna

from rig.fuzz.mail import check_line
from rig.mail.messages import CRLF
from rig.promises.notices import require
from rig.servers.ses import SINGLE_FIELDS
from woomera_milter.errors import PermanentError
from woomera_milter.message.addresses import Recipients, address_of, recipients_of
from woomera_milter.message.decoding import header_summary, text_of
from woomera_milter.message.encoding import ADDRESS_FIELDS, wire
from woomera_milter.message.fields import HeaderField, parse_header_block
from woomera_milter.message.parameters import parameters
from woomera_milter.notice import new_message
from woomera_milter.notice.header_edits import HeaderChange, HeaderEdits
from woomera_milter.notice.header_room import MAX_SECTION_BYTES, relayed_bytes
from woomera_milter.notice.notice import Notice
from woomera_milter.text.charsets import decode

_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")
ID = "4AO5OuKt012345-Zk3v9qXw"
NOTICE = Notice(content_type='multipart/alternative; boundary="=_woomera_0123456789abcdef"', body=b"")
OURS = {
    "mime-version": b" 1.0",
    "content-type": b" " + NOTICE.content_type.encode(),
    "content-transfer-encoding": b" 7bit",
    "x-woomera-id": b" " + ID.encode(),
}
_NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def applied(
    headers: Sequence[HeaderField], changes: Sequence[HeaderChange], *, deleted_count: bool = True
) -> list[HeaderField]:
    """Return what an MTA makes of the changes: sendmail counts fields that were deleted, Postfix does not."""
    section: list[tuple[str, bytes | None]] = [(field.name, field.value) for field in headers]
    places = defaultdict[str, list[int]](list)
    for place, field in enumerate(headers):
        places[field.name.lower()].append(place)
    for change in changes:
        known = places[change.name.lower()]
        value = None if change.value is None else change.value.encode("ascii").replace(b"\n", b"\r\n")
        if change.index > len(known):
            if value is not None:
                known.append(len(section))
                section.append((change.name, value))
            continue
        place = known[change.index - 1]
        section[place] = (section[place][0], value)
        if value is None and not deleted_count:
            del known[change.index - 1]
    return [HeaderField(name, value) for name, value in section if value is not None]


def raw_fields(octets: bytes) -> list[tuple[str, bytes]]:
    """Return a header section's fields (wire form), each with all its octets: said anew, line by line."""
    fields: list[tuple[str, bytes]] = []
    for line in re.split(rb"(?<=\n)", octets):
        if not line.endswith(b"\n"):
            break
        if found := _NAME.match(line):
            fields.append((found[1].decode(), line))
        elif fields and line.startswith((b" ", b"\t")):
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        else:
            break
    return fields


def fields_of(raw: Sequence[tuple[str, bytes]]) -> list[HeaderField]:
    """Return them as names and values."""
    return [HeaderField(name, octets.partition(b":")[2].removesuffix(CRLF)) for name, octets in raw]


def in_wire_form(octets: bytes) -> bytes:
    """Return them with CRLF line ends."""
    return re.sub(rb"\r?\n", CRLF, octets)


def without_from_line(octets: bytes) -> bytes:
    """Return a message without the From_ line of an mbox."""
    return re.sub(rb"\A>?From [^\n]*\n", b"", octets)


def check_headers(data: bytes) -> set[Hashable]:
    """Hold any header section to becoming one that SES takes, without a field that is nobody's."""
    headers = parse_header_block(data)
    expected = fields_of(raw_fields(without_from_line(in_wire_form(data + b"\n" * (data[-1:] != b"\n")))))
    require(headers == expected, f"the fields are {headers}, not {expected}")
    for field in headers:
        check_line(text_of(field.value))
        parameters(field.value)
    check_addresses(headers)
    for prefix in "", "[large] ", "[groß] ":
        _check_changes(headers, prefix)
    _check_new_notice(headers)
    facts = header_summary(headers)
    changed = {change.value is None for change in HeaderEdits(headers, "").changes(NOTICE, ID)}
    return {
        ("fields", len(headers).bit_length(), len(data).bit_length()),
        ("facts", bool(facts.subject), bool(facts.header_from), bool(facts.to), frozenset(changed)),
        *((_known(field.name), _kind(field.value)) for field in headers),
    }


def _known(name: str) -> str:
    return name.lower() if name.lower() in SINGLE_FIELDS | ADDRESS_FIELDS else ""


def _kind(value: bytes) -> Hashable:
    return value.isascii(), b"\r\n" in value, b"=?" in value, b'"' in value, len(value).bit_length()


def _check_changes(headers: Sequence[HeaderField], prefix: str) -> None:
    changes = HeaderEdits(headers, prefix).changes(NOTICE, ID)
    section = applied(headers, changes)
    same = applied(headers, changes, deleted_count=False)
    require(section == same, "Postfix would make something else of the changes than sendmail")
    check_section(section)
    names = {field.name.lower() for field in headers}
    surplus = {field.name.lower() for field in section} - names - set(OURS) - {"subject"}
    require(not surplus, f"the notice has fields that nobody wrote: {surplus}")
    kept = [field for field in section if field.name.lower() not in OURS]
    if "subject" in names or not prefix:
        kept_bytes = relayed_bytes(kept, ())
        require(
            HeaderEdits(headers, prefix).relayed_bytes == kept_bytes, f"{kept_bytes} octets of fields remain"
        )
    if relayed_bytes(kept, ()) <= MAX_SECTION_BYTES:  # else it was full before its Subject
        require(
            not HeaderEdits(section, "").changes(NOTICE, ID), "the changes, applied, would be changed again"
        )
    _check_same_addresses(headers, kept)


def check_section(section: Sequence[HeaderField]) -> None:
    """Hold a header section to being one that SES takes, with our fields as they have to be."""
    octets = b"".join(map(wire, section))
    require(octets.isascii(), "a header section is not ASCII")
    lines = octets.removesuffix(b"\r\n").split(b"\r\n")
    require(all(0 < len(line) < 998 for line in lines), "a header line is empty or too long")
    require(not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", octets), "a header has control characters")
    require(
        octets.count(b"\r") == octets.count(b"\n") == octets.count(b"\r\n"), "a header has a bare CR or LF"
    )
    require(len(octets) < MAX_SECTION_BYTES + 2048, f"the header section has {len(octets)} octets")
    names = [field.name.lower() for field in section]
    require(parse_header_block(octets + b"\r\n") == list(section), "a field's value forms another field")
    doubled = sorted(name for name in SINGLE_FIELDS if names.count(name) > 1)
    require(not doubled, f"SES allows these fields once only: {doubled}")
    ours = {field.name.lower(): field.value for field in section if field.name.lower() in OURS}
    require(ours == OURS, f"our own fields are {ours}")
    require(names.count("x-woomera-id") == 1, "not one X-Woomera-Id")


def _check_same_addresses(headers: Sequence[HeaderField], kept: Sequence[HeaderField]) -> None:
    """Hold the address fields of a notice to naming nobody whom the original's, if in order, do not name."""
    before = [_read(field) for field in headers if field.name.lower() in ADDRESS_FIELDS]
    if any(it.unreadable for it in before):
        return
    named = {_in_unicode(address) for it in before for address in it.addresses}
    for field in kept:
        if field.name.lower() in ADDRESS_FIELDS:
            strange = set(map(_in_unicode, _read(field).addresses)) - named
            require(not strange, f"{field.name} of the notice names {strange}, and the original does not")


def _read(field: HeaderField) -> Recipients:
    """Whom it names, control characters counting as spaces, which we make of them."""
    text = "".join(" " if category(it) in ("Cc", "Zl", "Zp") else it for it in decode(field.value))
    return recipients_of([HeaderField("To", text.encode())])


def _in_unicode(address: str) -> str:
    """The address with its domain as people read it: from ASCII by punycode alone, whatever IDNA did."""
    local_part, _, domain = address.rpartition("@")
    try:
        labels = [
            label[4:].encode("ascii").decode("punycode") if label.lower().startswith("xn--") else label
            for label in domain.split(".")
        ]
        return f"{local_part}@{idna.uts46_remap('.'.join(labels))}".lower()
    except UnicodeError:
        return address.lower()


def check_addresses(headers: Sequence[HeaderField]) -> None:
    """Hold recipients to being addresses that cannot break out of an SMTP command."""
    found = recipients_of(headers)
    for text in found.unreadable:
        check_line(text)
    first = [address_of(field.value) for field in headers]
    for address in [*found.addresses, *(it for it in first if it)]:
        local_part, _, domain = address.rpartition("@")
        require(bool(local_part) and bool(domain), f"{address!r} is no address")
        require(address.isprintable() and len(address) <= 320, f"{address!r} is no address")
        outside_quotes = re.sub(r'"(?:[^"\\]|\\.)*"', "", local_part)
        require(not set(outside_quotes) & set(' <>(),;:"\r\n'), f"{address!r} is no address")
        require(not set(domain) & set(' <>(),;"\r\n'), f"{address!r} is no address")


def _check_new_notice(headers: Sequence[HeaderField]) -> None:
    kept = new_message.kept_of(headers)
    for sender in None, "sweep@example.com":
        try:
            heading = new_message.heading(
                kept,
                woomera_id=ID,
                envelope_sender="",
                sender=sender,
                subject_prefix="",
                now=_NOW,
            )
        except PermanentError:
            continue
        counts = Counter(field.name for field in heading.fields)
        require(max(counts.values()) == 1, f"the new notice has fields twice: {counts}")
        author = address_of(dict(heading.fields)["From"])
        require(
            author is not None and _in_unicode(author) == _in_unicode(heading.sender), f"From names {author}"
        )
        expected = {"From", "Date", "Message-ID", "Auto-Submitted", "X-Woomera-Id", "MIME-Version"}
        require(expected <= set(counts), f"the new notice lacks {expected - set(counts)}")
        octets = b"".join(map(wire, heading.fields))
        require(octets.isascii(), "a new notice's header is not ASCII")
        require(parse_header_block(octets) == list(heading.fields), "a value forms a field of its own")
        require(all(len(line) < 998 for line in octets.split(b"\r\n")), "a line is too long")
