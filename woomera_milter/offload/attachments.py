"""What recipients get besides the .eml: attachments of their own, and a page to read the message on.

They may be missing, and the message may not: nothing here raises, and nothing is begun, or waited for, in
the last third of the message's deadline. Whatever fails is logged, and simply has no link.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from woomera_milter import config, log
from woomera_milter.clock import Deadline
from woomera_milter.errors import WoomeraError
from woomera_milter.message import contents
from woomera_milter.message.contents import Attachment, BodyText
from woomera_milter.message.decoding import HeaderSummary
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.message.transfer import decoded_chunks, decoded_size_bytes
from woomera_milter.message.tree import Part
from woomera_milter.notice.page import Facts, PageAttachment, Pages
from woomera_milter.store.keys import attachment_key, page_key
from woomera_milter.store.objects import Store, StoredObject
from woomera_milter.text.safe_html import Picture, SafeHtml, safe_html

AT_ONCE = 8  # attachments and pages of all messages together: bounds memory and connections
WINDOW_BYTES = 128 * 1024  # of a body that is decoded: what many messages at once may hold
_HTML_BYTES = 512 * 1024
_TEXT_BYTES = 128 * 1024
# Those that all browsers show.
_PICTURE_TYPES = frozenset({"image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/webp"})

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Source:
    """A message in hand."""

    id: str
    queue_id: str
    received_at: datetime
    message: SpooledMessage
    headers: HeaderSummary


@dataclass(frozen=True, slots=True)
class Begun:
    """An attachment, and its upload where it is to have a link."""

    attachment: Attachment
    upload: "Future[StoredObject] | None" = None

    def cancel(self) -> None:
        """Store it no more, unless that has begun."""
        if self.upload:
            self.upload.cancel()


@dataclass(frozen=True, slots=True)
class LinkedAttachment:
    """An attachment, and its key and link where it is stored."""

    attachment: Attachment
    key: str | None
    link: str | None


class Extras:
    """Stores attachments and pages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store) -> None:
        self._links = configuration.links
        self._store = store
        self._pages = Pages(configuration.notice)
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="extras")

    def begin_attachments(self, source: Source, root: Part, deadline: Deadline) -> list[Begun]:
        """Decode the attachments that get a link, the first links.max_attachments, and start to store them.

        Decoding tells their sizes too, so that their octets are gone through but once.
        """
        return [
            self._begin_attachment(source, number, part, name, deadline)
            for number, (part, name) in enumerate(
                contents.named_attachments(source.message.fileno(), root), 1
            )
        ]

    def _begin_attachment(
        self, source: Source, number: int, part: Part, name: str, deadline: Deadline
    ) -> Begun:
        is_linked = self._links.attachments and number <= self._links.max_attachments
        decoded = self._decoded(source, part) if is_linked else None
        if decoded is None:
            size_bytes = decoded_size_bytes(source.message.fileno(), part, window_bytes=WINDOW_BYTES)
            return Begun(Attachment(part, name, part.content_type, size_bytes))
        attachment = Attachment(part, name, part.content_type, decoded.size_bytes)
        return Begun(
            attachment,
            self._submit(decoded, self._store_attachment, source, number, attachment, decoded, deadline),
        )

    def finish_attachments(
        self, source: Source, begun: Sequence[Begun], deadline: Deadline
    ) -> list[StoredObject | None]:
        """Return what was stored by the deadline, in order."""
        wait([it.upload for it in begun if it.upload], max(deadline.remaining_s, 0.0))
        for one in begun:
            one.cancel()
        return [self._outcome(source, "attachment links", it.upload) if it.upload else None for it in begun]

    def begin_page(
        self,
        source: Source,
        root: Part,
        attachments: Sequence[LinkedAttachment],
        message_link: str,
        links_expire_at: datetime,
        deadline: Deadline,
    ) -> "Future[StoredObject] | None":
        """Start to make and store the page; None where pages are off."""
        if not self._links.page:
            return None
        source.message.share()
        return self._submit(
            source.message,
            self._store_page,
            source,
            root,
            attachments,
            message_link,
            links_expire_at,
            deadline,
        )

    def finish_page(
        self,
        source: Source,
        upload: "Future[StoredObject] | None",
        links_expire_at: datetime,
        deadline: Deadline,
    ) -> StoredObject | None:
        """Return the page if it was stored by the deadline, to stay until the links end."""
        if upload is None:
            return None
        wait([upload], max(deadline.remaining_s, 0.0))
        upload.cancel()
        stored = self._outcome(source, "page", upload)
        if stored and stored.ends_at < links_expire_at:
            log.degraded(
                source.queue_id, source.id, "page", "the bucket's lifecycle deletes it before the links end"
            )
            return None
        return stored

    def _submit(
        self, spooled: SpooledMessage, task: Callable[..., Result], *arguments: object
    ) -> "Future[Result]":
        """Have a worker run `task`, and close `spooled` behind it, even if nobody waits any more."""
        future = self._workers.submit(task, *arguments)
        future.add_done_callback(lambda _: spooled.close())
        return future

    def _outcome(self, source: Source, what: str, upload: "Future[StoredObject]") -> StoredObject | None:
        if not upload.done() or upload.cancelled():
            log.degraded(source.queue_id, source.id, what, "there was no time left for it")
            return None
        try:
            return upload.result()
        except WoomeraError as error:
            log.degraded(source.queue_id, source.id, what, str(error))
        except Exception as error:  # a boundary: no oddity of a message keeps it from its recipients
            log.degraded(source.queue_id, source.id, what, type(error).__name__)
        return None

    def _decoded(self, source: Source, part: Part) -> SpooledMessage | None:
        """Return an attachment in the spool (S3 wants length and digest first), None if it cannot be had."""
        decoded: SpooledMessage | None = None
        try:
            decoded = source.message.beside()
            for chunk in decoded_chunks(source.message.fileno(), part, window_bytes=WINDOW_BYTES):
                decoded.write(chunk)
        except WoomeraError as error:
            log.degraded(source.queue_id, source.id, "attachment links", str(error))
            if decoded:
                decoded.close()
            return None
        return decoded

    def _store_attachment(
        self,
        source: Source,
        number: int,
        attachment: Attachment,
        decoded: SpooledMessage,
        deadline: Deadline,
    ) -> StoredObject:
        deadline.check("storing attachments")
        key = attachment_key(source.id, source.received_at, number, attachment.name)
        return self._store.put(
            key,
            decoded,
            attachment.content_type,
            deadline,
            datetime.now(UTC),
            file_name=attachment.name,
            with_md5=False,  # the whole of it is in the message, which has one
        )

    def _store_page(
        self,
        source: Source,
        root: Part,
        attachments: Sequence[LinkedAttachment],
        message_link: str,
        links_expire_at: datetime,
        deadline: Deadline,
    ) -> StoredObject:
        deadline.check("making the page")
        facts = _page_facts(source, root, attachments, message_link)
        page = self._pages.render(facts, links_expire_at)
        return self._store.put(
            page_key(source.id, source.received_at),
            page,
            "text/html; charset=utf-8",
            deadline,
            datetime.now(UTC),
        )


