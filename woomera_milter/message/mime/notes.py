"""What people need to know of an odd attachment, beside its kind: where it lies, which piece it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first
from woomera_milter.message.mime.tree import Part, fields_of
from woomera_milter.message.parameters import parameters
from woomera_milter.text.lines import line_for_people

_MAX_CHARS = 300
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_NUMBER = re.compile(r"[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence, with `%(name)s` in the places of its values, so that it can be told in other languages."""

    english: str
    values: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.english % self.values


TNEF = Note("winmail.dat of Microsoft Outlook; open the whole message in Outlook, or ask for plain files")
PIECE = "piece %(number)s of a message that was sent in several"
PIECE_OF = "piece %(number)s of %(total)s of a message that was sent in several"
SOME_PIECE = "one piece of a message that was sent in several"
BY_MAIL = "not in this message; it can be asked for by mail from %(server)s"
ELSEWHERE = "not in this message; it lies at %(where)s"
SOMEWHERE = "not in this message"
# RFC 5546 section 1.4, and RFC 6047 section 2.4 for the parameter that names them.
METHODS = {"request": "invitation", "cancel": "cancellation", "reply": "answer to an invitation"}
ALL_NOTES = [
    *(TNEF.english, PIECE, PIECE_OF, SOME_PIECE, BY_MAIL, ELSEWHERE, SOMEWHERE),
    *METHODS.values(),
]
"""What notes say, for the catalogues."""


def note_on(fd: int, part: Part) -> Note | None:
    """The note on a leaf; None for most."""
    if part.content_type in _TNEF_TYPES or part.name.lower() == "winmail.dat":
        return TNEF
    if part.content_type not in ("message/partial", "message/external-body", "text/calendar"):
        return None
    said = {
        name: line_for_people(" ".join(text_of(value).split()))[:_MAX_CHARS]
        for name, value in parameters(first(fields_of(fd, part), "Content-Type") or b"").items()
    }
    if part.content_type == "text/calendar":
        method = METHODS.get(said.get("method", "").lower())
        return Note(method) if method else None
    return _piece(said) if part.content_type == "message/partial" else _place(said)


def _piece(said: dict[str, str]) -> Note:
    """RFC 2046 section 5.2.2: only the last piece has to tell how many there are."""
    number, total = said.get("number", ""), said.get("total", "")
    if not _NUMBER.fullmatch(number):
        return Note(SOME_PIECE)
    if not _NUMBER.fullmatch(total):
        return Note(PIECE, {"number": number})
    return Note(PIECE_OF, {"number": number, "total": total})


def _place(said: dict[str, str]) -> Note:
    """RFC 2046 section 5.2.3, and RFC 2017 for URLs, in which blanks mean nothing."""
    access, server = said.get("access-type", "").lower(), said.get("server", "")
    if access == "mail-server" and server:
        return Note(BY_MAIL, {"server": server})
    directory = said.get("directory", "").strip("/")
    where = "/".join(filter(None, [said.get("site", ""), directory, said.get("name", "")]))
    where = said.get("url", "").replace(" ", "") or where
    if not where:
        return Note(SOMEWHERE)
    by = f" ({access})" if access not in ("", "url") else ""
    return Note(ELSEWHERE, {"where": f"{where[:_MAX_CHARS]}{by}"})
