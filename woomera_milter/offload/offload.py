"""The use case: a spooled message -> stored in S3, with links that last as long as they say.

Called by the milter and the sweep; the message is stored and verified before this returns, or it raises.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from woomera_milter import config, log
from woomera_milter.clock import Deadline
from woomera_milter.errors import DeadlineError, WoomeraError
from woomera_milter.message.decoding import header_summary
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.mime.body import BodyText, body, body_text
from woomera_milter.message.mime.protection import Protection, protection_of
from woomera_milter.message.mime.tree import Part, outline
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice import new_message
from woomera_milter.notice.letter import letter_of
from woomera_milter.notice.original import Letter, Linked, Links, Original
from woomera_milter.offload.attachments import AttachmentUploads
from woomera_milter.offload.pages import PageUploads
from woomera_milter.offload.source import Offloaded, Origin, Source, Upload
from woomera_milter.offload.uploads import NO_TIME, Workers
from woomera_milter.store import sidecars
from woomera_milter.store.documents import Sidecar, StoredAttachment, written
from woomera_milter.store.keys import message_key, sidecar_key
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Store, StoredObject
from woomera_milter.text.file_names import safe_file_name

OUTLINE_WINDOW_BYTES = 512 * 1024  # no header section that sendmail passes on is as long
_LETTER_LEAF_BYTES = 128 * 1024  # of HTML, of which a notice holds less than 100 KB

# What may be taken apart. Encrypted, it would be of no use in pieces, and stays whole.
_OPEN = (None, Protection.SIGNED)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a message holds, read from the spool without a copy of its body; no root, no parts."""

    root: Part | None
    text: BodyText
    letter: Letter | None
    protection: Protection | None
    uploads: Sequence[Upload]


