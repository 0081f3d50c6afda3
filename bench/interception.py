"""What a message over the limit pays, as it is, against the least it could: sendmail alone plus an upload."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import ClassVar

from bench.bed import Bed
from bench.client import deliver, on_the_wire
from bench.figures import Ratio, paired_ratio
from bench.rounds import interleaved
from rig.lab import BUCKET
from rig.mail.messages import MB, message_with_file
from rig.mta.sendmail import Sendmail
from woomera_milter.config.values import format_size

SIZES = (25 * MB, 40 * MB)
ROUNDS = 24

_TARGETS = {25 * MB: 1.00}
_OTHER_TARGET = 1.15


@dataclass(frozen=True, slots=True)
class Interception:
    """Of one size; each list has the seconds of each round."""

    HEADINGS: ClassVar = ("size", "alone", "upload", "Woomera", "Woomera : (alone + upload)")

    size_bytes: int
    alone_s: list[float]
    upload_s: list[float]
    woomera_s: list[float]
    to_both: Ratio

    def row(self) -> list[str | Ratio]:
        """Return the cells under HEADINGS."""
        times = [f"{median(it) * 1000:.0f} ms" for it in (self.alone_s, self.upload_s, self.woomera_s)]
        return [format_size(self.size_bytes), *times, self.to_both]


def measure(bed: Bed, sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> list[Interception]:
    """Measure each size in `rounds` rounds; raise DeliveryError where a message is refused."""
    return [_measure(bed, size_bytes, rounds, say) for size_bytes in sizes]


def _measure(bed: Bed, size_bytes: int, rounds: int, say: Callable[[str], None]) -> Interception:
    message = message_with_file(size_bytes)
    wire = on_the_wire(message)
    client = bed.s3.client()
    intercepted_before = bed.intercepted_count()
    with tempfile.NamedTemporaryFile(prefix="woomera-bench-") as file:
        Path(file.name).write_bytes(message)

        def upload() -> float:
            began = time.perf_counter()
            client.upload_file(file.name, BUCKET, "upload")
            return time.perf_counter() - began

        def handed_to(sendmail: Sendmail) -> float:
            bed.empty_queues()
            return deliver(sendmail.smtp_port, wire)

        takes: dict[str, Callable[[], float]] = {
            "alone": partial(handed_to, bed.alone),
            "upload": upload,
            "woomera": partial(handed_to, bed.bare),
        }
        times = interleaved(
            takes, rounds, lambda progress: say(f"interception, {format_size(size_bytes)}: {progress}")
        )
    client.close()
    bed.check_intercepted(intercepted_before + rounds + 1)
    both_s = [alone_s + upload_s for alone_s, upload_s in zip(times["alone"], times["upload"], strict=True)]
    return Interception(
        size_bytes,
        times["alone"],
        times["upload"],
        times["woomera"],
        paired_ratio(times["woomera"], both_s, _TARGETS.get(size_bytes, _OTHER_TARGET)),
    )
