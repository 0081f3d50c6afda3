"""Stored messages as their sidecars tell of them, newest first; the messages themselves are not read."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from woomera_milter.errors import DamagedError, PermanentError, Reason
from woomera_milter.store.documents import Moment, shaped
from woomera_milter.store.keys import MESSAGES, is_sidecar_key, message_beside, messages_of, sidecar_below
from woomera_milter.store.objects import Store
from woomera_milter.workers import in_parallel

_AT_ONCE = 8
_DATE_DEPTH = 3  # messages/YYYY/MM/DD/


class _Shape(BaseModel, strict=True):
    """What is relied on of a sidecar; it stays as it is."""

    id: str
    queue_id: str
    received_at: Moment
    envelope_sender: str
    recipients: list[str]
    recipients_refused: Annotated[int, Field(ge=0)] = 0
    header_from: str
    subject: str
    size_bytes: int
    notice_headers: list[Annotated[list[str], Field(min_length=2, max_length=2)]]
    resent: list[Any]


_SHAPE = TypeAdapter(_Shape)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A stored message's sidecar; `key` is its own, below storage.prefix."""

    key: str
    value: dict[str, Any]
    etag: str

    @property
    def message_key(self) -> str:
        """The key of the message."""
        return message_beside(self.key)

    @property
    def received_at(self) -> datetime:
        """When the message came to us."""
        return datetime.fromisoformat(self.value["received_at"])

    @property
    def refused_count(self) -> int:
        """How many recipients a filter refused, of whom nobody knows which; older sidecars never tell."""
        return int(self.value.get("recipients_refused", 0))

    def matches(self, sender: str, recipient: str) -> bool:
        """Tell whether sender and recipient contain these texts, in whatever case; "" matches all."""
        senders = f"{self.value['envelope_sender']} {self.value['header_from']}".lower()
        recipients = " ".join(self.value["recipients"]).lower()
        return sender.lower() in senders and recipient.lower() in recipients


def newest_first(
    store: Store, since: datetime | None, tell_damaged: Callable[[DamagedError], object]
) -> Iterator[Sidecar]:
    """Yield the sidecars of messages received at or after `since`; tell of those that cannot be read."""
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        for day in _days(store):
            if since and day < messages_of(since):
                return
            keys = [it.key for page in store.pages(day) for it in page.objects if is_sidecar_key(it.key)]
            of_day: list[Sidecar] = []
            for sidecar in in_parallel(workers, lambda key: _read_or_damage(store, key), keys, 4 * _AT_ONCE):
                if isinstance(sidecar, DamagedError):
                    tell_damaged(sidecar)
                elif sidecar:
                    of_day.append(sidecar)
            of_day.sort(key=lambda it: it.received_at, reverse=True)
            yield from (it for it in of_day if since is None or it.received_at >= since)


def find(store: Store, message_id: str) -> Sidecar:
    """Return the sidecar of the message with this id. Raise PermanentError where there is none."""
    found: Sidecar | None = None
    if message_id and "/" not in message_id:
        with ThreadPoolExecutor(_AT_ONCE) as workers:
            keys = (sidecar_below(day, message_id) for day in _days(store))
            sidecars = in_parallel(workers, lambda key: _read(store, key), keys, 2 * _AT_ONCE)
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


def _read(store: Store, key: str) -> Sidecar | None:
    found = store.get_json(key)
    if found is None:
        return None
    shaped(_SHAPE, found.value, store.name_of(key))
    return Sidecar(key, found.value, found.etag)


def _read_or_damage(store: Store, key: str) -> Sidecar | DamagedError | None:
    try:
        return _read(store, key)
    except DamagedError as error:
        return error
