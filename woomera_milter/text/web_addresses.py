"""Web addresses in plain text can be followed.

Ours and not linkify-it-py 2.2: of 64 KB of `http://a/(` it makes four seconds, and eighteen of 128 KB, and
it takes angle quotation marks of East Asia into an address, and does not see one before a wide bracket.
"""

import html
import re

_BEGIN = re.compile(r"(?:https?://|(?<![\w@./-])www\.)(?=[\w\[])[^\s/?#<>\"]", re.IGNORECASE)
# Scripts that are written without blanks: what follows an address is often the next word of the sentence.
_UNSPACED = "\u0e00-\u0eff\u1100-\u11ff\u2e80-\u2fff\u3040-\u30fa\u30fc-\u9fff\ua960-\ua97f\uac00-\ud7ff"
_UNSPACED += "\uf900-\ufaff\U00020000-\U0003ffff"
_CLOSING = {")": "(", "]": "[", "}": "{"}
_TURN = re.compile(
    rf"""(?P<bracket>[()\[\]{{}}])
    | [\s<>"`\\\x00-\x1f\u200b\u2014\u2018-\u201f\u2039\u203a\xab\xbb]
    | [\u3000-\u303f\u30fb\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef]  # punctuation of East Asia, and wide forms
    | (?<![/=&?\#.%:@{_UNSPACED}])[{_UNSPACED}]
    | \Z""",
    re.VERBOSE,
)
# After the host alone such a word is the sentence's; further down it may be a page's title.
_HOST_AND_WORD = re.compile(rf"[^\s/]{{0,255}}/(?=[{_UNSPACED}])")
_TRAILING = ".,;:!?'([{*\u2013\u2026\u060c\u061b\u061f\u06d4\u0964"
_MARKS = "_~|"  # around an address they are emphasis or a table, at its end they may be its own


def linked(text: str) -> str:
    """`text` as HTML, all of it escaped, in which http and https addresses are links."""
    pieces: list[str] = []
    position = 0
    while begin := _BEGIN.search(text, position):
        end = _end(text, begin.start(), begin.end())
        address = html.escape(text[begin.start() : end])
        target = address if begin[0][:4].lower() == "http" else f"http://{address}"
        pieces.append(html.escape(text[position : begin.start()]))
        pieces.append(f'<a href="{target}" rel="noopener noreferrer nofollow">{address}</a>')
        position = end
    return "".join([*pieces, html.escape(text[position:])])


def _end(text: str, start: int, position: int) -> int:
    """Where the address ends that begins at `start`; what was looked at beyond it is punctuation alone."""
    if host := _HOST_AND_WORD.match(text, position):
        return host.end()
    open_brackets = ["["] if text[position - 1] == "[" else []  # an IPv6 address
    end = len(text)
    for turn in _TURN.finditer(text, position):
        bracket = turn["bracket"]
        if bracket in _CLOSING:
            if not open_brackets or open_brackets.pop() != _CLOSING[bracket]:
                end = turn.start()
                break
        elif bracket:
            open_brackets.append(bracket)
        else:
            end = turn.start()
            break
    mark = text[start - 1 : start]
    trailing = _TRAILING + (mark if mark and mark in _MARKS else "")
    return max(position, position + len(text[position:end].rstrip(trailing)))
