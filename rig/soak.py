"""`make soak`: much mail through one milter, and what the milter's process holds meanwhile.

sendmail queues what it takes (delivery mode `queue`), and the rig removes it: it is the milter that is looked
at, and no relay sets the pace. Each message comes on a connection of its own, as from the `sendmail` command.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.lab import BUCKET, Lab
from rig.mail.messages import MB, RECIPIENT, SENDER, message, message_with_file
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.s3 import Juicefs
from rig.trial import hand_over
from rig.usage import Usage, usage_of

CLIENTS = 8
SMALL_BYTES = 4 * 1024
LARGE_BYTES = 11 * MB
WARM_UP_SAMPLES = 1
"""The first so many figures are left out of the growth: pools fill, and caches."""
TARGET_GROWTH_BYTES = 2 * MB
_BATCH = 1000

SMALL = Sent(message(SMALL_BYTES), SENDER, (RECIPIENT,))
LARGE = Sent(message_with_file(LARGE_BYTES), SENDER, (RECIPIENT,))


class SoakError(RuntimeError):
    """A message was refused or not intercepted: then nothing was measured that is worth a figure."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the milter held after so many messages, at rest."""

    messages: int
    usage: Usage


def soak(lab: Lab, bucket: Bucket, *, small: int, large: int, every: int) -> Iterator[Sample]:
    """Send all messages, the large ones evenly among the small; yield a sample after each `every`.

    Before that, as a part of the warm-up, as many large ones at once as can meet: else their first meeting by
    chance, somewhere on the way, would look like growth. Raise SoakError where one is not taken, or where a
    large one is not intercepted.
    """
    total = small + large
    with ThreadPoolExecutor(CLIENTS) as clients:
        _send(lab, clients, [LARGE] * CLIENTS)
        _tidy(lab, bucket, CLIENTS)
        for begin in range(0, total, every):
            end = min(begin + every, total)
            for first in range(begin, end, _BATCH):
                numbers = range(first, min(first + _BATCH, end))
                # Message n is large where n * large / total passes a whole number.
                sent = [LARGE if (it + 1) * large // total > it * large // total else SMALL for it in numbers]
                _send(lab, clients, sent)
                _tidy(lab, bucket, sum(it is LARGE for it in sent))
            yield Sample(end, usage_of(lab.milter.process.pid))


def _send(lab: Lab, clients: ThreadPoolExecutor, sent: Sequence[Sent]) -> None:
    for exchange in clients.map(lambda it: hand_over(lab.sendmail, it), sent):
        if not exchange.ok:
            raise SoakError(f"sendmail answered {exchange.last}")


def _tidy(lab: Lab, bucket: Bucket, large: int) -> None:
    """Remove what the last messages left in queue and bucket, lest the disk fills up."""
    stored = sum(it.endswith("/message.eml") for it in bucket.list_keys())
    if stored != large:
        raise SoakError(f"{stored} messages were stored, not {large}")
    bucket.clear()
    for path in lab.sendmail.queue.iterdir():
        path.unlink()


def growth_per_100_000(samples: Sequence[Sample]) -> float | None:
    """Return by how many octets the resident set grows with 100,000 messages; None: too few samples to tell.

    It is the slope of the straight line that fits the samples best (least squares), but for the warm-up.
    """
    warm = samples[WARM_UP_SAMPLES:]
    if len(warm) < 2:
        return None
    line = statistics.linear_regression([it.messages for it in warm], [it.usage.rss_bytes for it in warm])
    return line.slope * 100_000


def main() -> int:
    """Run it, print a line for each sample, then the growth; return 1 where that is above the target."""
    parser = argparse.ArgumentParser(prog="python -m rig.soak", description=__doc__.partition("\n")[0])
    parser.add_argument("--small", type=int, default=200_000, help="messages of 4 KB")
    parser.add_argument("--large", type=int, default=500, help="messages of 11 MB")
    parser.add_argument("--every", type=int, default=10_000, help="messages from one figure to the next")
    options = parser.parse_args()
    began = time.monotonic()
    samples: list[Sample] = []
    print(f"{'messages':>10}{'seconds':>10}{'RSS, KB':>10}{'fds':>6}{'threads':>9}")
    with _lab() as (lab, bucket):
        for sample in soak(lab, bucket, small=options.small, large=options.large, every=options.every):
            samples.append(sample)
            print(_line(sample, time.monotonic() - began), flush=True)
    growth_bytes = growth_per_100_000(samples)
    if growth_bytes is None:
        print("too few figures to tell the growth: take more messages, or a smaller --every")
        return 0
    missed = growth_bytes > TARGET_GROWTH_BYTES
    print(
        f"RSS growth per 100,000 messages: {growth_bytes / 1024:.0f} KB "
        f"(at most {TARGET_GROWTH_BYTES // 1024} KB{', MISSED' * missed})"
    )
    return int(missed)


@contextmanager
def _lab() -> Iterator[tuple[Lab, Bucket]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="woomera-soak-")))
        (folder / "s3").mkdir()
        s3 = stack.enter_context(Juicefs(folder / "s3"))
        s3.make_bucket(BUCKET)
        bucket = Bucket(stack.enter_context(closing(s3.client())), BUCKET)
        yield stack.enter_context(Lab(folder, s3, delivery_mode="queue")), bucket


def _line(sample: Sample, elapsed_s: float) -> str:
    held = sample.usage
    return (
        f"{sample.messages:>10}{elapsed_s:>10.0f}{held.rss_bytes // 1024:>10}"
        f"{held.descriptors:>6}{held.threads:>9}"
    )


if __name__ == "__main__":
    sys.exit(main())
