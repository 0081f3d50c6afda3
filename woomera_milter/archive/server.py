"""The archive milter's process."""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import NoReturn

from woomera_milter import config
from woomera_milter.archive.session import ArchiveSession
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.milter import server
from woomera_milter.milter.connection import CONTINUE, Role
from woomera_milter.milter.destinations import Destinations

ROLE = Role("archive-milter", "archive", {}, on_trouble=CONTINUE)
_FINISH_S = 30.0


def serve(configuration: config.Config) -> NoReturn:
    """Serve the archive milter's socket until SIGTERM; raise WoomeraError where it cannot keep copies."""
    settings, of_both = configuration.archive, configuration.milter
    spool = ArchiveSpool(settings.spool, settings.min_free)
    spool.room.free_bytes()
    new_session = partial(
        ArchiveSession,
        settings.min_size,
        spool,
        Destinations(of_both.mailers, of_both.sendmail),
        trust_msg_size=of_both.trust_msg_size,
    )
    server.serve(ROLE, settings.socket, new_session, _FINISH_S, _without_remains(spool))


@contextlib.contextmanager
def _without_remains(spool: ArchiveSpool) -> Iterator[None]:
    """Remove what a killed milter had begun. The socket is ours by now, so no living one works there."""
    spool.remove_unfinished()
    yield
