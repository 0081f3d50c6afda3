"""`woomera archive`: moves messages to S3, each with its envelope, and removes what S3 has verified.

The key is made of host, time and digest, so a message that is sent once more, since a run was killed
before it removed the copy, lands on itself.
"""

import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from woomera_milter import log
from woomera_milter.archive import journal
from woomera_milter.archive.spool import ArchiveSpool, CopyError
from woomera_milter.clock import Deadline
from woomera_milter.errors import DamagedError, PermanentError, Reason, WoomeraError
from woomera_milter.message.wire import WireMessage
from woomera_milter.store.documents import CopyRecord, written
from woomera_milter.store.keys import copy_key, record_key
from woomera_milter.store.objects import Store

CONCURRENT = 8
STORE_TIMEOUT_S = 900.0
"""For one message: 150 MB at 170 KB/s."""

# After so many failures of S3 without a success it is down: a long backlog would only be failed one by one.
_FAILURES_IN_A_ROW = 2 * CONCURRENT

Pending = dict[Future[tuple[str, int]], str]
"""What is in hand, each with its name; the results are keys and sizes."""


class Shipment(Protocol):
    """A message that is to be in S3."""

    @property
    def name(self) -> str:
        """By which people find it on this host."""

    def record(self) -> CopyRecord:
        """Return what is stored beside it; its `archived_at` is a time. Raise CopyError."""

    def open(self) -> AbstractContextManager[WireMessage]:
        """Open the message and hash it; raise CopyError or OSError."""

    def remove(self) -> None:
        """S3 has it: remove what was only kept for that."""


class ShippingObserver(Protocol):
    """Tells a person who waits how much is stored."""

    def expect(self, total_bytes: int) -> None:
        """So much is to be stored."""

    def done(self, size_bytes: int) -> None:
        """So much more is."""


@dataclass(slots=True)
class Result:
    """What became of the messages. `not_tried`: those left alone, since S3 takes nothing."""

    count: int = 0
    size_bytes: int = 0
    keys: list[str] = field(default_factory=list)
    """Those of a dry run."""
    failed: list[tuple[str, WoomeraError]] = field(default_factory=list)
    not_tried: int = 0
    is_hopeless: bool = False
    """Whether further messages would fail, too."""
    _failures_in_a_row: int = 0

    def add(self, size_bytes: int) -> None:
        """Count a message that is in S3."""
        self.count += 1
        self.size_bytes += size_bytes
        self._failures_in_a_row = 0

    def add_failure(self, name: str, error: WoomeraError) -> None:
        """Note a message that is not."""
        log.not_archived(name, error.reason, str(error))
        self.failed.append((name, error))
        if not isinstance(error, CopyError | DamagedError):
            self._failures_in_a_row += 1
            if isinstance(error, PermanentError) or self._failures_in_a_row >= _FAILURES_IN_A_ROW:
                self.is_hopeless = True

    @property
    def exit_status(self) -> int:
        """0 all done, 1 done in part, else 78 where an error needs a person, 75 where all may pass."""
        if not self.failed:
            return 0
        return 1 if self.count else max(error.exit_status for _, error in self.failed)


class Shipper:
    """Stores messages below `prefix`, several at a time; `store` None: reads and hashes only (a dry run)."""

    def __init__(self, store: Store | None, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def move(self, spool: ArchiveSpool, observer: ShippingObserver) -> Result:
        """Store the spool's copies, and put where `woomera report` finds it what became of them.

        Raise TemporaryError where another run is at work. A dry run leaves the spool as it is.
        """
        with contextlib.ExitStack() as stack:
            if self._store is not None:
                stack.enter_context(spool.locked())
                spool.remove_orphans()
            copies = spool.copies()
            observer.expect(sum(copy.size_bytes for copy in copies))
            result = self.run(copies, observer.done)
            if self._store is not None:
                journal.tell_report(self._store, spool)
        return result

    def run(self, shipments: Iterable[Shipment], done: Callable[[int], None]) -> Result:
        """Store all of them; call `done` with the octets of each that is stored.

        However many there are, few are in hand at once.
        """
        result = Result()
        pending: Pending = {}
        with ThreadPoolExecutor(CONCURRENT, thread_name_prefix="archive") as workers:
            for shipment in shipments:
                if result.is_hopeless:
                    result.not_tried += 1
                    continue
                pending[workers.submit(self._ship, shipment)] = shipment.name
                if len(pending) >= 2 * CONCURRENT:
                    self._collect(pending, result, done)
            while pending:
                self._collect(pending, result, done)
        return result

    def _collect(self, pending: "Pending", result: Result, done: Callable[[int], None]) -> None:
        """Wait until at least one is done, and take what came of it."""
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            name = pending.pop(future)
            try:
                key, size_bytes = future.result()
            except WoomeraError as error:
                result.add_failure(name, error)
                continue
            result.add(size_bytes)
            if self._store is None:
                result.keys.append(key)
            done(size_bytes)

    def _ship(self, shipment: Shipment) -> tuple[str, int]:
        try:
            record = shipment.record()
            with shipment.open() as message:
                key = copy_key(
                    self._prefix, record.host, datetime.fromisoformat(record.archived_at), message.sha256
                )
                if self._store is not None:
                    deadline = Deadline(STORE_TIMEOUT_S, "the 15 minutes that one message may take")
                    self._store.put_json(record_key(key), written(record), deadline)
                    self._store.put(key, message, "message/rfc822", deadline, datetime.now(UTC))
                    log.archived(shipment.name, key, size_bytes=message.size_bytes)
            if self._store is not None:
                shipment.remove()
        except OSError as error:
            raise CopyError(
                f"{shipment.name} cannot be read or removed ({error.strerror})",
                remedy="see that it is still there, and that its owner runs this command",
                reason=Reason.READ,
            ) from error
        return key, message.size_bytes
