"""The use case: a spooled message -> stored in S3, with links that last as long as they say.

Called by the milter and the sweep; the message is stored and verified before this returns, or it raises.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from woomera_milter import config, log
from woomera_milter.clock import Deadline, rfc3339
from woomera_milter.message import contents as mime
from woomera_milter.message.contents import BodyText, Protection
from woomera_milter.message.decoding import HeaderSummary, header_summary
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.tree import Part, outline
from woomera_milter.notice import new_message
from woomera_milter.offload.attachments import WINDOW_BYTES, Begun, Extras, LinkedAttachment, Source
from woomera_milter.store.keys import message_key, sidecar_key
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store, StoredObject
from woomera_milter.text.file_names import safe_file_name

OUTLINE_WINDOW_BYTES = 512 * 1024  # no header section that sendmail passes on is as long


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came to us, for its sidecar."""

    source: Literal["milter", "sweep"]
    host: str
    queue_id: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Contents:
    """What a notice tells of a message, read from the spool without a copy of its body; no root, no parts."""

    headers: HeaderSummary
    text: BodyText
    protection: Protection | None
    root: Part | None


@dataclass(frozen=True, slots=True)
class Offloaded:
    """A message that is safe in S3."""

    id: str
    contents: Contents
    size_bytes: int
    attachments: Sequence[LinkedAttachment]
    message_link: str
    page_link: str | None
    links_expire_at: datetime


class Offload:
    """Stores messages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store, signer: Signer) -> None:
        self._text_bytes = configuration.notice.include_text
        self._minimum = configuration.links.minimum
        self._store = store
        self._signer = signer
        self._extras = Extras(configuration, store)

    def run(
        self,
        message_id: str,
        message: SpooledMessage,
        envelope: Envelope,
        headers: Sequence[HeaderField],
        origin: Origin,
        deadline: Deadline,
    ) -> Offloaded:
        """Store message, attachments, sidecar and page, and make the links, which all end at one moment.

        Raise the errors of Store and Signer; whatever was stored by then is the lifecycle's to remove.
        """
        key = message_key(message_id, origin.received_at)
        facts = header_summary(headers)
        file_name = safe_file_name(facts.subject, fallback="message") + ".eml"
        source = Source(message_id, origin.queue_id, origin.received_at, message, facts)

        def put_message() -> StoredObject:
            return self._store.put(
                key, message, "message/rfc822", deadline, datetime.now(UTC), file_name=file_name
            )

        offloaded = self._with_attachments(source, put_message, deadline)
        page = self._begin_page(source, offloaded, deadline.for_extras())
        sidecar = _sidecar(source, offloaded, envelope, headers, origin)
        self._store.put_json(sidecar_key(message_id, origin.received_at), sidecar, deadline)
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def renew(self, source: Source, stored: StoredObject, deadline: Deadline) -> Offloaded:
        """Make fresh links to a message that is `stored`; attachments and page are stored anew with them.

        The page holds links, and an attachment that is missing gets another chance. Raise Signer's errors.
        """
        offloaded = self._with_attachments(source, lambda: stored, deadline)
        page = self._begin_page(source, offloaded, deadline.for_extras())
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def _with_attachments(
        self, source: Source, put_message: Callable[[], StoredObject], deadline: Deadline
    ) -> Offloaded:
        """Store message and attachments, and sign their links, which all end at one moment."""
        with ThreadPoolExecutor(1) as reader:  # the body is read while the upload waits for the network
            reading = reader.submit(self._read, source, deadline.for_extras())
            try:
                message = put_message()
            except BaseException:
                for one in reading.result()[1]:
                    one.cancel()
                raise
        contents, begun = reading.result()
        stored = self._extras.finish_attachments(source, begun, deadline.for_extras())
        now = datetime.now(UTC)
        kept = self._lasting(source, stored, now)
        links_expire_at = self._signer.ends_at(
            now, min([message.ends_at, *(it.ends_at for it in kept if it)])
        )
        return Offloaded(
            id=source.id,
            contents=contents,
            size_bytes=source.message.size_bytes,
            attachments=[
                LinkedAttachment(
                    one.attachment,
                    key=it.key if it else None,
                    link=self._signer.sign(it.key, links_expire_at) if it else None,
                )
                for one, it in zip(begun, kept, strict=True)
            ],
            message_link=self._signer.sign(message.key, links_expire_at),
            page_link=None,
            links_expire_at=links_expire_at,
        )

    def _lasting(
        self, source: Source, attachments: Sequence[StoredObject | None], now: datetime
    ) -> Sequence[StoredObject | None]:
        """Return those that stay long enough for a link; the others would end the message's link as well."""
        least = now + self._minimum
        if all(it is None or it.ends_at >= least for it in attachments):
            return attachments
        why = "the bucket's lifecycle deletes it sooner than links.minimum allows"
        log.degraded(source.queue_id, source.id, "attachment links", why)
        return [it if it and it.ends_at >= least else None for it in attachments]

    def _begin_page(
        self, source: Source, offloaded: Offloaded, deadline: Deadline
    ) -> "Future[StoredObject] | None":
        contents = offloaded.contents
        if contents.root is None or contents.protection:
            return None
        return self._extras.begin_page(
            source,
            contents.root,
            offloaded.attachments,
            offloaded.message_link,
            offloaded.links_expire_at,
            deadline,
        )

    def _with_page(
        self, source: Source, offloaded: Offloaded, page: "Future[StoredObject] | None", deadline: Deadline
    ) -> Offloaded:
        stored = self._extras.finish_page(source, page, offloaded.links_expire_at, deadline)
        if stored is None:
            return offloaded
        return replace(offloaded, page_link=self._signer.sign(stored.key, offloaded.links_expire_at))

    def _read(self, source: Source, deadline: Deadline) -> tuple[Contents, Sequence[Begun]]:
        """Read the message, and start to store its attachments on the way."""
        fd = source.message.fileno()
        try:
            root = outline(fd, source.message.size_bytes, window_bytes=OUTLINE_WINDOW_BYTES)
            text = mime.body_text(fd, root, self._text_bytes)
            protection = mime.protection(root, text.text)
            # What is signed or encrypted proves nothing, or is of no use, in pieces: it stays whole.
            if protection:
                begun = [Begun(it) for it in mime.attachments(fd, root, window_bytes=WINDOW_BYTES)]
            else:
                begun = self._extras.begin_attachments(source, root, deadline)
        except Exception as error:  # a boundary: no oddity of a body keeps the message from S3
            log.degraded(source.queue_id, source.id, "attachments and text", type(error).__name__)
            return Contents(source.headers, BodyText("", truncated=False), protection=None, root=None), []
        return Contents(source.headers, text, protection, root), begun


