"""What stands in the way of the milter's socket."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from woomera_milter.milter.sockets import make_way

NOBODY = 65534


@contextmanager
def a_user_who_is_not_root(folder: Path) -> Iterator[None]:
    """Who owns the folder, as Woomera's owns its own; the process's own user, where that is not root."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_socket_that_root_left_makes_way() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "milter.sock")
        with socket.socket(socket.AF_UNIX) as roots:
            roots.bind(str(path))
        path.chmod(0)

        with a_user_who_is_not_root(Path(folder)):
            make_way("milter", f"unix:{path}")

            assert not path.exists()
