"""What a process that runs for months asks of its host."""

import contextlib
import ctypes
import os
import socket

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # mallopt(3)


def bound_memory() -> None:
    """Have glibc give back what messages took; other libraries have nothing of the kind.

    Each connection has a thread, and glibc gives threads up to eight arenas a core, each of which keeps what
    its busiest moment took: two are enough. And once a large buffer was freed, glibc takes the next of its
    size from an arena, where smaller ones soon stand in the way of giving it back: a threshold that was set
    stays, and what is larger is always mapped by itself (mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD).
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 128 * 1024)


def tell_systemd() -> None:
    """Let `systemctl start`, and sendmail at boot, wait until here (sd_notify(3), for Type=notify).

    Where nobody listens any more, mail is served all the same.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.sendto(b"READY=1", f"\0{address[1:]}" if address[0] == "@" else address)
