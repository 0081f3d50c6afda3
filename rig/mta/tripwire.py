"""A relay between sendmail and the milter that acts at a packet of some kind: it can hit each moment."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from rig.mta.filters import MilterRelay
from rig.mta.packets import BODY, CHANGE_HEADER, END_OF_MESSAGE, REPLACE_BODY
from woomera_milter.check.milter_client import ACCEPT, END_OF_HEADERS, HEADER, MAIL, RCPT, Packet


class Step(Enum):
    """A packet that begins a step: its command, and whether the milter sends it."""

    MAIL = (MAIL, False)
    RCPT = (RCPT, False)
    HEADER = (HEADER, False)
    END_OF_HEADERS = (END_OF_HEADERS, False)
    BODY = (BODY, False)
    END_OF_MESSAGE = (END_OF_MESSAGE, False)
    CHANGE_HEADER = (CHANGE_HEADER, True)
    REPLACE_BODY = (REPLACE_BODY, True)
    ACCEPT = (ACCEPT, True)


@dataclass(frozen=True, slots=True)
class _Trap:
    step: Step
    spring: Callable[[], object]
    sprung: threading.Event


class Tripwire(MilterRelay):
    """Passes all on until what is `set` happens."""

    def __init__(self) -> None:
        super().__init__()
        self._trap: _Trap | None = None

    def set(self, step: Step, spring: Callable[[], object]) -> threading.Event:
        """Call `spring` at the next packet of that kind, once, and cut the connection instead of relaying it.

        The event that is returned is set when it has happened.
        """
        self._trap = _Trap(step, spring, threading.Event())
        return self._trap.sprung

    def relayed(self, packet: Packet, *, is_reply: bool) -> Iterable[Packet]:
        """Return it, unless it springs the trap."""
        trap = self._trap
        if trap and trap.step.value == (packet[0], is_reply):
            self._trap = None
            trap.spring()
            trap.sprung.set()
            raise ConnectionAbortedError
        return [packet]
