"""Child processes that the rig owns: started with a log, awaited until they serve, ended by their own id."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL_S = 0.01
_WITH_HOST_NAME = """\
import os, socket, sys
socket.sethostname(sys.argv[1])
os.execvp(sys.argv[2], sys.argv[2:])
"""
_LOG_TAIL_BYTES = 4000


class StartError(RuntimeError):
    """A server of the rig ended before it was ready, or was not ready in time; the text ends with its log."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on at `host`, and that nobody gets before its server has begun.

    The kernel gives the ports above to whoever connects, and all rigs that run at once draw from those below.
    """
    while True:
        with _ports_lock:
            port = next(_ports)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port


def _own_ports() -> Iterator[int]:
    """Yield ports that no other process of the rig draws: it holds a name (unix(7)) for each block of them.

    Abstract names end with their process, and belong to the same network namespace as its ports.
    """
    firsts = list(range(10_000, 32_000, _PORTS_IN_A_BLOCK))
    random.SystemRandom().shuffle(firsts)
    for first in firsts:
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0woomera-rig-ports-{first}")
        except OSError:
            holder.close()
        else:
            _holders.append(holder)
            yield from range(first, first + _PORTS_IN_A_BLOCK)
    raise StartError("this process has used all of the rig's ports, 10000 to 31999")


_PORTS_IN_A_BLOCK = 50
_holders: list[socket.socket] = []
_ports = _own_ports()
_ports_lock = threading.Lock()


def accepts(host: str, port: int) -> bool:
    """Tell whether a TCP connection to `host` and `port` is accepted just now."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def accepts_at(path: Path) -> bool:
    """Tell whether a connection to the unix socket at `path` is accepted just now."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def on_host(name: str) -> list[str]:
    """Return the words before a command that make it run on a host of this name: in a UTS namespace.

    An ordinary user needs a user namespace around that, and a second one within to be himself again.
    """
    with_name = [sys.executable, "-ISc", _WITH_HOST_NAME, name]
    if os.getuid() == 0:
        return ["unshare", "--uts", *with_name]
    himself = ["unshare", "--user", f"--map-user={os.getuid()}", f"--map-group={os.getgid()}"]
    return ["unshare", "--user", "--map-root-user", "--uts", *with_name, *himself]


class Process:
    """A running server with its log file; ends it, and all that it forked, when the `with` block ends.

    It leads a session of its own: Ctrl-C in the terminal reaches the rig alone, which then stops its servers
    in order, and `kill` takes the whole process group, as the loss of a host would.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        log_path: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: int | None = None,
    ) -> None:
        """Start `argv`, output appended to `log_path`, as `user` (uid and gid; root only)."""
        self.argv = [str(word) for word in argv]
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._child = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
            )
        self.pid = self._child.pid

    @property
    def running(self) -> bool:
        """Tell whether the process itself (not what it forked) is alive."""
        return self._child.poll() is None

    def log_text(self) -> str:
        """Return what the server has written so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def wait_until_ready(self, is_ready: Callable[[], bool], timeout_s: float = 10) -> None:
        """Return once `is_ready()`; kill it and raise StartError where it ends or time runs out first."""
        ends_at = time.monotonic() + timeout_s
        while not is_ready():
            if not self.running:
                trouble = f"ended with status {self._child.returncode} before it was ready"
            elif time.monotonic() > ends_at:
                trouble = f"was not ready within {timeout_s:g} s"
            else:
                time.sleep(_POLL_S)
                continue
            self.kill()
            tail = self.log_text()[-_LOG_TAIL_BYTES:]
            raise StartError(f"{self.argv[0]} {trouble}; {self.log_path} ends with:\n{tail}")

    def wait_until_accepting(self, port: int, host: str = "127.0.0.1", timeout_s: float = 10) -> None:
        """Return once `host` and `port` accept connections; raise StartError as `wait_until_ready` does."""
        self.wait_until_ready(lambda: accepts(host, port), timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Return the exit status of a process that ends by itself; raise subprocess.TimeoutExpired."""
        return self._child.wait(timeout_s)

    def stop(self, timeout_s: float = 10) -> int:
        """End it by SIGTERM, after `timeout_s` by SIGKILL; return its exit status (negative: the signal)."""
        if self.running:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout_s)
        return self.kill()

    def kill(self) -> int:
        """End it and everything it forked with SIGKILL, at once; return its exit status."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self._child.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
