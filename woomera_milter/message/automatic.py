"""Tells mail that a person sent from mail that nobody should write back to (RFC 3834 section 2).

Senders and fields are those that answering programs look at (RFC 5230 section 4.6, of Sieve's vacation).
Values are hostile; nothing here raises on any octets. In doubt nobody is written to.
"""

import re
from collections.abc import Sequence

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import HeaderField

_COMMENT = re.compile(r"\([^()]*\)")
_BULK = frozenset({"list", "bulk", "junk"})
# What Exchange is asked to answer to: nothing at all, or not with what looks like an answer ([MS-OXCMAIL]).
_NO_ANSWER = frozenset({"all", "oof", "autoreply"})
_MARKS = frozenset({"x-autoreply", "x-autorespond", "feedback-id"})
_NOBODY = re.compile(
    r"""owner-.* | .*-(?:owner|request|bounces?)(?:[+=-].*)?   # lists and their bounces, VERP's among them
      | .*-return-[0-9].* | bounces?(?:[+=-].*)?
      | mailer-daemon | listserv | majordomo
      | (?:no|do-?not|dont)[._-]?reply(?:[+=._-].*)?""",
    re.VERBOSE,
)


def is_automatic(envelope_sender: str, headers: Sequence[HeaderField]) -> bool:
    """Tell whether a program sent the message, or a mailing list: nobody reads at its sender's address."""
    local_part = (envelope_sender.rpartition("@")[0] or envelope_sender).lower()
    return not local_part or bool(_NOBODY.fullmatch(local_part)) or any(map(_says_so, headers))


def _says_so(field: HeaderField) -> bool:
    name = field.name.lower()
    if name.startswith("list-") or name in _MARKS:
        return True
    match name:
        case "auto-submitted":  # section 5: a keyword, maybe with parameters, and comments
            return _words(field)[:1] != ["no"]
        case "precedence":
            return not _BULK.isdisjoint(_words(field))
        case "x-auto-response-suppress":
            return not _NO_ANSWER.isdisjoint(_words(field))
        case _:
            return False


def _words(field: HeaderField) -> list[str]:
    return re.findall(r"[\w-]+", _COMMENT.sub(" ", text_of(field.value)).lower())
