"""One form for the ways in which an address is written, so that they can be compared.

A domain beyond ASCII is written in its own script (a U-label) or as `xn--...` (an A-label), and means the
same (RFC 5890 section 2.3.2.1). A local-part means what its host says; no host that people use tells
capitals from small letters, or ways to write the same character from each other (RFC 6532 section 3.1).
"""

import re
import unicodedata

import idna

_A_LABEL = re.compile(r"\bxn--[a-z0-9-]{1,59}", re.ASCII)
_IDEOGRAPHIC_FULL_STOP = "\u3002"  # a dot between labels, as people type it (UTS #46, section 2.3)


def folded(text: str) -> str:
    """`text`, an address or a part of one, in small letters, with each domain in its own script."""
    lowered = unicodedata.normalize("NFKC", text).replace(_IDEOGRAPHIC_FULL_STOP, ".").lower()
    return unicodedata.normalize("NFKC", _A_LABEL.sub(_in_own_script, lowered))


def is_part_of(sought: str, text: str) -> bool:
    """Tell whether `text` contains what is sought, in whatever form either is written."""
    return sought.lower() in text.lower() or folded(sought) in folded(text)


def _in_own_script(label: re.Match[str]) -> str:
    try:
        return idna.ulabel(label[0])
    except UnicodeError:
        return label[0]
