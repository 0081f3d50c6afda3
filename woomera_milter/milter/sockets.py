"""The milters' sockets: making way for one, connections to it, and the nudge that libmilter needs."""

import contextlib
import socket
from contextlib import AbstractContextManager
from pathlib import Path

from woomera_milter.clock import every
from woomera_milter.errors import PermanentError, Reason

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
    """Remove the socket file that a milter has left.

    Raise PermanentError where a living one serves there, or something else has that name. A folder that is
    missing, or not ours, is for opening the socket to tell.
    """
    if not address.startswith("unix:"):
        return
    path = Path(address.partition(":")[2])
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except (FileNotFoundError, NotADirectoryError):
            return
        except (ConnectionRefusedError, PermissionError):
            # Another user's, too: root's, who ran a milter by hand. A living one loses its name, no mail.
            try:
                is_socket = path.is_socket()
                if is_socket:
                    path.unlink()
            except OSError:
                return
            if is_socket:
                return
            problem, remedy = f"{path} is something else than a socket", "name a path that is free"
        except OSError as error:  # a socket of another kind, which may be in use
            problem = f"{path} cannot be asked whether it is in use ({error.strerror or error})"
            remedy = "see whose it is, and remove it if nobody uses it"
        else:
            problem, remedy = f"another process already serves {path}", "stop it first"
    raise PermanentError(f"{section}.socket: {problem}", remedy=remedy, reason=Reason.SOCKET)


def nudged(address: str) -> AbstractContextManager[None]:
    """Connect to our own socket every moment while the `with` block runs, and hang up.

    A libmilter with a pool of threads (worker.c; Debian's, since 8.15) starts another thread only when
    something happens while none is idle. Of two packets that come at once the second can be put down for a
    thread that has just been given the first, and then waits for as long as all threads are busy: storing
    large messages, or waiting for the rest of a packet. Any connection is such a happening.
    """

    def nudge() -> None:
        with contextlib.suppress(OSError):
            connected(address, _NUDGE_TIMEOUT_S).close()

    return every(NUDGE_EVERY_S, nudge)
