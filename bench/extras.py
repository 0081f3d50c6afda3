"""What attachments of their own and the page cost, beside the interception of a message without them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import ClassVar

from bench.bed import Bed
from bench.client import deliver, on_the_wire
from bench.figures import Ratio, paired_ratio
from bench.rounds import interleaved
from rig.mail.messages import MB, message_with_files
from rig.mta.sendmail import Sendmail
from woomera_milter.config.values import format_size

SIZE_BYTES = 25 * MB
ATTACHMENTS = 2
ROUNDS = 24

_TARGET = 0.25


@dataclass(frozen=True, slots=True)
class ExtrasCost:
    """Each list has the seconds of each round."""

    HEADINGS: ClassVar = ("size", "attachments", "without", "with", "what they add : without")

    size_bytes: int
    attachments: int
    without_s: list[float]
    with_s: list[float]
    added: Ratio

    def row(self) -> list[str | Ratio]:
        """Return the cells under HEADINGS."""
        times = [f"{median(it) * 1000:.0f} ms" for it in (self.without_s, self.with_s)]
        return [format_size(self.size_bytes), str(self.attachments), *times, self.added]


def measure(bed: Bed, rounds: int, say: Callable[[str], None]) -> ExtrasCost:
    """Measure in `rounds` rounds; raise DeliveryError where a message is refused."""
    wire = on_the_wire(message_with_files(SIZE_BYTES, ATTACHMENTS))

    def handed_to(sendmail: Sendmail) -> float:
        bed.empty_queues()
        return deliver(sendmail.smtp_port, wire)

    takes = {"without": partial(handed_to, bed.bare), "with": partial(handed_to, bed.woomera)}
    times = interleaved(takes, rounds, lambda progress: say(f"attachments and page: {progress}"))
    bed.check_intercepted(2 * (rounds + 1))
    added_s = [with_s - without_s for with_s, without_s in zip(times["with"], times["without"], strict=True)]
    return ExtrasCost(
        SIZE_BYTES,
        ATTACHMENTS,
        times["without"],
        times["with"],
        paired_ratio(added_s, times["without"], _TARGET),
    )
