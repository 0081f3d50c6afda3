"""The beginning of HTML that is safe, where there is room for no more."""

import re

# As nh3 writes it: each attribute in double quotes, each element closed in its order.
_TAG = re.compile(r'<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)(?: [a-z-]+="[^"]*")*>')
_VOID = frozenset({"br", "hr", "img", "wbr"})
_BROKEN_REFERENCE = re.compile(r"&[^;]{0,31}\Z")


def beginning_of_html(html: str, max_bytes: int) -> tuple[str, bool]:
    """The beginning of safe `html` in at most `max_bytes` of UTF-8, and whether anything was left out.

    It ends between two words, and what is open there is closed.
    """
    if len(html) <= max_bytes and len(html.encode()) <= max_bytes:
        return html, False
    kept: list[str] = []
    open_tags: list[tuple[int, str]] = []  # where in `kept`, and the end tag whose room is set aside
    room = max_bytes
    position = 0
    for tag in _TAG.finditer(html):
        text = html[position : tag.start()]
        position = tag.end()
        size = len(text.encode())
        if size > room:
            kept.append(_words(text, room))
            break
        kept.append(text)
        room -= size
        if tag["end"]:
            kept.append(open_tags.pop()[1])
            continue
        end = "" if tag["name"] in _VOID else f"</{tag['name']}>"
        size = len(tag[0].encode()) + len(end)
        if size > room:
            break
        if end:
            open_tags.append((len(kept), end))
        kept.append(tag[0])
        room -= size
    else:
        kept.append(_words(html[position:], room))
    _drop_empty(kept, open_tags)
    return "".join([*kept, *(end for _, end in reversed(open_tags))]), True


def _drop_empty(kept: list[str], open_tags: list[tuple[int, str]]) -> None:
    """Take off what was opened last and shows nothing."""
    while kept:
        if open_tags and open_tags[-1][0] == len(kept) - 1:
            open_tags.pop()
        elif kept[-1].strip():
            return
        kept.pop()


def _words(text: str, max_bytes: int) -> str:
    """The first words of escaped text; where there is one long word, the beginning of it."""
    beginning = text.encode()[:max_bytes].decode("utf-8", "ignore")
    if beginning == text:
        return text
    end = beginning.rfind(" ")
    if end < len(beginning) / 2:
        return _BROKEN_REFERENCE.sub("", beginning)
    return beginning[:end]
