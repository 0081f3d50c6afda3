"""Stored messages as their sidecars tell of them, newest first; the messages themselves are not read.

One message counts once, however often its client had to try: who hears 451, or loses the connection, sends
the same octets again to the same recipients, and each attempt may have been stored.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from woomera_milter.errors import DamagedError, PermanentError, Reason
from woomera_milter.store.documents import Sidecar, validated
from woomera_milter.store.keys import MESSAGES, is_sidecar_key, message_beside, messages_of, sidecar_below
from woomera_milter.store.objects import Store
from woomera_milter.text.address_forms import is_part_of
from woomera_milter.workers import in_parallel

_AT_ONCE = 8
_WITHIN = timedelta(days=1)
"""Clients try again within minutes at first (RFC 5321 section 4.5.4.1)."""
_DATE_DEPTH = 3  # messages/YYYY/MM/DD/


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A stored message, as its sidecar tells of it; `key` is the sidecar's, below storage.prefix."""

    key: str
    sidecar: Sidecar
    etag: str

    @property
    def message_key(self) -> str:
        """The key of the message."""
        return message_beside(self.key)

    def matches(self, sender: str, recipient: str) -> bool:
        """Tell whether sender and recipient contain these texts, in whatever form; "" matches all."""
        senders = f"{self.sidecar.envelope_sender} {self.sidecar.header_from}"
        recipients = " ".join(self.sidecar.recipients)
        return is_part_of(sender, senders) and is_part_of(recipient, recipients)


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


def newest_first(
    store: Store, since: datetime | None, tell_damaged: Callable[[DamagedError], object]
) -> Iterator[StoredMessage]:
    """Yield the sidecars of messages received at or after `since`; tell of those that cannot be read."""
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        for day in _days(store):
            if since and day < messages_of(since):
                return
            keys = [it.key for page in store.pages(day) for it in page.objects if is_sidecar_key(it.key)]
            of_day: list[StoredMessage] = []
            for found in in_parallel(workers, lambda key: _read_or_damage(store, key), keys, 4 * _AT_ONCE):
                if isinstance(found, DamagedError):
                    tell_damaged(found)
                elif found and (since is None or found.sidecar.received_at >= since):
                    of_day.append(found)
            yield from sorted(of_day, key=lambda it: it.sidecar.received_at, reverse=True)


def each_once(newest_first: Iterable[StoredMessage]) -> Iterator[StoredMessage]:
    """Of the attempts at a message yield the newest that was announced, else the newest.

    Whether a milter noticed that its MTA had hung up is a matter of luck, so an attempt that failed may be
    newer than one that counts as announced: it waits for the attempts of the days before.
    """
    attempts, announced = Attempts(), Attempts()
    waiting: deque[StoredMessage] = deque()
    for stored in newest_first:
        message, received_at = message_of(stored.sidecar), stored.sidecar.received_at
        is_known = attempts.saw(message, received_at)
        is_first_announced = stored.sidecar.announced and not announced.saw(message, received_at)
        if is_known and is_first_announced:
            waiting = deque(it for it in waiting if message_of(it.sidecar) != message)
        if is_first_announced or not is_known:
            waiting.append(stored)
        while waiting and (waiting[0].sidecar.announced or _is_apart(waiting[0], stored)):
            yield waiting.popleft()
    yield from waiting


def _is_apart(newer: StoredMessage, older: StoredMessage) -> bool:
    """Whether they are so far apart that all attempts at the newer one have been seen."""
    return newer.sidecar.received_at - older.sidecar.received_at > 2 * _WITHIN


def find(store: Store, message_id: str) -> StoredMessage:
    """Return the sidecar of the message with this id. Raise PermanentError where there is none."""
    found: StoredMessage | None = None
    if message_id and "/" not in message_id:
        with ThreadPoolExecutor(_AT_ONCE) as workers:
            keys = (sidecar_below(day, message_id) for day in _days(store))
            sidecars = in_parallel(workers, lambda key: read(store, key), keys, 2 * _AT_ONCE)
            found = next((it for it in sidecars if it), None)
    if found is None:
        raise PermanentError(
            f"no stored message has the id {message_id!r}",
            remedy="`woomera list` shows those there are; the lifecycle may have deleted it",
            reason=Reason.ID,
        )
    return found


def _days(store: Store) -> Iterator[str]:
    """Yield the folders of days, newest first."""

    def below(prefix: str, depth: int) -> Iterator[str]:
        if depth == _DATE_DEPTH:
            yield prefix
            return
        folders = [folder for page in store.pages(prefix, "/") for folder in page.folders]
        for folder in sorted(folders, reverse=True):
            yield from below(folder, depth + 1)

    yield from below(MESSAGES, 0)


def read(store: Store, key: str) -> StoredMessage | None:
    """Return the message of the sidecar under `key`, None where it has gone; raise DamagedError."""
    found = store.get_json(key)
    if found is None:
        return None
    return StoredMessage(key, validated(Sidecar, found.value, store.name_of(key)), found.etag)


def _read_or_damage(store: Store, key: str) -> StoredMessage | DamagedError | None:
    try:
        return read(store, key)
    except DamagedError as error:
        return error
