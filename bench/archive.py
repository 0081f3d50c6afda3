"""The archive: what its milter costs, and how fast an mbox is taken apart, against Debian's formail.

Run as `python -m bench.archive` (PARTS: milter, mbox). Filters are reached by unix sockets, as the shipped
configuration has it.
"""

import json
import os
import random
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from base64 import encodebytes
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.client import deliver, on_the_wire
from bench.figures import paired_ratio
from rig import messages
from rig.lab import environment
from rig.messages import MB
from rig.process import Process, free_port
from rig.sendmail import Sendmail
from rig.sendmail_cf import Settings

ROUNDS = 20
BOTH_TO_MAIN_TARGET = 1.03
KEPT_TO_ALONE_TARGET = 1.5
FORMAIL_TARGET = 10.0
MEMORY_TARGET_MB = 64.0

MBOX_BYTES = 1024 * MB
MBOX_MESSAGES = 10_000
_RELATIVE_SIZES = (2, 2, 2, 5, 5, 20, 50, 100, 300, 1000, 2500)  # a few large ones hold most octets


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure, with its bounds where it is a median of rounds."""

    name: str
    value: float
    target: str
    missed: bool
    detail: str

    def line(self) -> str:
        """For the table."""
        verdict = "MISSED" if self.missed else "ok"
        return f"{self.name:44} {self.value:8.3f}  {self.target:14} {verdict:7} {self.detail}"


def milter_figures(rounds: int = ROUNDS) -> list[Figure]:
    """Compare both milters with the main one alone, and a message that is kept with no milter at all."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="woomera-bench-")))
        sockets = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=_run())))
        sockets.chmod(0o755)
        main, archive = f"unix:{sockets}/main", f"unix:{sockets}/archive"
        arrangements = {
            "alone": (None, None),
            "main": (main, None),
            "both": (main, archive),
            "archive": (None, archive),
        }
        sendmails = {
            name: stack.enter_context(
                Sendmail(
                    Settings(
                        relay_port=free_port(),
                        milter_socket=milter_socket,
                        archive_socket=archive_socket,
                        delivery_mode="queue",
                    )
                )
            )
            for name, (milter_socket, archive_socket) in arrangements.items()
        }
        config = _configuration(folder, main, archive)
        uid = sendmails["alone"].folder.stat().st_uid
        for command, address in (("milter", main), ("archive-milter", archive)):
            _serve(stack, [*_woomera(config), command], address, folder / f"{command}.log", uid)

        def compare(size_bytes: int, first: str, second: str, target: float) -> Figure:
            wire = on_the_wire(messages.message_with_file(size_bytes))
            times: dict[str, list[float]] = {first: [], second: []}
            for number in range(rounds):
                for name in (first, second) if number % 2 else (second, first):
                    times[name].append(deliver(sendmails[name].smtp_port, wire))
                for path in (*sendmails[first].queue.iterdir(), *sendmails[second].queue.iterdir()):
                    path.unlink()
                for path in (folder / "archive").iterdir():
                    path.unlink()
            ratio = paired_ratio(times[first], times[second], target)
            medians = [1000 * sorted(times[name])[rounds // 2] for name in (first, second)]
            return Figure(
                f"{size_bytes / 1024:,.0f} KB: {first} / {second}",
                ratio.median,
                f"at most {target}",
                ratio.missed,
                f"95 %: {ratio.low:.3f}-{ratio.high:.3f}; {medians[0]:.1f} and {medians[1]:.1f} ms",
            )

        return [
            compare(20 * 1024, "both", "main", BOTH_TO_MAIN_TARGET),
            compare(4 * MB, "both", "main", BOTH_TO_MAIN_TARGET),
            compare(25 * MB, "archive", "alone", KEPT_TO_ALONE_TARGET),
        ]


def mbox_figures(mbox_bytes: int = MBOX_BYTES, count: int = MBOX_MESSAGES) -> list[Figure]:
    """Compare `woomera archive --mbox --dry-run`, which splits and hashes, with `formail -s` to files."""
    if shutil.which("formail") is None:
        raise FileNotFoundError("formail is not installed: apt-get install procmail")
    with tempfile.TemporaryDirectory(prefix="woomera-bench-") as name:
        folder = Path(name)
        mbox = folder / "history.mbox"
        make_mbox(mbox, mbox_bytes, count)
        config = _configuration(folder, "unix:/run/unused/main", "unix:/run/unused/archive")
        command = [*_woomera(config), "archive", "--dry-run", "--json", "--mbox", str(mbox)]
        ours_s, output = _timed(command, folder, mbox)
        # That of the largest child so far; formail has not run yet, and m4 and sendmail are smaller.
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        (folder / "files").mkdir()
        formail_s, _ = _timed(["formail", "-s", "sh", "-c", "exec cat > $FILENO"], folder / "files", mbox)
        split = json.loads(output)["archived"]["count"]
        files = len(list((folder / "files").iterdir()))
        if not split == files == count:
            raise AssertionError(f"{count} messages: we found {split}, formail {files}")
    speed = formail_s / ours_s
    size = f"{mbox_bytes / MB:,.0f} MB, {count:,} messages"
    return [
        Figure(
            f"{size}: times as fast as formail -s",
            speed,
            f"at least {FORMAIL_TARGET:g}",
            speed < FORMAIL_TARGET,
            f"{ours_s:.2f} and {formail_s:.2f} s",
        ),
        Figure(
            "its peak memory, MB", peak_mb, f"at most {MEMORY_TARGET_MB:g}", peak_mb > MEMORY_TARGET_MB, ""
        ),
    ]


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


def _timed(command: Sequence[str], folder: Path, mbox: Path) -> tuple[float, bytes]:
    with mbox.open("rb") as stdin:
        began = time.perf_counter()
        done = subprocess.run(
            command, stdin=stdin, stdout=subprocess.PIPE, cwd=folder, env=_from_checkout(), check=True
        )
        return time.perf_counter() - began, done.stdout


def _from_checkout() -> dict[str, str]:
    return environment() | {"PYTHONPATH": str(Path(__file__).parent.parent)}


def _woomera(config: Path) -> list[str]:
    return [sys.executable, "-m", "woomera_milter", "--config", str(config)]


def _configuration(folder: Path, main: str, archive: str) -> Path:
    for name in ("spool", "archive"):
        (folder / name).mkdir()
    config = folder / "config.yaml"
    config.touch(mode=0o600)
    storage = {
        "bucket": "large-mail",
        "region": "us-east-1",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "not-a-secret-since-nothing-is-stored-here",
    }
    sections = {
        "storage": storage,
        "milter": {"socket": main, "spool": str(folder / "spool")},
        "archive": {"socket": archive, "spool": str(folder / "archive"), "min_free": 0},
    }
    config.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return config


def _serve(stack: ExitStack, command: list[str], address: str, log: Path, uid: int) -> None:
    process = stack.enter_context(Process(command, log, env=environment()))
    path = address.removeprefix("unix:")
    process.wait_until_ready(lambda: _accepts(path))
    # Where root runs the bench, sendmail is another user, and filters keep their sockets to themselves.
    os.chown(path, uid, -1)


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _run() -> Path:
    """Return a folder for sockets that sendmail takes for safe: none that others can write to is above it."""
    if os.getuid() == 0:
        return Path("/run")
    return Path(os.environ.get("XDG_RUNTIME_DIR") or Path.home())


def main(parts: Sequence[str]) -> int:
    """Print the table; return 1 where a target was missed."""
    figures: list[Figure] = []
    if not parts or "mbox" in parts:
        figures += mbox_figures()
    if not parts or "milter" in parts:
        figures += milter_figures()
    for figure in figures:
        print(figure.line())
    return int(any(figure.missed for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
