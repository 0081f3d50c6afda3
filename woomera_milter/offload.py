"""The use case: a spooled message -> stored in S3, with links that last as long as they say.

Called by the milter and the sweep; the message is stored and verified before this returns, or it raises.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Literal

from woomera_milter import config, log, mime, new_notice
from woomera_milter.extras import WINDOW_BYTES, Extras, LinkedAttachment, Source
from woomera_milter.links import Signer
from woomera_milter.mime import Attachment, BodyText, HeaderFacts, HeaderField, Part, Protection
from woomera_milter.spool import Deadline, Envelope, SpooledMessage
from woomera_milter.store import Store, Stored, message_key, sidecar_key

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
    """What a notice tells of a message, read from the spool without a copy of its body."""

    headers: HeaderFacts
    attachments: Sequence[Attachment]
    text: BodyText
    protection: Protection | None
    root: Part | None = None


@dataclass(frozen=True, slots=True)
class _Begun:
    """What is known of a message, and its attachments on their way to S3."""

    contents: Contents
    uploads: Sequence[Future[Stored]]


@dataclass(frozen=True, slots=True)
class Offloaded:
    """A message that is safe in S3. `attachment_links` are those of its attachments, in their order."""

    id: str
    contents: Contents
    size_bytes: int
    message_link: str
    attachment_links: Sequence[str | None]
    page_link: str | None
    links_expire_at: datetime


class Offload:
    """Stores messages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store, signer: Signer) -> None:
        self._text_bytes = configuration.notice.include_text
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
        facts = mime.header_facts(headers)
        file_name = mime.safe_file_name(facts.subject, fallback="message") + ".eml"
        source = Source(message_id, origin.queue_id, origin.received_at, message, facts)
        with ThreadPoolExecutor(1) as reader:  # the body is read while the upload waits for the network
            reading = reader.submit(self._begin, source, deadline.for_extras())
            try:
                stored = self._store.put_message(key, message, file_name, deadline, datetime.now(UTC))
            except BaseException:
                for upload in reading.result().uploads:
                    upload.cancel()
                raise
        contents = reading.result().contents
        kept = self._extras.finish_attachments(source, reading.result().uploads, deadline.for_extras())
        offloaded = self._linked(source, contents, stored, kept)
        page = self._begin_page(source, offloaded, deadline.for_extras())
        sidecar = _sidecar(source, offloaded, envelope, headers, origin, kept)
        self._store.put_json(sidecar_key(message_id, origin.received_at), sidecar, deadline)
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def renew(
        self, source: Source, stored: Stored, keys: Mapping[tuple[str, int], str], deadline: Deadline
    ) -> Offloaded:
        """Make fresh links to what is stored of a message, and its page anew, since that holds such links.

        `keys` are those of the stored attachments, by name and size. Raise the errors of Signer.
        """
        contents = self._read(source)
        found = self._extras.find_attachments(
            source, [keys.get((it.name, it.size_bytes)) for it in contents.attachments], deadline.for_extras()
        )
        offloaded = self._linked(source, contents, stored, found)
        page = self._begin_page(source, offloaded, deadline.for_extras())
        return self._with_page(source, offloaded, page, deadline.for_extras())

    def _linked(
        self, source: Source, contents: Contents, stored: Stored, kept: Sequence[Stored | None]
    ) -> Offloaded:
        """Sign the links, which all end at one moment, to the message and the attachments that are `kept`."""
        ends = [stored.ends_at, *(attachment.ends_at for attachment in kept if attachment)]
        links_expire_at = self._signer.ends_at(datetime.now(UTC), min(ends))
        links = [self._signer.sign(one.key, links_expire_at) if one else None for one in kept]
        links += [None] * (len(contents.attachments) - len(links))
        return Offloaded(
            id=source.id,
            contents=contents,
            size_bytes=source.message.size_bytes,
            message_link=self._signer.sign(stored.key, links_expire_at),
            attachment_links=links,
            page_link=None,
            links_expire_at=links_expire_at,
        )

    def _begin(self, source: Source, deadline: Deadline) -> _Begun:
        contents = self._read(source)
        # What is signed or encrypted proves nothing, or is of no use, in pieces: it stays whole.
        if contents.protection:
            return _Begun(contents, [])
        return _Begun(contents, self._extras.begin_attachments(source, contents.attachments, deadline))

    def _begin_page(
        self, source: Source, offloaded: Offloaded, deadline: Deadline
    ) -> "Future[Stored] | None":
        contents = offloaded.contents
        if contents.root is None or contents.protection:
            return None
        linked = map(LinkedAttachment, contents.attachments, offloaded.attachment_links)
        return self._extras.begin_page(
            source,
            contents.root,
            list(linked),
            offloaded.message_link,
            offloaded.links_expire_at,
            deadline,
        )

    def _with_page(
        self, source: Source, offloaded: Offloaded, page: "Future[Stored] | None", deadline: Deadline
    ) -> Offloaded:
        stored = self._extras.finish_page(source, page, offloaded.links_expire_at, deadline)
        if stored is None:
            return offloaded
        return replace(offloaded, page_link=self._signer.sign(stored.key, offloaded.links_expire_at))

    def _read(self, source: Source) -> Contents:
        fd = source.message.fileno()
        try:
            root = mime.outline(fd, source.message.size_bytes, window_bytes=OUTLINE_WINDOW_BYTES)
            text = mime.body_text(fd, root, self._text_bytes)
            return Contents(
                headers=source.headers,
                attachments=mime.attachments(fd, root, window_bytes=WINDOW_BYTES),
                text=text,
                protection=mime.protection(root, text.text),
                root=root,
            )
        except Exception as error:  # a boundary: no oddity of a body keeps the message from S3
            log.degraded(source.queue_id, source.id, "attachments and text", type(error).__name__)
            return Contents(
                source.headers, attachments=(), text=BodyText("", truncated=False), protection=None
            )


def _sidecar(
    source: Source,
    offloaded: Offloaded,
    envelope: Envelope,
    headers: Sequence[HeaderField],
    origin: Origin,
    kept: Sequence[Stored | None],
) -> dict[str, object]:
    facts = offloaded.contents.headers
    return {
        "id": offloaded.id,
        "source": origin.source,
        "host": origin.host,
        "queue_id": origin.queue_id,
        "received_at": _rfc3339(origin.received_at),
        "envelope_sender": envelope.envelope_sender,
        "recipients": list(envelope.recipients),
        "header_from": facts.header_from,
        "subject": facts.subject,
        "date": facts.date,
        "message_id": facts.message_id,
        "size_bytes": offloaded.size_bytes,
        "sha256": source.message.sha256.hex(),
        "attachments": [
            {
                "name": one.name,
                "content_type": one.content_type,
                "size_bytes": one.size_bytes,
                "key": stored.key if stored else None,
            }
            for one, stored in zip_longest(offloaded.contents.attachments, kept)
        ],
        "protection": offloaded.contents.protection,
        "notice_headers": _notice_headers(source, headers),
        "links_expire_at": _rfc3339(offloaded.links_expire_at),
        "resent": [],
    }


def _notice_headers(source: Source, headers: Sequence[HeaderField]) -> list[list[str]]:
    try:
        return [[name, value.decode("ascii")] for name, value in new_notice.kept_of(headers)]
    except Exception as error:  # a boundary, as above: resend can do without them
        log.degraded(source.queue_id, source.id, "headers for resend", type(error).__name__)
        return []


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