class Offload:
    """Stores messages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store, signer: Signer) -> None:
        self._configuration = configuration
        self._store = store
        self._signer = signer
        workers = Workers()
        self._attachments = AttachmentUploads(configuration.links, store, workers)
        self._pages = PageUploads(configuration.notice, store, workers)

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
        source = Source(
            message_id, origin.queue_id, origin.received_at, envelope.envelope_sender, message, facts
        )

        def put_message() -> StoredObject:
            return self._store.put(
                key, message, "message/rfc822", deadline, datetime.now(UTC), file_name=file_name
            )

        offloaded, page = self._offloaded(source, put_message, deadline)
        sidecar = _sidecar(source, offloaded, envelope, headers, origin)
        self._store.put_json(sidecar_key(message_id, origin.received_at), written(sidecar), deadline)
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def mark_unannounced(self, message_id: str, received_at: datetime) -> None:
        """Have the sidecar say that the client was told to try again; raises nothing."""
        key = sidecar_key(message_id, received_at)
        try:
            if found := sidecars.read(self._store, key):
                marked = found.sidecar.model_copy(update={"announced": False})
                self._store.replace_json(key, written(marked), found.etag)
        except WoomeraError as error:
            log.not_recorded(message_id, error.reason, str(error))

    def renew(self, source: Source, stored: StoredObject, deadline: Deadline) -> Offloaded:
        """Make fresh links to a message that is `stored`; attachments and page are stored anew with them.

        The page holds links, and an attachment that is missing gets another chance. Raise Signer's errors.
        """
        offloaded, page = self._offloaded(source, lambda: stored, deadline)
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def _offloaded(
        self, source: Source, put_message: Callable[[], StoredObject], deadline: Deadline
    ) -> "tuple[Offloaded, Future[StoredObject] | None]":
        """Store message and attachments, sign their links, and start to make the page, where there is one."""
        with ThreadPoolExecutor(1) as reader:  # the body is read while the upload waits for the network
            reading = reader.submit(self._read, source, deadline.for_extras())
            try:
                message = put_message()
            except BaseException:
                for upload in reading.result().uploads:
                    upload.cancel()
                raise
        contents = reading.result()
        uploads = self._attachments.finish(source, contents.uploads, deadline.for_extras())
        offloaded = self._linked(source, contents, message, uploads)
        if contents.root is None or contents.protection not in _OPEN or not self._configuration.links.page:
            return offloaded, None
        return offloaded, self._pages.begin(source, contents.root, offloaded, deadline.for_extras())

    def _linked(
        self, source: Source, contents: _Contents, message: StoredObject, uploads: Sequence[Upload]
    ) -> Offloaded:
        """Sign the links, which all end at one moment."""
        ends = [message.ends_at, *(it.stored.ends_at for it in uploads if it.stored)]
        ends_at = self._signer.ends_at(datetime.now(UTC), min(ends))

        def linked(upload: Upload) -> Linked:
            key = upload.stored.key if upload.stored else None
            return Linked(upload.attachment, key, self._signer.sign(key, ends_at) if key else None)

        original = Original(
            id=source.id,
            envelope_sender=source.envelope_sender,
            headers=source.headers,
            size_bytes=source.message.size_bytes,
            limit_bytes=self._configuration.limit,
            attachments=[linked(it) for it in uploads],
            text=contents.text,
            protection=contents.protection,
            letter=contents.letter,
        )
        return Offloaded(original, Links(self._signer.sign(message.key, ends_at), page=None), ends_at)

    def _with_page(
        self, source: Source, offloaded: Offloaded, page: "Future[StoredObject] | None", deadline: Deadline
    ) -> Offloaded:
        ends_at = offloaded.links_expire_at
        stored = self._pages.finish(source, page, ends_at, deadline) if page else None
        source.tell()
        if stored is None:
            return offloaded
        links = replace(offloaded.links, page=self._signer.sign(stored.key, ends_at))
        return replace(offloaded, links=links)

    def _read(self, source: Source, deadline: Deadline) -> _Contents:
        """Read the message, and start to store its attachments on the way; by the deadline, or not at all."""
        fd, notice = source.message.fileno(), self._configuration.notice
        check = partial(deadline.check, "reading the message")
        try:
            size_bytes = source.message.size_bytes
            root = outline(fd, size_bytes, window_bytes=OUTLINE_WINDOW_BYTES, check=check)
            text = body_text(fd, root, notice.include_text)
            protection = protection_of(root, text.text)
            is_open = protection in _OPEN
            uploads = self._attachments.begin(source, root, deadline, are_linked=is_open)
        except Exception as error:  # a boundary: no oddity of a body keeps the message from S3
            why = NO_TIME if isinstance(error, DeadlineError) else type(error).__name__
            source.lacks("attachments and text", why)
            return _Contents(None, BodyText("", truncated=False), letter=None, protection=None, uploads=[])
        letter = self._letter(source, root, uploads) if is_open else None
        return _Contents(root, text, letter, protection, uploads)

    def _letter(self, source: Source, root: Part, uploads: Sequence[Upload]) -> Letter | None:
        """Return the text as its sender formatted it, where that is wanted; raise nothing.

        The attachments are being stored already: a letter that cannot be made costs them nothing.
        """
        notice = self._configuration.notice
        if not (notice.formatted and notice.include_text):
            return None
        try:
            found = body(source.message.fileno(), root, _LETTER_LEAF_BYTES)
            return letter_of(found, [Linked(it.attachment) for it in uploads], data_chars=0)
        except Exception as error:  # a boundary, as above
            source.lacks("formatted text", type(error).__name__)
            return None


def listed(attachments: Sequence[Linked]) -> list[StoredAttachment]:
    """Return attachments as a sidecar lists them."""
    return [
        StoredAttachment(
            name=linked.attachment.name,
            content_type=linked.attachment.content_type,
            size_bytes=linked.attachment.size_bytes,
            key=linked.key,
        )
        for linked in attachments
    ]


def _sidecar(
    source: Source,
    offloaded: Offloaded,
    envelope: Envelope,
    headers: Sequence[HeaderField],
    origin: Origin,
) -> Sidecar:
    original = offloaded.original
    summary = original.headers
    return Sidecar(
        id=original.id,
        source=origin.source,
        host=origin.host,
        queue_id=origin.queue_id,
        received_at=origin.received_at,
        envelope_sender=envelope.envelope_sender,
        recipients=list(envelope.recipients),
        recipients_refused=envelope.refused_count,
        header_from=summary.header_from,
        subject=summary.subject,
        date=summary.date,
        message_id=summary.message_id,
        size_bytes=original.size_bytes,
        sha256=source.message.sha256.hex(),
        attachments=listed(original.attachments),
        protection=original.protection,
        notice_headers=_notice_headers(source, headers),
        links_expire_at=offloaded.links_expire_at,
        resent=[],
    )


def _notice_headers(source: Source, headers: Sequence[HeaderField]) -> list[list[str]]:
    try:
        return [[name, value.decode("ascii")] for name, value in new_message.kept_of(headers)]
    except Exception as error:  # a boundary, as above: resend can do without them
        source.lacks("headers for resend", type(error).__name__)
        return []
