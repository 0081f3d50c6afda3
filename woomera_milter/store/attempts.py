"""Which sidecars tell of attempts at one message: it counts once, however often its client had to try.

A client that hears 451, or loses the connection, sends the same octets again to the same recipients, and each
attempt may have been stored.
"""

import hashlib
from datetime import date, datetime, timedelta

from woomera_milter.store.documents import Sidecar

_WITHIN = timedelta(days=1)
"""Clients try again within minutes at first (RFC 5321 section 4.5.4.1)."""


def message_of(sidecar: Sidecar) -> int | None:
    """Return a number that all attempts at one message have in common.

    None where nothing tells: without a Message-ID (RFC 5322 section 3.6.4) the same octets may be two.
    """
    if not sidecar.sha256 or not sidecar.message_id:
        return None
    names = [sidecar.sha256, sidecar.message_id, sidecar.envelope_sender, *sorted(sidecar.recipients)]
    octets = "\0".join(names).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(octets, digest_size=8).digest(), "big")


class Attempts:
    """Remembers the messages of the days around the last one: eight octets each."""

    def __init__(self) -> None:
        self._messages: dict[date, set[int]] = {}

    def saw(self, message: int | None, received_at: datetime) -> bool:
        """Take a message of `message_of`; tell whether it was there already, within a day."""
        if message is None:
            return False
        day = received_at.date()
        for other in [it for it in self._messages if abs(it - day) > _WITHIN]:
            del self._messages[other]
        is_known = any(message in messages for messages in self._messages.values())
        self._messages.setdefault(day, set()).add(message)
        return is_known
