"""What glibc keeps of the memory that messages took."""

import re
import subprocess
import sys

import pytest

# malloc_info(3) tells the arenas, and what malloc(3) has mapped by itself.
TELL = """
libc = ctypes.CDLL(None)
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""
THREADS_COME_AND_GO = """
everybody = threading.Barrier(20)
def hold():
    held = [bytes(4096) for _ in range(50)]
    everybody.wait()
threads = [threading.Thread(target=hold) for _ in range(20)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
LARGE_BUFFERS_COME_AND_GO = """
bytearray(8 << 20)
held = bytearray(1 << 20)
"""


def told(happening: str, *, bounded: bool) -> str:
    """What malloc_info tells of a process afterwards."""
    first = "import ctypes, threading\nfrom woomera_milter.milter.process import bound_memory\n"
    program = first + ("bound_memory()\n" if bounded else "") + happening + TELL
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("bounded", [True, False])
def test_threads_of_a_milter_share_two_arenas(bounded: bool) -> None:
    arenas = told(THREADS_COME_AND_GO, bounded=bounded).count("<heap nr=")

    assert (arenas <= 2) is bounded


def test_large_buffer_is_always_mapped_by_itself_so_that_it_is_given_back() -> None:
    def mapped(*, bounded: bool) -> int:
        [count] = re.findall(
            r'<total type="mmap" count="([0-9]+)"', told(LARGE_BUFFERS_COME_AND_GO, bounded=bounded)
        )
        return int(count)

    assert mapped(bounded=True) == mapped(bounded=False) + 1
