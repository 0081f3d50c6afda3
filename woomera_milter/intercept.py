"""What the milter does with an over-limit message: store it, and compose the notice that takes its place."""

import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from woomera_milter import config, log
from woomera_milter.destinations import Destinations
from woomera_milter.facts import facts_of
from woomera_milter.mime import HeaderField
from woomera_milter.notice import Composer, Links
from woomera_milter.offload import Offload, Offloaded, Origin
from woomera_milter.ses_headers import HeaderChange, header_changes, remaining_bytes
from woomera_milter.spool import Deadline, Envelope, SpooledMessage


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A message that the relay would refuse. `mailers` are those sendmail named for its recipients."""

    message: SpooledMessage
    envelope: Envelope
    mailers: frozenset[str]
    headers: Sequence[HeaderField]
    queue_id: str
    measured_bytes: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """What the MTA is told to make of the message: apply the changes in order, then the body (CRLF)."""

    queue_id: str
    header_changes: Sequence[HeaderChange]
    body: bytes


class Interceptor:
    """Turns over-limit messages into notices. Safe to use from many threads at once."""

    def __init__(
        self, configuration: config.Config, destinations: Destinations, offload: Offload, composer: Composer
    ) -> None:
        self._limit_bytes = configuration.limit
        self._subject_prefix = configuration.notice.subject_prefix
        self._destinations = destinations
        self._offload = offload
        self._composer = composer
        self._host = socket.gethostname()

    def intercept(self, over: OverLimit, deadline: Deadline) -> Replacement | None:
        """Return what replaces the message, which is stored and verified by then; None if not for the relay.

        Raise WoomeraError where it cannot be stored, or the links would not live long enough.
        """
        if not self._destinations.reach_relay(over.envelope.recipients, over.mailers, over.queue_id):
            return None
        received_at = datetime.now(UTC)
        # Queue ids come again after a while, and can be guessed.
        message_id = f"{over.queue_id or 'unknown'}-{secrets.token_hex(8)}"
        origin = Origin("milter", self._host, over.queue_id, received_at)
        offloaded = self._offload.run(message_id, over.message, over.envelope, over.headers, origin, deadline)
        replacement = self._notice(over, offloaded)
        log.intercepted(
            over.queue_id,
            message_id,
            measured_bytes=over.measured_bytes,
            store_s=(datetime.now(UTC) - received_at).total_seconds(),
            expires_at=offloaded.links_expire_at,
        )
        return replacement

    def _notice(self, over: OverLimit, offloaded: Offloaded) -> Replacement:
        notice = self._composer.compose(
            facts_of(offloaded, over.envelope.envelope_sender, self._limit_bytes),
            Links(message=offloaded.message_link, page=offloaded.page_link),
            offloaded.links_expire_at,
            remaining_bytes(over.headers, self._subject_prefix),
        )
        changes = header_changes(over.headers, notice, offloaded.id, self._subject_prefix)
        return Replacement(over.queue_id, changes, notice.body)
