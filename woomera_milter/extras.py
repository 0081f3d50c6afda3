"""What recipients get besides the .eml: attachments of their own, and a page to read the message on.

They may be missing, and the message may not: nothing here raises, and nothing is begun, or waited for, in
the last third of the message's deadline. Whatever fails is logged, and simply has no link.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from woomera_milter import config, log, mime
from woomera_milter.errors import TemporaryError, WoomeraError
from woomera_milter.html_body import Picture, SafeHtml, safe_html
from woomera_milter.mime import Attachment, BodyText, HeaderFacts, Part
from woomera_milter.page import Facts, PageAttachment, Pages
from woomera_milter.spool import Deadline, SpooledMessage
from woomera_milter.store import Store, Stored, attachment_key, page_key

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
    headers: HeaderFacts


@dataclass(frozen=True, slots=True)
class LinkedAttachment:
    """An attachment, and its link where it is stored."""

    attachment: Attachment
    link: str | None


class Extras:
    """Stores attachments and pages. Safe to use from many threads at once."""

    def __init__(self, configuration: config.Config, store: Store) -> None:
        self._links = configuration.links
        self._store = store
        self._pages = Pages(configuration.notice)
        self._workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="extras")

    def begin_attachments(
        self, source: Source, attachments: Sequence[Attachment], deadline: Deadline
    ) -> "list[Future[Stored]]":
        """Start to store those that get a link: the first links.max_attachments of them."""
        if not self._links.attachments:
            return []
        chosen = attachments[: self._links.max_attachments]
        return [
            self._submit(source.message, self._store_attachment, source, number, attachment, deadline)
            for number, attachment in enumerate(chosen, 1)
        ]

    def finish_attachments(
        self, source: Source, uploads: "Sequence[Future[Stored]]", deadline: Deadline
    ) -> list[Stored | None]:
        """Return what was stored by the deadline, in order."""
        _, late = wait(uploads, max(deadline.remaining_s, 0.0))
        for upload in late:
            upload.cancel()
        return [self._outcome(source, "attachment links", upload) for upload in uploads]

    def find_attachments(
        self, source: Source, keys: Sequence[str | None], deadline: Deadline
    ) -> list[Stored | None]:
        """Return which of these attachments, stored long ago, are still there, in order."""
        lookups = [self._workers.submit(self._find, key) if key else None for key in keys]
        wait([it for it in lookups if it], max(deadline.remaining_s, 0.0))
        return [self._outcome(source, "attachment links", it) if it else None for it in lookups]

    def begin_page(
        self,
        source: Source,
        root: Part,
        attachments: Sequence[LinkedAttachment],
        message_link: str,
        links_expire_at: datetime,
        deadline: Deadline,
    ) -> "Future[Stored] | None":
        """Start to make and store the page; None where pages are off."""
        if not self._links.page:
            return None
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
        self, source: Source, upload: "Future[Stored] | None", links_expire_at: datetime, deadline: Deadline
    ) -> Stored | None:
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
        self, message: SpooledMessage, task: Callable[..., Result], *arguments: object
    ) -> "Future[Result]":
        """Have a worker run `task`, for which the message's file stays even if nobody waits any more."""
        message.share()
        future = self._workers.submit(task, *arguments)
        future.add_done_callback(lambda _: message.close())
        return future

    def _outcome(self, source: Source, what: str, upload: "Future[Stored]") -> Stored | None:
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

    def _store_attachment(
        self, source: Source, number: int, attachment: Attachment, deadline: Deadline
    ) -> Stored:
        deadline.check("storing attachments")
        decoded = source.message.beside()  # S3 wants length and digests first, and may want it twice
        try:
            for chunk in mime.decoded_chunks(
                source.message.fileno(), attachment.part, window_bytes=WINDOW_BYTES
            ):
                decoded.write(chunk)
            if decoded.size_bytes != attachment.size_bytes:
                raise TemporaryError("an attachment was not decoded to the size announced")
            key = attachment_key(source.id, source.received_at, number, attachment.name)
            return self._store.put_attachment(
                key, decoded, attachment.content_type, attachment.name, deadline, datetime.now(UTC)
            )
        finally:
            decoded.close()

    def _find(self, key: str) -> Stored:
        return Stored(key, self._store.ends_at(key))

    def _store_page(
        self,
        source: Source,
        root: Part,
        attachments: Sequence[LinkedAttachment],
        message_link: str,
        links_expire_at: datetime,
        deadline: Deadline,
    ) -> Stored:
        deadline.check("making the page")
        facts = _page_facts(source, root, attachments, message_link)
        page = self._pages.render(facts, links_expire_at)
        return self._store.put_page(
            page_key(source.id, source.received_at), page, deadline, datetime.now(UTC)
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
    if markup := mime.body_html(fd, root, _HTML_BYTES):
        body = safe_html(markup.text, pictures)
        if body.html:
            return SafeHtml(body.html, body.shown, body.remote_pictures, body.truncated or markup.truncated)
    return mime.body_text(fd, root, _TEXT_BYTES)


def _is_placeless_picture(attachment: Attachment, shown: frozenset[str]) -> bool:
    """Whether the sender meant it to be seen, and the text does not say where."""
    part = attachment.part
    return (
        part.disposition == "inline"
        and attachment.content_type in _PICTURE_TYPES
        and part.content_id not in shown
    )
