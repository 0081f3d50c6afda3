"""Woomera beside other filters: mail that passes, large mail that is replaced, and memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import ClassVar

from bench.client import deliver_at_once, on_the_wire
from bench.figures import Ratio, paired_ratio
from bench.latency import CLIENTS, message_of, messages_a_client
from bench.memory import ATTACHMENTS, MESSAGES, SIZE_BYTES
from bench.peak import peak
from bench.peer_bed import ALONE, MIMEDEFANG, MIMEDEFANG_URLS, NOOP, PYMILTER, WOOMERA, PeerBed
from bench.rounds import interleaved
from rig.mail.messages import MB, message_with_files
from woomera_milter.config.values import format_size

PASSED_SIZES = (2048, 20 * 1024, MB, 4 * MB, 9 * MB)
REPLACED_SIZES = (25 * MB, 40 * MB)
ROUNDS = 20

_MIMEDEFANG_TARGETS = {MB: 0.50, 4 * MB: 0.50}
_PASSING = (ALONE, NOOP, PYMILTER, MIMEDEFANG, WOOMERA)
_REPLACING = (MIMEDEFANG_URLS, WOOMERA)
_FILTERS = (NOOP, PYMILTER, MIMEDEFANG, MIMEDEFANG_URLS, WOOMERA)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Of one size: each candidate's seconds, a round each, and the ratios of Woomera's to some others'."""

    size_bytes: int
    times: dict[str, list[float]]
    ratios: dict[str, Ratio]

    def row(self) -> list[str | Ratio]:
        """Return the cells under HEADINGS."""
        times = [f"{median(it) * 1000:.1f} ms" for it in self.times.values()]
        return [format_size(self.size_bytes), *times, *self.ratios.values()]


class Passed(Comparison):
    """Each figure is the mean of a round's messages."""

    HEADINGS: ClassVar = ("size", *_PASSING, f"{WOOMERA} : {PYMILTER}", f"{WOOMERA} : {MIMEDEFANG}")


class Replaced(Comparison):
    """A round has one message."""

    HEADINGS: ClassVar = ("size", ALONE, *_REPLACING, f"{WOOMERA} : {MIMEDEFANG_URLS}")


@dataclass(frozen=True, slots=True)
class Held:
    """Memory of all processes of a filter, before the messages come and at its peak (bench.peak)."""

    HEADINGS: ClassVar = ("filter", "messages at once", "size", "before", "peak")

    name: str
    messages: int
    size_bytes: int
    before_bytes: int
    peak_bytes: int

    def row(self) -> list[str]:
        """Return the cells under HEADINGS."""
        memory = [f"{it / MB:.0f} MB" for it in (self.before_bytes, self.peak_bytes)]
        return [self.name, str(self.messages), format_size(self.size_bytes), *memory]


def passed(bed: PeerBed, sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> list[Passed]:
    """Compare on mail that passes, four clients at once; raise DeliveryError where a message is refused."""

    def measure(size_bytes: int) -> Passed:
        times = _times(bed, _PASSING, size_bytes, CLIENTS, rounds, say)
        target = _MIMEDEFANG_TARGETS.get(size_bytes)
        ratios = {
            PYMILTER: paired_ratio(times[WOOMERA], times[PYMILTER]),
            MIMEDEFANG: paired_ratio(times[WOOMERA], times[MIMEDEFANG], target),
        }
        return Passed(size_bytes, times, ratios)

    return [measure(size_bytes) for size_bytes in sizes]


def replaced(bed: PeerBed, sizes: Sequence[int], rounds: int, say: Callable[[str], None]) -> list[Replaced]:
    """Compare on mail that links replace, one client; raise DeliveryError where a message is not replaced."""

    def measure(size_bytes: int) -> Replaced:
        times = _times(bed, (ALONE, *_REPLACING), size_bytes, 1, rounds, say)
        ratio = paired_ratio(times[WOOMERA], times[MIMEDEFANG_URLS])
        return Replaced(size_bytes, times, {MIMEDEFANG_URLS: ratio})

    return [measure(size_bytes) for size_bytes in sizes]


def held(bed: PeerBed, say: Callable[[str], None]) -> list[Held]:
    """Have each filter, fresh, take the large messages of bench.memory all at once; raise DeliveryError."""
    wire = on_the_wire(message_with_files(SIZE_BYTES, ATTACHMENTS))

    def measure(name: str) -> Held:
        say(f"peers: memory of {name}")
        bed.empty_queues()
        candidate = bed.candidates[name]
        with peak([process.pid for process in candidate.processes]) as found:
            deliver_at_once(candidate.port, wire, MESSAGES)
        if name in _REPLACING:
            bed.check_replaced(name)
        return Held(name, MESSAGES, SIZE_BYTES, found.before_bytes, found.bytes)

    return [measure(name) for name in _FILTERS]


def _times(
    bed: PeerBed, names: Sequence[str], size_bytes: int, clients: int, rounds: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    wire = on_the_wire(message_of(size_bytes))
    messages_each = messages_a_client(size_bytes)

    def take(name: str) -> float:
        bed.empty_queues()
        took_s = deliver_at_once(bed.candidates[name].port, wire, clients, messages_each)
        if clients == 1 and name in _REPLACING:
            bed.check_replaced(name)
        return fmean(took_s)

    return interleaved(
        {name: partial(take, name) for name in names},
        rounds,
        lambda progress: say(f"peers, {format_size(size_bytes)}: {progress}"),
    )
