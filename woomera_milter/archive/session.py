"""One message on its way through the archive milter: kept on disk as it leaves, or let go.

Whatever goes wrong, the message passes; what should have been kept and was not raises an alarm.
"""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from woomera_milter import log
from woomera_milter.archive.spool import ArchiveSpool, Draft
from woomera_milter.errors import WoomeraError
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.transaction import Mta, Transaction, Verdict


class ArchiveSession(Transaction):
    """A message of which a copy is kept where it is large enough and bound for the relay."""

    def __init__(
        self,
        min_size_bytes: int,
        spool: ArchiveSpool,
        destinations: Destinations,
        envelope_sender: str,
        *,
        trust_msg_size: bool = True,
    ) -> None:
        super().__init__(envelope_sender)
        self._trust_msg_size = trust_msg_size
        self._min_size_bytes = min_size_bytes
        self._spool = spool
        self._destinations = destinations
        self._queue_id = ""
        self._added_bytes = 0
        self._draft: Draft | None = None

    def end_headers(self, queue_id: str, msg_size: int | None, own_names: Sequence[str] = ()) -> bool:
        """Tell whether the body is needed: not where {msg_size} is small, or the mail stays on this host.

        {msg_size} is that of the message as it came in: a filter may have made it larger since. min_size
        stands for half the limit at most: what sendmail adds to addresses counts, too.
        """
        self._queue_id = queue_id
        if not self._trust_msg_size:
            msg_size = None
        self._added_bytes = most_added_bytes(self._headers, own_names)
        if msg_size is not None and 2 * msg_size + self._added_bytes < 2 * self._min_size_bytes:
            log.passed(queue_id, "small", msg_size=msg_size)
            return False
        try:
            if not self._destinations.reach_relay(self._recipients, self._mailers, queue_id):
                log.passed(queue_id, "not for the relay", msg_size=msg_size)
                return False
            # {msg_size} counts line ends as one octet: the copy may be twice as long.
            self._draft = self._spool.begin(expected_bytes=2 * (msg_size or 0))
            for field, is_stored in self._fields():
                if is_stored:
                    self._draft.write(field)
            self._draft.write(b"\r\n")
        except Exception as error:  # the boundary: mail passes, whatever broke
            self._give_up(error)
        return self._draft is not None

    def add_body(self, octets: bytes) -> None:
        """Take the next octets of the body, in wire form."""
        if self._draft is None:
            return
        try:
            self._draft.write(octets)
        except Exception as error:  # the boundary: mail passes, whatever broke
            self._give_up(error)

    def end_message(self, mta: Mta) -> Verdict:
        """Keep the copy, and let the message pass."""
        if self._draft is None:
            return Verdict.PASS
        size_bytes = self._draft.size_bytes
        if 2 * size_bytes + self._added_bytes < 2 * self._min_size_bytes:
            # Where {msg_size} is trusted a filter before us has made it smaller: it is a notice, most likely.
            log.passed(self._queue_id, "small after other filters", size_bytes=size_bytes)
            return Verdict.PASS
        try:
            name = self._draft.keep(
                self._envelope,
                socket.gethostname(),
                self._queue_id,
                datetime.now(UTC),
                added_bytes=self._added_bytes,
            )
            log.kept(self._queue_id, name, size_bytes=size_bytes)
        except Exception as error:  # the boundary: mail passes, whatever broke
            self._give_up(error)
        return Verdict.PASS

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, WoomeraError):
            log.not_kept(self._queue_id, error.reason, str(error))
        else:
            log.crashed(self._queue_id, Verdict.PASS.value, error)
        self.close()

    def close(self) -> None:
        """Give back what was not kept."""
        if self._draft is not None:
            self._draft.close()
            self._draft = None
