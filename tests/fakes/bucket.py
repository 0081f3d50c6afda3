"""A bucket in memory with conditional writes, in which a process can be killed at any of its operations."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from woomera_milter.clock import Deadline
from woomera_milter.store.answers import Listed, ListingPage
from woomera_milter.store.objects import Content, Document, StoredObject, json_of

Operation = tuple[str, str]
"""What is done, and to which key."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@dataclass(slots=True)
class _Object:
    octets: bytes
    modified_at: datetime
    content_type: str

    @property
    def etag(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()


def _in_chunks(octets: bytes) -> Iterator[bytes]:
    return (octets[start : start + 10_000] for start in range(0, len(octets), 10_000))


class MemoryStore:
    """A Store that keeps objects in a dictionary; `advance` moves the server's clock."""

    def __init__(self, chunks: Callable[[bytes], Iterable[bytes]] = _in_chunks) -> None:
        """`chunks` cuts what is read into pieces."""
        self._chunks = chunks
        self.objects: dict[str, _Object] = {}
        self.on_step: Callable[[str, str], object] = lambda _what, _key: None
        """Hears of each operation before it is done; it may raise, or wait."""
        self.ends: dict[str, datetime] = {}
        """When the lifecycle takes objects of these file names, where that is not 30 days from now."""
        self.operations: list[Operation] = []
        self.kill_at: int | None = None
        """The number of the operation that the process does not live to see done."""
        self.now = datetime(2026, 11, 24, 9, tzinfo=UTC)
        self._mutex = threading.RLock()

    def advance(self, span: timedelta) -> None:
        """Let time go by."""
        self.now += span

    def restart(self, kill_at: int | None = None) -> None:
        """Begin to count operations anew, for another process."""
        self.operations.clear()
        self.kill_at = kill_at

    def step(self, what: str, key: str) -> None:
        """Count an operation; raise Killed where it is the last one."""
        with self._mutex:
            self.operations.append((what, key))
            if self.kill_at is not None and len(self.operations) > self.kill_at:
                raise Killed
        self.on_step(what, key)

    def json(self, key: str) -> Any:
        """Return what a document says."""
        return json.loads(self.objects[key].octets)

    def put_octets(self, key: str, octets: bytes, content_type: str = "") -> str:
        """Store an object, as anybody may."""
        with self._mutex:
            self.objects[key] = _Object(octets, self.now, content_type)
            return self.objects[key].etag

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
        """As Store says."""
        self.step("put", key)
        octets = content if isinstance(content, bytes) else content.open(deadline).read()
        assert isinstance(content, bytes) or hashlib.sha256(octets).digest() == content.sha256
        self.put_octets(key, octets, content_type)
        return StoredObject(key, self.ends.get(key.rpartition("/")[2], now + timedelta(days=30)))

    def put_json(self, key: str, value: object, deadline: Deadline | None = None) -> None:
        """As Store says."""
        self.step("put", key)
        self._put_json(key, value)

    def _put_json(self, key: str, value: object) -> str:
        return self.put_octets(key, json.dumps(value, ensure_ascii=False).encode())

    def create_json(self, key: str, value: object) -> str | None:
        """As Store says."""
        self.step("create", key)
        with self._mutex:
            return None if key in self.objects else self._put_json(key, value)

    def replace_json(self, key: str, value: object, etag: str) -> str | None:
        """As Store says."""
        self.step("replace", key)
        with self._mutex:
            present = self.objects.get(key)
            if present is None or present.etag != etag:
                return None
            return self._put_json(key, value)

    def get_json(self, key: str) -> Document | None:
        """As Store says."""
        self.step("get", key)
        with self._mutex:
            present = self.objects.get(key)
            if present is None:
                return None
            value = json_of(present.octets, f"reading {self.name_of(key)}")
            return Document(value, present.etag, self.now - present.modified_at, present.modified_at)

    def read(self, key: str, deadline: Deadline) -> Iterator[bytes]:
        """As Store says."""
        self.step("get", key)
        yield from self._chunks(self.objects[key].octets)

    def ends_at(self, key: str) -> datetime:
        """As Store says."""
        self.step("head", key)
        return self.objects[key].modified_at + timedelta(days=30)

    def pages(self, prefix: str, delimiter: str = "", page_size: int = 1000) -> Iterator[ListingPage]:
        """As Store says, on one page."""
        self.step("list", prefix)
        listed: list[Listed] = []
        folders: dict[str, None] = {}
        for key, present in sorted(self.objects.items()):
            if not key.startswith(prefix):
                continue
            head, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if mark:
                folders[prefix + head + mark] = None
            else:
                listed.append(Listed(key, len(present.octets), present.modified_at, "STANDARD"))
        yield ListingPage(listed, list(folders), more=False, at=self.now)

    def name_of(self, key: str) -> str:
        """As Store says."""
        return f"s3://large-mail/{key}"
