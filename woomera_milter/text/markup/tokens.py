"""The tokens of HTML: its tags, and what lies between them.

It is read by a tokenizer and not by a tree builder: HTML5's rules for misnested formatting let 30 kB of
markup grow a tree of a gigabyte.
"""

import html
import re
from collections.abc import Iterator
from html.entities import html5

from woomera_milter.text.lines import lines_for_people

# What is not closed runs to the end of the text. So every alternative consumes what it looked at, and a
# million unclosed tags cost no more than one. Comments end where browsers end them (HTML, 13.2.5.43 to 51):
# also with "<!-->", "<!--->" and "--!>"; other declarations, Outlook's "<![if !mso]>" among them, with ">".
# Where browsers would show nothing of all that follows, mail programs do: after an attribute whose quotes
# never close, which can be but the last of its kind, after XHTML's <title/>, and in a <body> after a <style>
# without end.
MARKUP = re.compile(
    r"""<!--(?:-?>|.*?(?:--!?>|\Z))
    | <(?:script|style|title)\s*+/>
    | <(?P<head>style|title)(?=[\s/>])[^>]*(?:>|\Z)
      .*?(?:</(?P=head)(?=[\s/>])[^>]*(?:>|\Z)|(?=</head[\s>]|<body[\s>])|\Z)
    | <(?P<raw>script|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])[^>]*(?:>|\Z)
      (?P<content>.*?)(?:</(?P=raw)(?=[\s/>])[^>]*(?:>|\Z)|\Z)
    | <plaintext\s*+>(?P<rest>.*)
    | <(?P<close>/?)(?P<name>[a-z][^\s/>]*+)
      (?:[^>=]++|=\s*+(?:"[^"]*"|'[^']*')?+){0,200}[^>]*+(?:>|\Z)
    | <[!?/][^>]*(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# The raw elements whose content people see, as it stands there.
SEEN_RAW = frozenset({"textarea", "xmp"})

_ATTRIBUTE = re.compile(
    r"""([^\s=>"'/]++)(?:\s*+=\s*+(?:"([^"]*)"?|'([^']*)'?|([^\s>"']++)))?""", re.IGNORECASE
)
_MAX_ATTRIBUTES_CHARS = 8_192
# Of an attribute: "&copy=1" and "&region=" are parameters in an address (HTML, 13.2.5.73).
_REFERENCE = re.compile(r"&([A-Za-z][A-Za-z0-9]*+)(;?)(=?)")
# int() refuses more than 4,300 digits, and Unicode ends at seven.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


def texts(markup: str) -> Iterator[str]:
    """What stands between the tags, whether it is hidden or not, but for scripts and the like."""
    position = 0
    for tag in MARKUP.finditer(markup):
        if tag.start() > position:
            yield unescaped(markup[position : tag.start()])
        position = tag.end()
        if tag["rest"] or (tag["raw"] or "").lower() in SEEN_RAW:
            yield tag["rest"] or tag["content"]
    yield unescaped(markup[position:])


def attributes_of(tag: str, *, whole: bool = False) -> dict[str, str]:
    """The attributes in the rest of a tag after its name; of one that is absurdly long, the first."""
    found: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(tag, 0, len(tag) if whole else _MAX_ATTRIBUTES_CHARS):
        value = next((value for value in attribute.groups()[1:] if value is not None), "")
        found.setdefault(attribute[1].lower(), unescaped(_REFERENCE.sub(_meant, value)).strip())
    return found


def _meant(reference: re.Match[str]) -> str:
    """A named reference as it is, or its ampersand escaped where it is none."""
    name, semicolon, equals = reference.groups()
    is_one = name + semicolon in html5 and (semicolon or not equals)
    return reference[0] if is_one else f"&amp;{reference[0][1:]}"


def unescaped(markup: str) -> str:
    """The text that HTML without tags stands for, without characters that hide or reorder."""
    if "&" not in markup and markup.isprintable():
        return markup
    return lines_for_people(html.unescape(_HUGE_REFERENCE.sub("\ufffd", markup)))
