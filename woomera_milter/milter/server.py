"""The process that serves a milter's socket: how it begins, and that it ends with nothing in hand."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import Milter
import milter

from woomera_milter import config, log
from woomera_milter.errors import Reason, TemporaryError
from woomera_milter.milter.connection import COPYING, MAIN, Connection, Role, report_unraised
from woomera_milter.milter.counters import Counters
from woomera_milter.milter.process import bound_memory, tell_systemd
from woomera_milter.milter.session import Intercept, Session
from woomera_milter.milter.sockets import make_way, nudged
from woomera_milter.milter.transaction import Transaction

REPLY_WRITE_S = 0.2


@dataclass(slots=True)
class InHand:
    """Counts the messages whose end-of-message is being worked on."""

    _count: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold one message."""
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait_until_none(self, timeout_s: float) -> None:
        """Return when no message is in hand any more, or the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0, timeout_s)


def serve_main(
    configuration: config.Config,
    intercept: Intercept,
    counters: Counters,
    snapshots: AbstractContextManager[object],
) -> NoReturn:
    """Serve the main milter; `snapshots` runs meanwhile, and ends after the last message is counted."""
    settings = configuration.milter
    workers = ThreadPoolExecutor(settings.max_concurrent, thread_name_prefix="store")
    new_session = partial(Session, configuration, intercept, workers, counters)
    role = COPYING if configuration.notice.copy_to_sender else MAIN
    serve(role, settings.socket, new_session, settings.deadline.total_seconds(), snapshots)


def serve(
    role: Role,
    address: str,
    new_transaction: Callable[[str], Transaction],
    finish_s: float,
    meanwhile: AbstractContextManager[object],
) -> NoReturn:
    """Serve the socket until SIGTERM, give what is in hand `finish_s` to be finished, and end the process.

    `meanwhile` is entered once the socket is ours, and before the first message comes.
    Raise PermanentError or TemporaryError where the socket cannot be had.
    """
    bound_memory()
    in_hand = InHand()
    Milter.factory = partial(Connection, role, new_transaction, in_hand.one)
    milter.set_flags(sum(role.actions.values()))
    sys.excepthook = partial(report_unraised, role)
    os.umask(0o177)
    # libmilter waits for these in a thread of its own; one that comes before it is ready has to wait, too.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    make_way(role.section, address)
    _open(role, address)
    log.started(role.name, socket=address)
    tell_systemd()
    with meanwhile, nudged(address):  # their threads take over the signal mask
        try:
            Milter.runmilter("woomera", address, rmsock=False)
        except milter.error as error:
            raise TemporaryError(
                f"libmilter has given up serving {address} ({error})",
                remedy="see whether this host is out of memory, threads or descriptors",
                reason=Reason.SOCKET,
            ) from error
        in_hand.wait_until_none(finish_s)
        time.sleep(REPLY_WRITE_S)  # libmilter writes the reply after the callback has returned
    log.stopped(role.name)
    # libmilter's threads may still sit in connections of the MTA's; there is nothing left to finish.
    sys.stderr.flush()
    os._exit(0)


def _open(role: Role, address: str) -> None:
    """Open the socket ahead of `runmilter`, which does not return: from now on the MTA's connections wait."""
    milter.register("woomera")
    milter.setconn(address)
    try:
        milter.opensocket(False)
    except milter.error as error:
        raise TemporaryError(
            f"{role.section}.socket: {address} cannot be opened ({error})",
            remedy="see that the folder belongs to the milter's user, and that no other process has the port",
            reason=Reason.SOCKET,
        ) from error
