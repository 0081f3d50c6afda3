"""The most memory that the milter's process ever holds while large messages come all at once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.bed import Bed
from bench.client import deliver_at_once, on_the_wire
from rig.mail.messages import MB, message_with_files
from woomera_milter.config.values import format_size

MESSAGES = 16
SIZE_BYTES = 40 * MB
ATTACHMENTS = 2
TARGET_BYTES = 150 * MB


@dataclass(frozen=True, slots=True)
class Memory:
    """VmHWM, the peak of the resident set, mapped files included (proc(5))."""

    HEADINGS: ClassVar = ("messages at once", "size", "before", "peak")

    messages: int
    size_bytes: int
    before_bytes: int
    peak_bytes: int

    @property
    def missed(self) -> bool:
        """Tell whether the peak is above the target."""
        return self.peak_bytes > TARGET_BYTES

    def row(self) -> list[str]:
        """Return the cells under HEADINGS."""
        peak = f"{self.peak_bytes / MB:.0f} MB (at most {TARGET_BYTES // MB}{', MISSED' * self.missed})"
        return [str(self.messages), format_size(self.size_bytes), f"{self.before_bytes / MB:.0f} MB", peak]


def measure(bed: Bed, say: Callable[[str], None]) -> Memory:
    """Have all messages intercepted at once by a fresh milter; raise DeliveryError where one fails."""
    wire = on_the_wire(message_with_files(SIZE_BYTES, ATTACHMENTS))
    before_bytes = _peak_bytes(bed.milter.pid)
    say(f"memory: {MESSAGES} messages of {format_size(SIZE_BYTES)} at once")
    deliver_at_once(bed.woomera.smtp_port, wire, MESSAGES)
    bed.check_intercepted(MESSAGES)
    return Memory(MESSAGES, SIZE_BYTES, before_bytes, _peak_bytes(bed.milter.pid))


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
