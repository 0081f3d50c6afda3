"""Fresh links for a stored message: its notice is made anew from the sidecar, and sent again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from woomera_milter import config, new_notice, stored
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.headers import HeaderField
from woomera_milter.links import Signer
from woomera_milter.mailer import Mailer, Refusal, UnsentError
from woomera_milter.mime import Protection
from woomera_milter.notice import AttachmentFact, Composer, Facts, Links
from woomera_milter.store import Store
from woomera_milter.stored import Sidecar

_RECORD_TRIES = 5


@dataclass(frozen=True, slots=True)
class Resent:
    """Who has got the notice again, who has not and why, and until when its links work."""

    id: str
    accepted: tuple[str, ...]
    refused: tuple[Refusal, ...]
    links_expire_at: datetime


class Resend:
    """Sends notices of stored messages again."""

    def __init__(
        self, configuration: config.Config, store: Store, signer: Signer, composer: Composer, mailer: Mailer
    ) -> None:
        self._configuration = configuration
        self._store = store
        self._signer = signer
        self._composer = composer
        self._mailer = mailer

    def run(self, message_id: str, only_to: str | None, *, dry_run: bool) -> Resent:
        """Send the notice to all recipients of the message, or to one of them.

        Raise PermanentError where there is no such message or recipient, and the errors of Store, Signer
        and Mailer.
        """
        sidecar = stored.find(self._store, message_id)
        recipients = _recipients(sidecar, only_to)
        now = datetime.now(UTC)
        ends_at = self._signer.ends_at(now, self._store.ends_at(sidecar.message_key))
        if dry_run:
            return Resent(message_id, recipients, (), ends_at)
        envelope_sender = self._configuration.sweep.sender or sidecar.value["envelope_sender"]
        try:
            delivery = self._mailer.send(envelope_sender, recipients, self._message(sidecar, ends_at, now))
        except UnsentError as error:
            self._record(sidecar, error.delivery.accepted, ends_at, now)
            raise
        self._record(sidecar, delivery.accepted, ends_at, now)
        return Resent(message_id, delivery.accepted, delivery.refused, ends_at)

    def _message(self, sidecar: Sidecar, ends_at: datetime, now: datetime) -> bytes:
        value = sidecar.value
        heading = new_notice.heading(
            [HeaderField(name, text.encode()) for name, text in value["notice_headers"]],
            woomera_id=value["id"],
            envelope_sender=value["envelope_sender"],
            sender=self._configuration.sweep.sender,
            subject_prefix=self._configuration.notice.subject_prefix,
            now=now,
            serial=len(value["resent"]) + 1,
        )
        links = Links(message=self._signer.sign(sidecar.message_key, ends_at), page=None)
        facts = _facts(sidecar, self._configuration.limit)
        notice = self._composer.compose(facts, links, ends_at, heading.size_bytes)
        return new_notice.message(heading, notice)

    def _record(self, sidecar: Sidecar, to: tuple[str, ...], ends_at: datetime, now: datetime) -> None:
        if not to:
            return
        current = sidecar
        for _ in range(_RECORD_TRIES):
            resent = [*current.value["resent"], {"at": _rfc3339(now), "to": list(to)}]
            changed = current.value | {"resent": resent, "links_expire_at": _rfc3339(ends_at)}
            if self._store.replace_json(current.key, changed, current.etag):
                return
            found = self._store.get_json(current.key)  # another resend was faster
            if found is None:
                break
            current = Sidecar(current.folder, found.value, found.etag)
        raise TemporaryError(
            f"the notice of {sidecar.value['id']} was sent, but its sidecar could not be brought up to date",
            remedy="nothing needs doing, unless it happens often",
            reason="store",
        )


def _recipients(sidecar: Sidecar, only_to: str | None) -> tuple[str, ...]:
    recipients = tuple(sidecar.value["recipients"])
    if only_to is None:
        return recipients
    one = tuple(it for it in recipients if it.lower() == only_to.lower())
    if not one:
        raise PermanentError(
            f"{only_to} is not among the recipients of {sidecar.value['id']}",
            remedy=f"give one of {', '.join(recipients)}",
            reason="recipients",
        )
    return one[:1]


def _facts(sidecar: Sidecar, limit_bytes: int) -> Facts:
    value = sidecar.value
    return Facts(
        id=value["id"],
        header_from=value["header_from"] or value["envelope_sender"],
        subject=value["subject"],
        date=value["date"],
        size_bytes=value["size_bytes"],
        limit_bytes=limit_bytes,
        attachments=[
            AttachmentFact(it["name"], it["content_type"], it["size_bytes"], link=None)
            for it in value["attachments"]
        ],
        text="",  # of the message no sidecar keeps any text
        text_truncated=False,
        protection=Protection(value["protection"]) if value["protection"] else None,
    )


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
