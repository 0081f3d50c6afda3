"""One form for the ways in which an address is written, so that they can be compared.

A domain beyond ASCII is written in its own script (a U-label) or as `xn--...` (an A-label), and means the
same (RFC 5890 section 2.3.2.1). A local-part means what its host says; no host that people use tells
capitals from small letters, or ways to write the same character from each other (RFC 6532 section 3.1).
"""

import re
import unicodedata

import idna

_A_LABEL = re.compile(r"\bxn--[a-z0-9-]{1,59}", re.ASCII)
_DOMAIN = re.compile(r"[A-Za-z0-9.-]+")
_MAX_LENGTH = 320  # RFC 5321 section 4.5.3.1: a local-part of 64, "@", a domain of 255
_IDEOGRAPHIC_FULL_STOP = "\u3002"  # a dot between labels, as people type it (UTS #46, section 2.3)


def folded(text: str) -> str:
    """`text`, an address or a part of one, in small letters, with each domain in its own script."""
    lowered = unicodedata.normalize("NFKC", text).replace(_IDEOGRAPHIC_FULL_STOP, ".").lower()
    return unicodedata.normalize("NFKC", _A_LABEL.sub(_in_own_script, lowered))


def with_ascii_domain(address: str) -> str | None:
    """`address` with its domain in A-labels; None where that cannot be, or there is none.

    By IDNA 2008 (RFC 5891) after the mapping of UTS #46: the standard library's codec, of 2003, makes
    strasse.de of straße.de, which is another's domain.
    """
    local_part, at, domain = address.rpartition("@")
    if not at or len(address) > _MAX_LENGTH:
        return None
    if domain.isascii():
        return address
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        return None
    # The mapping turns full-width characters into ASCII ones, of which some would change the address.
    return f"{local_part}@{ascii_domain}" if _DOMAIN.fullmatch(ascii_domain) else None


def is_part_of(sought: str, text: str) -> bool:
    """Tell whether `text` contains what is sought, in whatever form either is written."""
    return sought.lower() in text.lower() or folded(sought) in folded(text)


def _in_own_script(label: re.Match[str]) -> str:
    try:
        return idna.ulabel(label[0])
    except UnicodeError:
        return label[0]
