"""The page to read a message on: made of it, and stored beside it."""

from concurrent.futures import Future, wait
from datetime import UTC, datetime
from functools import partial

from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.mime.body import BodyText, body_html, body_text
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.page import Letter, Pages
from woomera_milter.offload.source import Offloaded, Source
from woomera_milter.offload.uploads import Workers, outcome
from woomera_milter.store.keys import page_key
from woomera_milter.store.objects import Store, StoredObject
from woomera_milter.text.safe_html import Picture, SafeHtml, safe_html

_HTML_BYTES = 512 * 1024
_TEXT_BYTES = 128 * 1024
_WHAT = "page"


class PageUploads:
    """Makes and stores pages. Safe to use from many threads at once."""

    def __init__(self, settings: config.Notice, store: Store, workers: Workers) -> None:
        """Raise ConfigError if the template cannot serve."""
        self._pages = Pages(settings)
        self._store = store
        self._workers = workers

    def begin(
        self, source: Source, root: Part, offloaded: Offloaded, deadline: Deadline
    ) -> "Future[StoredObject]":
        """Start to make and store the page."""
        source.message.share()
        return self._workers.begin(
            source.message, partial(self._store_one, source, root, offloaded, deadline)
        )

    def _store_one(
        self, source: Source, root: Part, offloaded: Offloaded, deadline: Deadline
    ) -> StoredObject:
        deadline.check("making the page")
        body = _body(source.message.fileno(), root, _pictures(offloaded))
        letter = Letter(offloaded.original, body, offloaded.links.message)
        page = self._pages.render(letter, offloaded.links_expire_at)
        key = page_key(source.id, source.received_at)
        return self._store.put(key, page, "text/html; charset=utf-8", deadline, datetime.now(UTC))

    def finish(
        self, source: Source, future: "Future[StoredObject]", links_expire_at: datetime, deadline: Deadline
    ) -> StoredObject | None:
        """Return the page if it was stored by the deadline, to stay until the links end."""
        wait([future], max(deadline.remaining_s, 0.0))
        stored = outcome(source, _WHAT, future)
        if stored and stored.ends_at < links_expire_at:
            why = "the bucket's lifecycle deletes it before the links end"
            source.lacks(_WHAT, why)
            return None
        return stored


def _pictures(offloaded: Offloaded) -> dict[str, Picture]:
    """Return the pictures that the text may show by content id; of several with one, the first counts."""
    return {
        linked.attachment.part.content_id: Picture(linked.link, linked.attachment.name)
        for linked in reversed(offloaded.original.attachments)
        if linked.link and linked.attachment.part.content_id and linked.is_picture
    }


def _body(fd: int, root: Part, pictures: dict[str, Picture]) -> SafeHtml | BodyText:
    if markup := body_html(fd, root, _HTML_BYTES):
        body = safe_html(markup.text, pictures)
        if body.html:
            return SafeHtml(body.html, body.shown, body.remote_pictures, body.truncated or markup.truncated)
    return body_text(fd, root, _TEXT_BYTES)
