"""Workers for what recipients get besides the .eml: attachments of their own, and the page.

They may be missing, and the message may not: nothing here raises, and nothing is begun, or waited for, in
the last third of the message's deadline. Whatever fails is logged, and simply has no link.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from woomera_milter.errors import WoomeraError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.offload.source import Source
from woomera_milter.store.objects import StoredObject

AT_ONCE = 8  # attachments and pages of all messages together: bounds memory and connections

NO_TIME = "there was no time left for it"


class Workers:
    """Safe to use from many threads at once."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="extras")

    def begin(self, spooled: SpooledMessage, task: Callable[[], StoredObject]) -> "Future[StoredObject]":
        """Have a worker run `task`, and close `spooled` behind it, even if nobody waits any more."""
        future = self._executor.submit(task)
        future.add_done_callback(lambda _: spooled.close())
        return future


def outcome(source: Source, what: str, future: "Future[StoredObject]") -> StoredObject | None:
    """Return what was stored by now; where nothing was, note that the notice lacks it."""
    future.cancel()
    if not future.done() or future.cancelled():
        source.lacks(what, NO_TIME)
        return None
    try:
        return future.result()
    except WoomeraError as error:
        source.lacks(what, str(error))
    except Exception as error:  # a boundary: no oddity of a message keeps it from its recipients
        source.lacks(what, type(error).__name__)
    return None
