"""What a process holds of the machine, as Linux tells (proc(5))."""

from contextlib import suppress
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


def descriptors_of(pid: int, s3_port: int) -> tuple[int, int]:
    """Return how many the process has open: those that are no connection to S3, and those that are."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    to_s3 = {f"socket:[{fields[9]}]" for fields in lines if fields[2].endswith(f":{s3_port:04X}")}
    opened = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed just now
            opened.append(str(path.readlink()))
    connections = sum(target in to_s3 for target in opened)
    return len(opened) - connections, connections
