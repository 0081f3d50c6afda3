"""The page to read a message on: made of it, and stored beside it."""

from concurrent.futures import Future, wait
from datetime import UTC, datetime
from functools import partial

from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.mime.body import body
from woomera_milter.message.mime.tree import Part
from woomera_milter.notice.letter import letter_of
from woomera_milter.notice.page import Pages
from woomera_milter.offload.source import Offloaded, Source
from woomera_milter.offload.uploads import Workers, outcome
from woomera_milter.store.keys import page_key
from woomera_milter.store.objects import Store, StoredObject

_LEAF_BYTES = 512 * 1024
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
        original = offloaded.original
        letter = letter_of(body(source.message.fileno(), root, _LEAF_BYTES), original.attachments)
        page = self._pages.render(original, letter, offloaded.links.message, offloaded.links_expire_at)
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