def listed(attachments: Sequence[LinkedAttachment]) -> list[dict[str, object]]:
    """Return attachments as a sidecar lists them."""
    return [
        {
            "name": it.attachment.name,
            "content_type": it.attachment.content_type,
            "size_bytes": it.attachment.size_bytes,
            "key": it.key,
        }
        for it in attachments
    ]


def _sidecar(
    source: Source,
    offloaded: Offloaded,
    envelope: Envelope,
    headers: Sequence[HeaderField],
    origin: Origin,
) -> dict[str, object]:
    facts = offloaded.contents.headers
    return {
        "id": offloaded.id,
        "source": origin.source,
        "host": origin.host,
        "queue_id": origin.queue_id,
        "received_at": rfc3339(origin.received_at),
        "envelope_sender": envelope.envelope_sender,
        "recipients": list(envelope.recipients),
        "header_from": facts.header_from,
        "subject": facts.subject,
        "date": facts.date,
        "message_id": facts.message_id,
        "size_bytes": offloaded.size_bytes,
        "sha256": source.message.sha256.hex(),
        "attachments": listed(offloaded.attachments),
        "protection": offloaded.contents.protection,
        "notice_headers": _notice_headers(source, headers),
        "links_expire_at": rfc3339(offloaded.links_expire_at),
        "resent": [],
    }


def _notice_headers(source: Source, headers: Sequence[HeaderField]) -> list[list[str]]:
    try:
        return [[name, value.decode("ascii")] for name, value in new_message.kept_of(headers)]
    except Exception as error:  # a boundary, as above: resend can do without them
        log.degraded(source.queue_id, source.id, "headers for resend", type(error).__name__)
        return []
