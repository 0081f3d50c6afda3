"""What the milter does with an over-limit message: store it, and compose the notice that takes its place."""

import re
import secrets
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.automatic import is_automatic
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.mime.raw_fields import in_utf_8
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.session import OverLimit, Replacement
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.notice import Composer
from woomera_milter.offload.announcement import compose
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Offloaded, Origin
from woomera_milter.text.address_forms import folded

_PLAIN_ADDRESS = re.compile(r"[\w+=][\w.+=#&'*?^`{}~$/-]{0,63}(?:@\w[\w.-]{0,254})?")


class Interceptor:
    """Turns over-limit messages into notices. Safe to use from many threads at once."""

    def __init__(
        self, configuration: config.Config, destinations: Destinations, offload: Offload, composer: Composer
    ) -> None:
        self._subject_prefix = configuration.notice.subject_prefix
        self._copies_to_sender = configuration.notice.copy_to_sender
        self._destinations = destinations
        self._offload = offload
        self._composer = composer
        self._host = socket.gethostname()
        self._marks = ThreadPoolExecutor(1, thread_name_prefix="unannounced")

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
        over = replace(over, headers=in_utf_8(over.headers, over.message))
        offloaded = self._offload.run(message_id, over.message, over.envelope, over.headers, origin, deadline)
        mark_unannounced = partial(
            self._marks.submit, self._offload.mark_unannounced, message_id, received_at
        )
        try:
            store_s = (datetime.now(UTC) - received_at).total_seconds()
            return self._replacement(over, offloaded, store_s, mark_unannounced)
        except BaseException:
            mark_unannounced()
            raise

    def _replacement(
        self, over: OverLimit, offloaded: Offloaded, store_s: float, mark_unannounced: Callable[[], object]
    ) -> Replacement:
        edits = HeaderEdits(over.headers, self._subject_prefix, over.own_names)
        notice = compose(self._composer, offloaded, edits.relayed_bytes)
        return Replacement(
            queue_id=over.queue_id,
            header_changes=edits.changes(notice, offloaded.original.id),
            body=notice.body,
            message_id=offloaded.original.id,
            measured_bytes=over.measured_bytes,
            store_s=store_s,
            links_expire_at=offloaded.links_expire_at,
            mark_unannounced=mark_unannounced,
            copy_to=copy_for(over.envelope, over.headers) if self._copies_to_sender else None,
        )


def copy_for(envelope: Envelope, headers: Sequence[HeaderField]) -> str | None:
    """Return the sender's address where a person may read there, and does not get the notice anyway.

    sendmail takes a recipient of ours for more than an address: for a program, a file, a list, a route.
    """
    sender = envelope.envelope_sender
    if not _PLAIN_ADDRESS.fullmatch(sender) or is_automatic(sender, headers):
        return None
    return None if folded(sender) in map(folded, envelope.recipients) else sender
