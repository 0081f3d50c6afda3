"""The pictures of a letter: of the message, within the markup, or elsewhere."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

_REMOTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
# Pictures without programs in them, which svg is not.
_DATA = re.compile(r"data:image/(png|jpeg|jpg|gif|webp)(?:;[^,;]{0,99})*;base64,", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the message that may be shown in its text; without a link, by its name."""

    link: str | None
    name: str


def picture_of(source: str, pictures: Mapping[str, Picture]) -> Picture | None:
    """The picture that `source` means, by its Content-ID (RFC 2392), Content-Location or name.

    Mailers that lose Content-IDs leave names, which begin most of them: `cid:image001.png@01DB7B6A`.
    """
    scheme, _, rest = source.partition(":")
    references = [source, unquote(source)]
    if scheme.lower() == "cid":
        content_id = unquote(rest).strip("<> ")
        references += [content_id, content_id.partition("@")[0]]
    elif not is_remote(source):
        references.append(re.split(r"[/\\]", unquote(source))[-1])
    return next((pictures[it] for it in references if it and it in pictures), None)


def is_remote(source: str) -> bool:
    """Whether looking at it would tell somebody."""
    return _REMOTE.match(source) is not None


def is_data(source: str) -> bool:
    """Whether the markup itself has, or should have, the octets."""
    return source[:5].lower() == "data:"


def data_picture(source: str) -> str | None:
    """The `data:` URL (RFC 2397) of a picture that browsers show and that can do nothing else."""
    head = _DATA.match(source)
    if head is None:
        return None
    octets = "".join(unquote(source[head.end() :]).split())
    try:
        b64decode(octets, validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = head[1].lower().replace("jpg", "jpeg")
    return f"data:image/{kind};base64,{octets}" if octets else None


def alternative(attributes: Mapping[str, str]) -> str:
    """What stands in the place of a picture that is not shown: its words, or the smiley that it is."""
    words = attributes.get("alt", "")
    if not words and is_data(attributes.get("src", "")):
        words = "picture"
    is_sign = 0 < len(words) <= 8 and not any(it.isascii() or it.isalnum() for it in words)
    return words if is_sign or not words else f"[{words}]"
