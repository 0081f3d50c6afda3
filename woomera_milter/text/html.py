"""HTML as far as it takes time linear in the markup: its tags, and what a person reads between them.

It is read by a tokenizer and not by a tree builder: HTML5's rules for misnested formatting let 30 kB of
markup grow a tree of a gigabyte.
"""

import html
import re

from woomera_milter.text.lines import line_for_people, lines_for_people

# The markup in HTML. What is not closed runs to the end of the text. So every alternative consumes what it
# looked at, and a million unclosed tags cost no more than one.
MARKUP = re.compile(
    r"""<!--.*?(?:-->|\Z)
    | <(?P<unseen>script|style|title)\b.*?(?:</(?P=unseen)\b[^>]*(?:>|\Z)|\Z)
    | <(?P<close>/?)(?P<name>[a-z][a-z0-9]*)
      (?:[^>=]++|=\s*+(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?){0,200}[^>]*+(?:>|\Z)
    | <[!?/][^>]*(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_LINE, _PARAGRAPH = "\x1e", "\x1d"
_MARK_OF = {
    "br": "\n",
    "td": " ",
    "th": " ",
    **dict.fromkeys(
        ["address", "article", "dd", "div", "dt", "footer", "form", "header", "hr", "li", "section", "tr"],
        _LINE,
    ),
    **dict.fromkeys(
        ["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"], _PARAGRAPH
    ),
}
_GAP = re.compile(f"[ \n{_LINE}{_PARAGRAPH}]+")
# int() refuses more than 4,300 digits, and Unicode ends at seven.
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


def from_html(markup: str) -> str:
    """What a person would read of an HTML document: no tags, no links' targets, no scripts or styles."""
    words = re.sub(r"\s+", " ", line_for_people(markup))
    marked = MARKUP.sub(_mark, words)
    return unescaped(_GAP.sub(_gap, marked)).replace("\xa0", " ").strip()


def unescaped(markup: str) -> str:
    """The text that HTML without tags stands for, without characters that hide or reorder."""
    return lines_for_people(html.unescape(_HUGE_REFERENCE.sub("\ufffd", markup)))


def _mark(markup: re.Match[str]) -> str:
    name = (markup["name"] or "").lower()
    mark = _MARK_OF.get(name, "")
    return mark + "- " if name == "li" and not markup["close"] else mark


def _gap(gap: re.Match[str]) -> str:
    marks = gap[0].replace(" ", "")
    if not marks:
        return " "
    if _PARAGRAPH in marks:
        return "\n\n"
    breaks = marks.count("\n")
    # A <br> that ends a line of text is that line's end; the end of the block adds none.
    lines = breaks if marks.startswith("\n") else breaks + 1
    return "\n" * min(lines, 2)
