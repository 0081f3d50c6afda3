"""Objects in the bucket: what is put there and read back, and the one way to them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, Any, Protocol

from woomera_milter.clock import Deadline
from woomera_milter.errors import DamagedError
from woomera_milter.store import documents
from woomera_milter.store.answers import ListingPage

PAGE_SIZE = 1000
"""S3's own."""


class Content(Protocol):
    """What is stored: octets of which length and digests are known, and that can be read more than once."""

    @property
    def size_bytes(self) -> int:
        """How many octets there are."""

    @property
    def sha256(self) -> bytes:
        """Their SHA-256 digest (32 octets)."""

    def md5(self) -> bytes:
        """Return their MD5 digest (16 octets), for Content-MD5."""

    def open(self, deadline: Deadline) -> IO[bytes]:
        """Return a stream of them; reading raises DeadlineError once the deadline has passed."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that the server has verified; S3 may delete it at `ends_at`, not before."""

    key: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document as it was read.

    Its age, and when it was written, are told by the server's clock alone, in whole seconds; None where the
    server does not tell it. So is its ETag, "" where there is none.
    """

    value: Any
    etag: str
    age: timedelta | None
    modified_at: datetime | None = None


class Store(Protocol):
    """The bucket, as all other rooms see it. Safe to use from many threads at once.

    Methods raise TemporaryError (S3 down, slow, throttling), PermanentError (no such bucket, wrong
    keys, missing rights) or DeadlineError, each with the remedy.
    """

    def put(
        self,
        key: str,
        content: Content | bytes,
        content_type: str,
        deadline: Deadline,
        now: datetime,
        *,
        file_name: str | None = None,
        with_md5: bool = True,
    ) -> StoredObject:
        """Store an object, and have the server verify it.

        With a file name browsers save it under that, and of types only harmless ones are kept; else they may
        show it. SHA-256 alone vouches for what is stored without MD5, which older servers look at, and which
        takes twice as long again.
        """

    def put_json(self, key: str, value: object, deadline: Deadline | None = None) -> None:
        """Store a JSON document. Without a deadline, as in conditional writes, S3's timeouts end it."""

    def create_json(self, key: str, value: object) -> str | None:
        """Store a JSON document where there is none yet; return its ETag, None where there is one already.

        A write of ours whose first answer was lost, and that was sent again, is known by what it says.
        """

    def replace_json(self, key: str, value: object, etag: str) -> str | None:
        """Store a JSON document in place of the one with `etag`; return its ETag, None if that has gone."""

    def get_json(self, key: str) -> Document | None:
        """Return the JSON document under `key`, None where there is none (DamagedError: it is not JSON)."""

    def read(self, key: str, deadline: Deadline) -> Iterator[bytes]:
        """Yield the object's octets in chunks."""

    def ends_at(self, key: str) -> datetime:
        """Return when the lifecycle may delete a stored object; raise PermanentError where it has gone."""

    def pages(self, prefix: str, delimiter: str = "", page_size: int = PAGE_SIZE) -> Iterator[ListingPage]:
        """Yield what begins with `prefix` (itself below storage.prefix), in the order of the keys."""

    def name_of(self, key: str) -> str:
        """Return the URL by which people and tools name the object, an attachment's without its file name."""


def json_of(octets: bytes, attempted: str) -> Any:
    """Return what a document says, None where it is empty; raise DamagedError where it is not JSON."""
    try:
        return documents.parsed(octets)
    except ValueError as error:
        raise DamagedError(f"{attempted}: it is not JSON") from error
