"""The forms in which a message travels: Source, in hand; then Offloaded, safe in S3, with its Original.

An attachment is Attachment, then Upload, then Linked; notice.original has what notice and page tell of.
"""

from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from woomera_milter import log
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.mime.attachments import Attachment
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice.original import Links, Original
from woomera_milter.store.objects import StoredObject


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came to us, for its sidecar."""

    source: Literal["milter", "sweep"]
    host: str
    queue_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """A message in hand. However much its notice will lack, the log has one line of it."""

    id: str
    queue_id: str
    received_at: datetime
    envelope_sender: str
    message: SpooledMessage
    headers: HeaderSummary
    _lacking: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def lacks(self, what: str, why: str) -> None:
        """Note what the notice could have offered; of the same thing the first reason counts."""
        self._lacking.setdefault(what, why)

    def tell(self) -> None:
        """Say in the log what the notice lacks."""
        if self._lacking:
            why = "; ".join(dict.fromkeys(self._lacking.values()))
            log.degraded(self.queue_id, self.id, ", ".join(self._lacking), why)


@dataclass(frozen=True, slots=True)
class Upload:
    """An attachment while it is being stored, where it is to have a link, and what came of that."""

    attachment: Attachment
    future: "Future[StoredObject] | None" = None
    stored: StoredObject | None = None

    def cancel(self) -> None:
        """Store it no more, unless that has begun."""
        if self.future:
            self.future.cancel()


@dataclass(frozen=True, slots=True)
class Offloaded:
    """A message that is safe in S3, with links that all end at one moment."""

    original: Original
    links: Links
    links_expire_at: datetime
