"""Medians, and ratios with their bounds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

_RESAMPLES = 5000


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the rounds' ratios, the bounds of its 95 % confidence interval, and its target."""

    median: float
    low: float
    high: float
    target: float | None = None

    @property
    def missed(self) -> bool:
        """Tell whether the median is above the target."""
        return self.target is not None and self.median > self.target


def paired_ratio(
    numerators: Sequence[float], denominators: Sequence[float], target: float | None = None
) -> Ratio:
    """Return the ratio of two figures that were taken side by side, a pair a round.

    Within a round the machine is as busy for the one as for the other, so the ratio holds where times do
    not. The bounds are those of the bootstrap: the middle 95 % of the medians of rounds drawn at random,
    always the same draws for the same figures.
    """
    ratios = [over / under for over, under in zip(numerators, denominators, strict=True)]
    draw = random.Random(len(ratios))
    medians = [median(draw.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES)]
    cuts = quantiles(medians, n=40, method="inclusive")
    return Ratio(median(ratios), cuts[0], cuts[-1], target)
