"""What the archive milter costs: beside the main one, and where it keeps 25 MB."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median
from typing import ClassVar

from bench.bed import Bed
from bench.client import deliver_at_once, on_the_wire
from bench.figures import Ratio, paired_ratio
from bench.latency import CLIENTS, messages_a_client
from bench.rounds import interleaved
from rig.mail.messages import MB, message_with_file
from rig.mta.sendmail import Sendmail
from woomera_milter.config.values import format_size

Named = tuple[str, Sendmail]

ROUNDS = 24

_BOTH_TARGET = 1.03
_KEPT_TARGET = 1.5


@dataclass(frozen=True, slots=True)
class ArchiveCost:
    """Of one size, with the archive milter and without it; each list has the seconds of each round."""

    HEADINGS: ClassVar = ("size", "without", "", "with", "", "with : without")

    size_bytes: int
    without: str
    without_s: list[float]
    with_archive: str
    with_archive_s: list[float]
    ratio: Ratio

    def row(self) -> list[str | Ratio]:
        """Return the cells under HEADINGS."""
        without, with_archive = (
            f"{median(it) * 1000:.1f} ms" for it in (self.without_s, self.with_archive_s)
        )
        return [
            format_size(self.size_bytes),
            self.without,
            without,
            self.with_archive,
            with_archive,
            self.ratio,
        ]


def measure(bed: Bed, rounds: int, say: Callable[[str], None]) -> list[ArchiveCost]:
    """Compare both milters with the main one alone, and a message that is kept with no milter at all.

    Raise DeliveryError where a message is refused.
    """
    main, both = ("main milter", bed.woomera), ("both milters", bed.both)
    alone, archive = ("sendmail alone", bed.alone), ("archive milter", bed.archive)

    def compare(
        size_bytes: int,
        clients: int,
        before: tuple[str, Sendmail],
        after: tuple[str, Sendmail],
        target: float,
    ) -> ArchiveCost:
        wire = on_the_wire(message_with_file(size_bytes))
        messages_each = messages_a_client(size_bytes)

        def take(sendmail: Sendmail) -> float:
            bed.empty_queues()
            return fmean(deliver_at_once(sendmail.smtp_port, wire, clients, messages_each))

        times = interleaved(
            {name: partial(take, sendmail) for name, sendmail in (before, after)},
            rounds,
            lambda progress: say(f"archive, {format_size(size_bytes)}: {progress}"),
        )
        before_s, after_s = times[before[0]], times[after[0]]
        ratio = paired_ratio(after_s, before_s, target)
        return ArchiveCost(size_bytes, before[0], before_s, after[0], after_s, ratio)

    return [
        compare(20 * 1024, CLIENTS, main, both, _BOTH_TARGET),
        compare(4 * MB, CLIENTS, main, both, _BOTH_TARGET),
        compare(25 * MB, 1, alone, archive, _KEPT_TARGET),
    ]
