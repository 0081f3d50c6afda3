"""All targets: what is tried, with what, and what is held to be true of it."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cache

from rig.fuzz import documents, files, fragments, headers, mail, notices, pages, sweeps
from rig.fuzz.engine import Target
from rig.fuzz.mutation import MAX_BYTES
from rig.mail.kinds import EXACT, INEXACT, REFUSED, of_kind
from rig.mail.messages import message

_OF_MESSAGES: dict[str, Callable[[bytes], Iterable[Hashable]]] = {
    "mime": mail.check_mime,
    "headers": headers.check_headers,
    "notice": notices.check_notice,
    "page": pages.check_letter,
    "sweep": sweeps.check_sweep,
    "archived": files.check_archived,
    "session": files.check_session,
    "measure": files.check_measure,
    "wire": files.check_wire,
    "mbox": files.check_mbox,
}


_HIDDEN = (
    b"Return-Path: <s@example.com>\r\nBcc: hidden@example.org,\r\n hidden@example.net\r\n"
    b"BCC : other@example.org\r\n"
)


@cache
def targets() -> Sequence[Target]:
    """Return them in the order in which they are tried."""
    messages = [it for it in map(of_kind, EXACT | INEXACT | REFUSED) if len(it) <= MAX_BYTES]
    messages.append(message(2000, extra_headers=_HIDDEN))
    pieces = fragments.of_mail()
    return [
        *(Target(name, check, messages, pieces) for name, check in _OF_MESSAGES.items()),
        Target("text", mail.check_text, pieces, pieces),
        Target("benign", mail.check_benign, [b"", bytes(range(256)) * 2], pieces),
        Target("maildir", files.check_maildir, [b"1764000000.M1P1.host,S=1:2,S"], pieces),
        *documents.targets(),
    ]
