"""The milters' sockets: making way for one, connections to it, and the nudge that libmilter needs."""

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from woomera_milter.errors import PermanentError

NUDGE_EVERY_S = 0.25
_NUDGE_TIMEOUT_S = 1.0


def connected(address: str, timeout_s: float) -> socket.socket:
    """Return a connection to a socket as config.yaml names it; raise OSError where nobody listens."""
    kind, _, place = address.partition(":")
    if kind != "unix":
        port, _, host = place.partition("@")
        return socket.create_connection((host.strip("[]"), int(port)), timeout_s)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout_s)
        connection.connect(place)
    except OSError:
        connection.close()
        raise
    return connection


def make_way(section: str, address: str) -> None:
    """Remove the socket file that a killed milter has left; refuse to take a living one's place."""
    if not address.startswith(("unix:", "local:")):
        return
    path = Path(address.partition(":")[2])
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except OSError:
            path.unlink()
            return
    raise PermanentError(
        f"{section}.socket: another process already serves {path}",
        remedy="stop it first",
        reason="socket",
    )


class Nudge:
    """Connects to our own socket every moment while the `with` block runs, and hangs up.

    A libmilter with a pool of threads (worker.c; Debian's, since 8.15) starts another thread only when
    something happens while none is idle. Of two packets that come at once the second can be put down for a
    thread that has just been given the first, and then waits for as long as all threads are busy: storing
    large messages, or waiting for the rest of a packet. Any connection is such a happening.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nudge", daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(NUDGE_EVERY_S):
            with contextlib.suppress(OSError):
                connected(self._address, _NUDGE_TIMEOUT_S).close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
