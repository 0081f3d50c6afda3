"""What mail under the limit pays: its latency with Woomera, with a filter that does nothing, and alone."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import ClassVar

from bench.bed import Bed
from bench.client import deliver_at_once, on_the_wire
from bench.figures import Ratio, paired_ratio
from bench.rounds import interleaved
from rig.mail.messages import MB, message, message_with_file
from rig.mta.sendmail import Sendmail
from woomera_milter.config.values import format_size

SIZES = (2048, 20 * 1024, MB, 4 * MB, 9 * MB)
ROUNDS = 24
CLIENTS = 4

_SMALLEST_WITH_FILE_BYTES = 8192
_NOOP_TARGETS = {2048: 1.02, 20 * 1024: 1.02, MB: 0.85, 4 * MB: 0.85}
_ALONE_TARGETS = {MB: 1.03, 4 * MB: 1.03}


@dataclass(frozen=True, slots=True)
class Latency:
    """Of one size; each list has a figure a round: the mean of its messages, in seconds.

    `client_share` is the part of the machine's processor time that the client itself took.
    """

    HEADINGS: ClassVar = ("size", "alone", "C no-op", "Woomera", "Woomera : C no-op", "Woomera : alone")

    size_bytes: int
    alone_s: list[float]
    noop_s: list[float]
    woomera_s: list[float]
    to_noop: Ratio
    to_alone: Ratio
    client_share: float

    def row(self) -> list[str | Ratio]:
        """Return the cells under HEADINGS."""
        times = [f"{median(it) * 1000:.1f} ms" for it in (self.alone_s, self.noop_s, self.woomera_s)]
        return [format_size(self.size_bytes), *times, self.to_noop, self.to_alone]


def message_of(size_bytes: int) -> bytes:
    """Return a message of that size: one file, or text where it is too small for one."""
    make = message_with_file if size_bytes >= _SMALLEST_WITH_FILE_BYTES else message
    return make(size_bytes)


def messages_a_client(size_bytes: int) -> int:
    """Return how many messages even out the noise of one."""
    return max(1, min(10, 4 * MB // size_bytes))


def measure(bed: Bed, sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> list[Latency]:
    """Measure each size in `rounds` rounds; raise DeliveryError where a message is refused."""
    return [_measure(bed, size_bytes, rounds, say) for size_bytes in sizes]


def _measure(bed: Bed, size_bytes: int, rounds: int, say: Callable[[str], None]) -> Latency:
    wire = on_the_wire(message_of(size_bytes))
    messages_each = messages_a_client(size_bytes)
    sendmails = {"alone": bed.alone, "noop": bed.noop, "woomera": bed.woomera}
    client_s = all_s = 0.0

    def take(sendmail: Sendmail) -> float:
        nonlocal client_s, all_s
        bed.empty_queues()
        client_began, began = time.process_time(), time.perf_counter()
        took_s = deliver_at_once(sendmail.smtp_port, wire, CLIENTS, messages_each)
        client_s += time.process_time() - client_began
        all_s += time.perf_counter() - began
        return fmean(took_s)

    times = interleaved(
        {name: partial(take, sendmail) for name, sendmail in sendmails.items()},
        rounds,
        lambda progress: say(f"latency, {format_size(size_bytes)}: {progress}"),
    )
    return Latency(
        size_bytes,
        times["alone"],
        times["noop"],
        times["woomera"],
        paired_ratio(times["woomera"], times["noop"], _NOOP_TARGETS.get(size_bytes)),
        paired_ratio(times["woomera"], times["alone"], _ALONE_TARGETS.get(size_bytes)),
        client_s / all_s / (os.cpu_count() or 1),
    )
