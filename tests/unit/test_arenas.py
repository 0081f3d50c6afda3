"""Memory that glibc keeps for threads which have come and gone."""

import re
import subprocess
import sys

import pytest

# Twenty threads at once hold what malloc(3) gives; malloc_info(3) then lists the arenas.
PROGRAM = """
import ctypes, sys, threading
from woomera_milter.process import share_arenas
if "share" in sys.argv:
    share_arenas()
everybody = threading.Barrier(20)
def hold():
    held = [bytes(4096) for _ in range(50)]
    everybody.wait()
threads = [threading.Thread(target=hold) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


@pytest.mark.parametrize(("argument", "are_few"), [("share", True), ("keep", False)])
def test_threads_of_a_milter_share_two_arenas(argument: str, are_few: bool) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, check=True, timeout=60
    )

    arenas = re.findall(r"<heap nr=", result.stdout)

    assert (len(arenas) <= 2) is are_few