def _page_facts(
    source: Source, root: Part, attachments: Sequence[LinkedAttachment], message_link: str
) -> Facts:
    pictures = {
        it.attachment.part.content_id: Picture(it.link, it.attachment.name)
        for it in reversed(attachments)  # of several with the same id the first one counts
        if it.link and it.attachment.part.content_id and it.attachment.content_type in _PICTURE_TYPES
    }
    body = _body(source.message.fileno(), root, pictures)
    shown = body.shown if isinstance(body, SafeHtml) else frozenset()
    return Facts(
        headers=source.headers,
        size_bytes=source.message.size_bytes,
        body=body,
        pictures=[
            Picture(it.link, it.attachment.name)
            for it in attachments
            if it.link and _is_placeless_picture(it.attachment, shown)
        ],
        attachments=[
            PageAttachment(
                name=it.attachment.name,
                content_type=it.attachment.content_type,
                size_bytes=it.attachment.size_bytes,
                link=it.link,
                is_shown=it.link is not None
                and (it.attachment.part.content_id in shown or _is_placeless_picture(it.attachment, shown)),
            )
            for it in attachments
        ],
        message_link=message_link,
    )


def _body(fd: int, root: Part, pictures: dict[str, Picture]) -> SafeHtml | BodyText:
    if markup := contents.body_html(fd, root, _HTML_BYTES):
        body = safe_html(markup.text, pictures)
        if body.html:
            return SafeHtml(body.html, body.shown, body.remote_pictures, body.truncated or markup.truncated)
    return contents.body_text(fd, root, _TEXT_BYTES)


def _is_placeless_picture(attachment: Attachment, shown: frozenset[str]) -> bool:
    """Whether the sender meant it to be seen, and the text does not say where."""
    part = attachment.part
    return (
        part.disposition == "inline"
        and attachment.content_type in _PICTURE_TYPES
        and part.content_id not in shown
    )
