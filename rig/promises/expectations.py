"""A message that reached its recipients, held against what a sample says is right of it.

tests/samples/README.md tells the form of a sample's .json. It shares no code with the program.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from rig.promises.delivered import Delivered
from rig.promises.leaves import lost
from rig.promises.phrases import any_of, in_order, is_whole, line_of, words

_ENCRYPTED = ("encrypted", "smime")


@dataclass(frozen=True, slots=True)
class Sample:
    """A message in wire form, and what is right of it."""

    name: str
    octets: bytes = field(repr=False)
    expected: Mapping[str, Any] = field(repr=False)


def samples(folder: Path) -> list[Sample]:
    """Return what is in a folder, in the order of the names."""
    return [
        Sample(
            it.stem,
            re.sub(rb"\r?\n", b"\r\n", it.with_suffix(".eml").read_bytes()),
            json.loads(it.read_text(encoding="utf-8")),
        )
        for it in sorted(folder.glob("*.json"))
    ]


def faults(sample: Sample, delivered: Delivered) -> list[str]:
    """Return what is wrong of what was delivered, a sentence each."""
    checks = (_subject, _phrases, _lines, _links, _attachments, _pictures, _protection, _told, _complete)
    return [fault for check in checks for fault in check(sample, delivered)]


def _subject(sample: Sample, delivered: Delivered) -> Iterator[str]:
    if (phrase := sample.expected.get("subject")) is None:
        return
    field_of = partial(_field, name="subject")
    sent, own = field_of(sample.octets), field_of(delivered.notice.octets)
    texts = {"the sidecar": delivered.sidecar["subject"], "the page": "\n".join(delivered.shown_page.lines)}
    if own != sent:
        texts["the notice's own header field"] = _decoded(own)
    if delivered.page is None:
        del texts["the page"]
    for where, text in texts.items():
        if not any_of(phrase, text):
            yield f"the Subject {phrase!r} is not in {where}" + (f": {text!r}" if len(text) < 100 else "")


def _field(octets: bytes, name: str) -> bytes:
    found = re.search(
        rb"^" + name.encode() + rb":((?:.*\r\n)(?:[ \t].*\r\n)*)", octets, re.IGNORECASE | re.MULTILINE
    )
    return b" ".join(found[1].split()) if found else b""


def _decoded(value: bytes) -> str:
    try:
        return str(make_header(decode_header(value.decode("ascii"))))
    except (LookupError, ValueError):
        return value.decode("latin-1")


def _phrases(sample: Sample, delivered: Delivered) -> Iterator[str]:
    expected, texts = sample.expected, delivered.texts
    for where, text in texts.items():
        yield from in_order(expected.get("text", []), text, where)
        yield from _absent(expected.get("text_not", []), text, where)
    page = words("\n".join(delivered.shown_page.lines))
    notice = words("\n".join(delivered.notice_lines))
    yield from in_order(expected.get("page", []), page, "the page")
    yield from _absent(expected.get("page_not", []), page, "the page")
    yield from in_order(expected.get("notice", []), notice, "the notice")
    yield from _absent(expected.get("notice_not", []), notice, "the notice")


def _absent(phrases: Sequence[Any], text: str, where: str) -> Iterator[str]:
    return (f"{where} shows {it!r}" for it in phrases if any_of(it, text))


def _lines(sample: Sample, delivered: Delivered) -> Iterator[str]:
    for key, where, lines in (
        ("page_lines", "the page", delivered.shown_page.lines),
        ("notice_lines", "the notice", delivered.notice_lines),
    ):
        there = set(map(line_of, lines))
        yield from (
            f"{where} has no line {it!r}" for it in sample.expected.get(key, []) if line_of(it) not in there
        )


def _links(sample: Sample, delivered: Delivered) -> Iterator[str]:
    if (expected := sample.expected.get("page_links")) is None:
        return
    links = {it for it in delivered.shown_page.links if re.match("https?:", it, re.IGNORECASE)}
    outside = {it for it in links if not delivered.is_ours(it)}
    yield from (f"the page has no link to {it}" for it in sorted(set(expected) - outside))
    yield from (f"the page links to {it}" for it in sorted(outside - set(expected)))


def _attachments(sample: Sample, delivered: Delivered) -> Iterator[str]:
    if (expected := sample.expected.get("attachments")) is None:
        return
    left = list(delivered.sidecar["attachments"])
    for wanted in expected:
        named = [it for it in left if is_whole(wanted["name"], it["name"])]
        if not named:
            yield f"no attachment {wanted['name']!r} among {[it['name'] for it in left]}"
            continue
        by_faults = sorted(
            ((list(_attachment(wanted, it, delivered)), it) for it in named), key=lambda it: len(it[0])
        )
        yield from by_faults[0][0]
        left.remove(by_faults[0][1])
    if left and not sample.expected.get("attachments_at_least"):
        yield f"there are attachments too many: {[it['name'] for it in left]}"


def _attachment(wanted: Mapping[str, Any], listed: Mapping[str, Any], delivered: Delivered) -> Iterator[str]:
    name = listed["name"]
    about = delivered.about(listed)
    if "told" in wanted and not _found(wanted["told"], about):
        yield f"{name}: {wanted['told']!r} is not told, but {about!r}"
    if "told_not" in wanted and _found(wanted["told_not"], about):
        yield f"{name}: is told to be {about!r}"
    if not set(wanted) & {"size", "sha256", "saved_as", "type", "type_not"}:
        return
    links = delivered.links_to(listed["key"]) if listed["key"] else []
    if not links:
        yield f"{name}: has no link"
        return
    got = delivered.download(links[0])
    size = wanted.get("size", len(got.octets))
    if not size == len(got.octets) == listed["size_bytes"]:
        yield f"{name}: has {len(got.octets)} octets, {listed['size_bytes']} by the sidecar, not {size}"
    elif wanted.get("sha256", "") not in ("", hashlib.sha256(got.octets).hexdigest()):
        yield f"{name}: has other octets"
    if "saved_as" in wanted and not is_whole(wanted["saved_as"], got.saved_as):
        yield f"{name}: is saved as {got.saved_as!r}, not {wanted['saved_as']!r}"
    if "type" in wanted and not _found(wanted["type"], got.content_type):
        yield f"{name}: is served as {got.content_type}"
    if "type_not" in wanted and _found(wanted["type_not"], got.content_type):
        yield f"{name}: is served as {got.content_type}"


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None


def _pictures(sample: Sample, delivered: Delivered) -> Iterator[str]:
    if (expected := sample.expected.get("pictures")) is None:
        return
    for phrase in expected:
        loaded = [unquote(urlsplit(it).path) for it in delivered.shown_page.pictures]
        keyed = [it for it in delivered.sidecar["attachments"] if it["key"]]
        names = [it["name"] for it in keyed if any(path.endswith(f"/{it['key']}") for path in loaded)]
        if not any(is_whole(phrase, it) for it in names):
            yield f"{phrase!r} is not among the pictures of the page, {names}"


def _protection(sample: Sample, delivered: Delivered) -> Iterator[str]:
    protection = delivered.sidecar["protection"]
    if "protection" in sample.expected:
        expected = sample.expected["protection"]
        allowed = expected if isinstance(expected, list) else [expected]
        if protection not in allowed:
            yield f"protection is {protection}, not {expected}"
    if (delivered.page is None) != (protection in _ENCRYPTED):
        yield "there is no page" if delivered.page is None else "an encrypted message has a page"


def _told(sample: Sample, delivered: Delivered) -> Iterator[str]:
    texts = delivered.texts.values()
    for pattern in sample.expected.get("says", []):
        if not any(_found(pattern, it) for it in texts):
            yield f"nothing says {pattern!r}"
    for pattern in sample.expected.get("says_not", []):
        yield from (
            f"{where} says {pattern!r}" for where, it in delivered.texts.items() if _found(pattern, it)
        )


def _complete(sample: Sample, delivered: Delivered) -> Iterator[str]:
    if delivered.page is None:
        return
    sizes = [it["size_bytes"] for it in delivered.sidecar["attachments"]]
    yield from lost(sample.octets, sizes, words("\n".join(delivered.shown_page.lines)))
