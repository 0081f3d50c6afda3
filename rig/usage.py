"""What a process holds of the machine, as Linux tells (proc(5))."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Resident set, open descriptors, threads."""

    rss_bytes: int
    descriptors: int
    threads: int


def usage_of(pid: int) -> Usage:
    """Return what the process holds now."""
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return Usage(
        rss_bytes=int(fields["VmRSS"].split()[0]) * 1024,
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(fields["Threads"]),
    )
