"""Fresh links for a stored message, on a page made anew, and in its notice, which is sent again.

Page and notice tell what they told the first time, so the message is read once more.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime

from woomera_milter import config, log
from woomera_milter.clock import Deadline
from woomera_milter.errors import PermanentError, Reason, TemporaryError, WoomeraError
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.fields import HeaderField, parse_header_block
from woomera_milter.message.mime.raw_fields import in_utf_8
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice import new_message
from woomera_milter.notice.notice import Composer
from woomera_milter.offload.announcement import as_message
from woomera_milter.offload.offload import Offload, listed
from woomera_milter.offload.source import Offloaded, Source
from woomera_milter.store import sidecars
from woomera_milter.store.documents import Resending, Sidecar, written
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store, StoredObject
from woomera_milter.store.sidecars import StoredMessage
from woomera_milter.submission.mailer import Delivery, Mailer, Refusal, UnsentError
from woomera_milter.text.address_forms import folded

_RECORD_TRIES = 5
_HEADER_BYTES = 1024 * 1024  # what sendmail passes on is shorter


@dataclass(frozen=True, slots=True)
class Resent:
    """Who has got the notice again, who has not and why, and until when its links work.

    `is_recorded`: the sidecar tells of it, too.
    """

    id: str
    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...]
    links_expire_at: datetime
    is_recorded: bool = True


class Resend:
    """Sends notices of stored messages again."""

    def __init__(
        self, configuration: config.Config, store: Store, signer: Signer, composer: Composer, mailer: Mailer
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._signer = signer
        self._offload = Offload(configuration, store, signer)
        self._composer = composer
        self._mailer = mailer

    def run(
        self, message_id: str, only_to: str | None, *, force: bool = False, dry_run: bool = False
    ) -> Resent:
        """Send the notice to all recipients of the message, or to one of them.

        `force`: even where it was never announced, so that recipients may have another attempt's.

        Raise PermanentError where there is no such message or recipient, and the errors of Store, Signer
        and Mailer, as long as nobody has it: whoever tries again would send those who have it a second one.
        """
        stored = sidecars.find(self._store, message_id)
        if not stored.sidecar.announced and not force:
            raise PermanentError(
                f"{message_id} was never announced: its client was told to try again",
                remedy="see by `woomera list` whether it did; --force sends the notice all the same",
                reason=Reason.UNANNOUNCED,
            )
        recipients = _recipients(stored.sidecar, only_to)
        now = datetime.now(UTC)
        message_ends_at = self._store.ends_at(stored.message_key)
        if dry_run:
            return Resent(message_id, recipients, (), self._signer.ends_at(now, message_ends_at))
        offloaded = self._renewed(stored.sidecar, StoredObject(stored.message_key, message_ends_at))
        try:
            heading = self._heading(stored.sidecar, now)
            notice = as_message(self._composer, offloaded, heading)
            delivery = self._mailer.send(heading.envelope_sender, recipients, notice)
        except UnsentError as error:
            if not error.delivery.accepted:
                raise
            delivery = Delivery(error.delivery.accepted, error.left(recipients))
        is_recorded = True
        try:
            self._record(stored, offloaded, delivery.accepted, now)
        except WoomeraError as error:
            log.not_recorded(message_id, error.reason, str(error))
            is_recorded = False
        return Resent(message_id, delivery.accepted, delivery.refused, offloaded.links_expire_at, is_recorded)

    def _renewed(self, sidecar: Sidecar, stored: StoredObject) -> Offloaded:
        deadline = Deadline(self._configuration.sweep.lease.total_seconds(), "sweep.lease")
        message = SpooledMessage(self._configuration.milter.spool)
        try:
            for chunk in self._store.read(stored.key, deadline):
                message.write(chunk)
            headers = parse_header_block(os.pread(message.fileno(), _HEADER_BYTES, 0))
            facts = header_summary(in_utf_8(headers, message))
            source = Source(
                sidecar.id, sidecar.queue_id, sidecar.received_at, sidecar.envelope_sender, message, facts
            )
            return self._offload.renew(source, stored, deadline)
        finally:
            message.close()

    def _heading(self, sidecar: Sidecar, now: datetime) -> new_message.Heading:
        return new_message.heading(
            [HeaderField(name, text.encode()) for name, text in sidecar.notice_headers],
            woomera_id=sidecar.id,
            envelope_sender=sidecar.envelope_sender,
            sender=self._configuration.sweep.sender,
            subject_prefix=self._configuration.notice.subject_prefix,
            now=now,
            serial=len(sidecar.resent) + 1,
        )

    def _record(
        self, stored: StoredMessage, offloaded: Offloaded, to: tuple[str, ...], now: datetime
    ) -> None:
        if not to:
            return
        for _ in range(_RECORD_TRIES):
            changes = {
                "attachments": listed(offloaded.original.attachments),
                "links_expire_at": offloaded.links_expire_at,
                "resent": [*stored.sidecar.resent, Resending(at=now, to=list(to))],
            }
            if not stored.sidecar.announced:
                changes["announced"] = True
            changed = written(stored.sidecar.model_copy(update=changes))
            if self._store.replace_json(stored.key, changed, stored.etag):
                return
            found = sidecars.read(self._store, stored.key)  # another resend was faster
            if found is None:
                break
            stored = found
        raise TemporaryError(
            f"{stored.key} was changed meanwhile, or deleted",
            remedy="nothing needs doing, unless it happens often",
            reason=Reason.STORE,
        )


def _recipients(sidecar: Sidecar, only_to: str | None) -> tuple[str, ...]:
    recipients = tuple(sidecar.recipients)
    if only_to is None:
        if sidecar.recipients_refused:
            raise PermanentError(
                f"{sidecar.recipients_refused} of the {len(recipients)} recipients of {sidecar.id} were"
                " refused by another mail filter, which does not say who",
                remedy=f"give --to and one of {', '.join(recipients)}",
                reason=Reason.RECIPIENTS,
            )
        return recipients
    one = tuple(it for it in recipients if folded(it) == folded(only_to))
    if not one:
        raise PermanentError(
            f"{only_to} is not among the recipients of {sidecar.id}",
            remedy=f"give one of {', '.join(recipients)}",
            reason=Reason.RECIPIENTS,
        )
    return one[:1]
