"""The use case: a spooled message -> stored in S3, with links that last as long as they say.

Called by the milter and the sweep; the message is stored and verified before this returns, or it raises.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from woomera_milter import config, log, mime, new_notice
from woomera_milter.links import Signer
from woomera_milter.mime import Attachment, BodyText, HeaderFacts, HeaderField, Protection
from woomera_milter.spool import Deadline, Envelope, SpooledMessage
from woomera_milter.store import Store, message_key, sidecar_key


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came to us, for its sidecar."""

    source: Literal["milter", "sweep"]
    host: str
    queue_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Contents:
    """What a notice tells of a message, read from the spool without a copy of its body."""

    headers: HeaderFacts
    attachments: Sequence[Attachment]
    text: BodyText
    protection: Protection | None


@dataclass(frozen=True, slots=True)
class Offloaded:
    """A message that is safe in S3."""

    id: str
    contents: Contents
    size_bytes: int
    message_link: str
    links_expire_at: datetime


class Offload:
    """Stores messages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store, signer: Signer) -> None:
        self._text_bytes = configuration.notice.include_text
        self._store = store
        self._signer = signer

    def run(
        self,
        message_id: str,
        message: SpooledMessage,
        envelope: Envelope,
        headers: Sequence[HeaderField],
        origin: Origin,
        deadline: Deadline,
    ) -> Offloaded:
        """Store message and sidecar, then make the link.

        Raise the errors of Store and Signer; whatever was stored by then is the lifecycle's to remove.
        """
        key = message_key(message_id, origin.received_at)
        facts = mime.header_facts(headers)
        file_name = mime.safe_file_name(facts.subject, fallback="message") + ".eml"
        with ThreadPoolExecutor(1) as reader:  # the body is read while the upload waits for the network
            contents = reader.submit(self._read, origin.queue_id, message, facts)
            stored = self._store.put_message(key, message, file_name, deadline, datetime.now(UTC))
            links_expire_at = self._signer.ends_at(datetime.now(UTC), stored.ends_at)
        offloaded = Offloaded(
            id=message_id,
            contents=contents.result(),
            size_bytes=message.size_bytes,
            message_link=self._signer.sign(key, links_expire_at),
            links_expire_at=links_expire_at,
        )
        sidecar = _sidecar(offloaded, envelope, headers, origin, message.sha256.hex())
        self._store.put_json(sidecar_key(message_id, origin.received_at), sidecar, deadline)
        return offloaded

    def _read(self, queue_id: str, message: SpooledMessage, facts: HeaderFacts) -> Contents:
        fd = message.fileno()
        try:
            root = mime.outline(fd, message.size_bytes)
            text = mime.body_text(fd, root, self._text_bytes)
            return Contents(
                headers=facts,
                attachments=mime.attachments(fd, root),
                text=text,
                protection=mime.protection(root, text.text),
            )
        except Exception as error:  # a boundary: no oddity of a body keeps the message from S3
            log.degraded(queue_id, "attachments and text", type(error).__name__)
            return Contents(facts, attachments=(), text=BodyText("", truncated=False), protection=None)


def _sidecar(
    offloaded: Offloaded, envelope: Envelope, headers: Sequence[HeaderField], origin: Origin, sha256: str
) -> dict[str, object]:
    facts = offloaded.contents.headers
    return {
        "id": offloaded.id,
        "source": origin.source,
        "host": origin.host,
        "queue_id": origin.queue_id,
        "received_at": _rfc3339(origin.received_at),
        "envelope_sender": envelope.envelope_sender,
        "recipients": envelope.recipients,
        "header_from": facts.header_from,
        "subject": facts.subject,
        "date": facts.date,
        "message_id": facts.message_id,
        "size_bytes": offloaded.size_bytes,
        "sha256": sha256,
        "attachments": [
            {"name": one.name, "content_type": one.content_type, "size_bytes": one.size_bytes, "key": None}
            for one in offloaded.contents.attachments
        ],
        "protection": offloaded.contents.protection,
        "notice_headers": [[name, value.decode("ascii")] for name, value in new_notice.kept_of(headers)],
        "links_expire_at": _rfc3339(offloaded.links_expire_at),
        "resent": [],
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
