"""How fast an mbox is taken apart: `woomera archive --mbox` against Debian's `formail -s`."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import encodebytes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import yaml

from rig.lab import environment
from rig.mail.messages import MB
from rig.process import StartError

SIZE_BYTES = 1024 * MB
MESSAGES = 10_000
_RELATIVE_SIZES = (2, 2, 2, 5, 5, 20, 50, 100, 300, 1000, 2500)  # a few large ones hold most octets


_SPEED_TARGET = 10.0
_MEMORY_TARGET_MB = 64.0


@dataclass(frozen=True, slots=True)
class Split:
    """Of one mbox, which both programs split into the same number of messages."""

    HEADINGS: ClassVar = ("mbox", "messages", "formail -s", "woomera archive --mbox", "times as fast", "peak")

    size_bytes: int
    messages: int
    formail_s: float
    woomera_s: float
    peak_mb: float

    def row(self) -> list[str]:
        """Return the cells under HEADINGS."""
        speed = self.formail_s / self.woomera_s
        return [
            f"{self.size_bytes / MB:,.0f} MB",
            f"{self.messages:,}",
            f"{self.formail_s:.2f} s",
            f"{self.woomera_s:.2f} s",
            f"{speed:.1f} (at least {_SPEED_TARGET:.0f}{', MISSED' * (speed < _SPEED_TARGET)})",
            f"{self.peak_mb:.0f} MB (at most {_MEMORY_TARGET_MB:.0f}"
            f"{', MISSED' * (self.peak_mb > _MEMORY_TARGET_MB)})",
        ]


def measure(say: Callable[[str], None], size_bytes: int = SIZE_BYTES, count: int = MESSAGES) -> Split:
    """Have ours split and hash (a dry run), and formail write the same messages to files.

    Raise StartError where formail is not installed.
    """
    if shutil.which("formail") is None:
        raise StartError("formail is not installed: apt-get install -y procmail")
    with tempfile.TemporaryDirectory(prefix="woomera-bench-") as name:
        folder = Path(name)
        mbox = folder / "history.mbox"
        say("mbox: writing it")
        make_mbox(mbox, size_bytes, count)
        storage = {"bucket": "large-mail", "access_key_id": "unused-as-nothing-goes-there"}
        config = folder / "config.yaml"
        config.touch(mode=0o600)
        config.write_text(
            yaml.safe_dump({"storage": storage | {"secret_access_key": "likewise"}}), encoding="utf-8"
        )
        command = [sys.executable, "-m", "woomera_milter", "--config", str(config)]
        say("mbox: woomera archive --mbox")
        command += ["archive", "--dry-run", "--json", "--mbox", str(mbox)]
        woomera_s, peak_mb, output = _timed(command, folder, mbox)
        (folder / "files").mkdir()
        say("mbox: formail -s")
        formail = ["formail", "-s", "sh", "-c", "exec cat > $FILENO"]
        formail_s, _, _ = _timed(formail, folder / "files", mbox)
        split = json.loads(output)["archived"]["count"]
        files = len(list((folder / "files").iterdir()))
        if not split == files == count:
            raise AssertionError(f"{count} messages: we found {split}, formail {files}")
    return Split(size_bytes, count, formail_s, woomera_s, peak_mb)


def make_mbox(path: Path, size_bytes: int, count: int) -> None:
    """Write an mbox of about that size: `count` messages with a file in base64, of mixed sizes."""
    chance = random.Random(1)
    weights = [chance.choice(_RELATIVE_SIZES) for _ in range(count)]
    for_files = size_bytes - count * 300
    with path.open("wb") as mbox:
        for number, weight in enumerate(weights):
            moment = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(1_790_000_000 + number))
            mbox.write(
                f"From sender{number}@example.com {moment}\nFrom: sender@example.com\nTo: a@example.org\n"
                f"Subject: number {number}\nMessage-ID: <{number}.bench@example.com>\nMIME-Version: 1.0\n"
                "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n".encode()
            )
            left = for_files * weight // sum(weights)
            while left > 0:
                part = min(left, 77 * 10_000)
                mbox.write(encodebytes(chance.randbytes(part * 57 // 77)))
                left -= part
            mbox.write(b"\n")


def _timed(command: Sequence[str], folder: Path, mbox: Path) -> tuple[float, float, bytes]:
    """Return seconds, peak memory in MB and output of a command that reads the mbox."""
    in_checkout = environment() | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with mbox.open("rb") as stdin:
        began = time.perf_counter()
        with subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, cwd=folder, env=in_checkout
        ) as process:
            assert process.stdout is not None
            output = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        took_s = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return took_s, usage.ru_maxrss / 1024, output
