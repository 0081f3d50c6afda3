"""What people need to know of an odd attachment, beside its kind: where it lies, which piece it is."""

import re

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import first
from woomera_milter.message.mime.tree import Part, fields_of
from woomera_milter.message.parameters import parameters
from woomera_milter.text.lines import line_for_people

_MAX_CHARS = 300
_TNEF_TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_TNEF = "winmail.dat of Microsoft Outlook; open the whole message in Outlook, or ask for plain files"
# RFC 5546 section 1.4, and RFC 6047 section 2.4 for the parameter that names them.
_METHODS = {"request": "invitation", "cancel": "cancellation", "reply": "answer to an invitation"}
_NUMBER = re.compile(r"[0-9]{1,6}")


def note_on(fd: int, part: Part) -> str:
    """The note on a leaf, on one line; "" for most."""
    if part.content_type in _TNEF_TYPES or part.name.lower() == "winmail.dat":
        return _TNEF
    if part.content_type not in ("message/partial", "message/external-body", "text/calendar"):
        return ""
    said = {
        name: " ".join(text_of(value).split())
        for name, value in parameters(first(fields_of(fd, part), "Content-Type") or b"").items()
    }
    if part.content_type == "text/calendar":
        return _METHODS.get(said.get("method", "").lower(), "")
    note = _piece(said) if part.content_type == "message/partial" else _place(said)
    return line_for_people(note)[:_MAX_CHARS]


def _piece(said: dict[str, str]) -> str:
    """RFC 2046 section 5.2.2: only the last piece has to tell how many there are."""
    number, total = said.get("number", ""), said.get("total", "")
    if not _NUMBER.fullmatch(number):
        return "one piece of a message that was sent in several"
    of = f" of {total}" if _NUMBER.fullmatch(total) else ""
    return f"piece {number}{of} of a message that was sent in several"


def _place(said: dict[str, str]) -> str:
    """RFC 2046 section 5.2.3, and RFC 2017 for URLs, in which blanks mean nothing."""
    access, server = said.get("access-type", "").lower(), said.get("server", "")
    if access == "mail-server" and server:
        return f"not in this message; it can be asked for by mail from {server}"
    directory = said.get("directory", "").strip("/")
    where = "/".join(filter(None, [said.get("site", ""), directory, said.get("name", "")]))
    where = said.get("url", "").replace(" ", "") or where
    by = f" ({access})" if access not in ("", "url") else ""
    return f"not in this message; it lies at {where}{by}" if where else f"not in this message{by}"
