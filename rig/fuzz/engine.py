"""Tries a target with one input after the other, and keeps what teaches something.

An input that makes a target do what it has not done before (the features that its check returns) is changed
further. That is what fuzzers do with code coverage; but our readers are regular expressions for the most
part, in which coverage sees nothing. The same seed and the same number of inputs try the same inputs.
"""

import random
import signal
import time
import traceback
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rig.fuzz.mutation import minimal, mutated, mutated_json
from rig.promises.notices import require

HANG_S = 10.0
"""Of processor time, for one input."""
MINIMISE_S = 30.0
_MAX_CORPUS = 4000
_MAX_FINDINGS = 10
_PLACE_FRAMES = 2

# Four times the input takes about four times as long where time is linear, sixteen where it is quadratic.
_GROWTH = 4
_TOO_MUCH_GROWTH = 9
_REPEATED_BYTES = 128 * 1024
_REPEAT_ONE_IN = 50


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads strangers' octets.

    `check` raises where a promise about it is broken, and returns what the input made it do. `is_json`: the
    seeds are JSON documents, to be changed as such. Of seeds and fragments there is at least one.
    """

    name: str
    check: Callable[[bytes], Iterable[Hashable]]
    seeds: Sequence[bytes]
    fragments: Sequence[bytes]
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """An input that breaks a promise, as short as could be found, and how it does."""

    data: bytes = field(repr=False)
    trace: str


@dataclass(slots=True)
class Account:
    """What a target was tried with. `slowest_ms_per_kb`: processor time; what is shorter counts as 1 KB."""

    target: str
    inputs: int = 0
    features: int = 0
    slowest_ms_per_kb: float = 0.0
    findings: list[Finding] = field(default_factory=list)


class Fuzzer:
    """Tries one target."""

    def __init__(self, target: Target, seed: int, *, suspicious_s: float = 0.3) -> None:
        """`suspicious_s`: processor time for 128 KB that is reason to look whether it is linear."""
        self._suspicious_s = suspicious_s
        self.account = Account(target.name)
        self._target = target
        self._chance = random.Random(f"{target.name} {seed}")
        self._corpus = list(target.seeds)
        self._features: set[Hashable] = set()
        self._places: set[str] = set()

    def run(self, *, seconds: float = 0.0, inputs: int = 0) -> Account:
        """Try the seeds, then others as long as either lasts; end early after ten findings."""
        ends_at = time.monotonic() + seconds
        for data in self._target.seeds:
            self._try(data)
        while time.monotonic() < ends_at or self.account.inputs < inputs:
            if len(self._places) >= _MAX_FINDINGS:
                break
            data = self._next()
            self._try(data)
            if self._chance.randrange(_REPEAT_ONE_IN) == 0:
                self._try_repeated(data)
        self.account.features = len(self._features)
        return self.account

    def _next(self) -> bytes:
        known = self._corpus
        data = self._chance.choice(known if self._chance.random() < 0.7 else known[-20:])
        if self._target.is_json and self._chance.random() < 0.9:
            with suppress(ValueError, RecursionError):
                return mutated_json(data, self._chance)
        return mutated(data, known, self._target.fragments, self._chance)

    def _try(self, data: bytes) -> None:
        began_s = time.process_time()
        try:
            features = _checked(self._target, data)
        except Exception as error:  # whatever it is, it is a finding
            self._found(data, error)
            return
        finally:
            self.account.inputs += 1
        ms_per_kb = (time.process_time() - began_s) * 1000 / max(1.0, len(data) / 1024)
        self.account.slowest_ms_per_kb = max(self.account.slowest_ms_per_kb, ms_per_kb)
        if not features <= self._features:
            self._features |= features
            self._corpus.append(data)
            if len(self._corpus) > _MAX_CORPUS:
                del self._corpus[self._chance.randrange(_MAX_CORPUS)]

    def _try_repeated(self, data: bytes) -> None:
        """See whether a piece of the input, repeated, takes linear time."""
        start = self._chance.randint(0, len(data))
        end = start + self._chance.randint(1, 60)
        piece = data[start:end] or b"x"

        def repeated(size_bytes: int) -> bytes:
            return data[:start] + piece * (size_bytes // len(piece)) + data[end:]

        long = repeated(_REPEATED_BYTES)
        try:
            long_s = _seconds(self._target, long)
            if long_s > self._suspicious_s:
                limit_s = _TOO_MUCH_GROWTH * long_s
                longer_s = _seconds(self._target, repeated(_GROWTH * _REPEATED_BYTES), HANG_S + limit_s)
                require(
                    longer_s < limit_s,
                    f"{piece!r} repeated takes {long_s:.2f} s in {_REPEATED_BYTES} bytes, "
                    f"and {longer_s:.2f} s in {_GROWTH} times as many",
                )
        except Exception as error:
            self._found(long, error)

    def _found(self, data: bytes, error: Exception) -> None:
        place = _place(error)
        if place in self._places:
            return
        self._places.add(place)

        def fails_alike(shorter: bytes) -> bool:
            try:
                _checked(self._target, shorter)
            except Exception as other:
                return _place(other) == place
            return False

        trace = "".join(traceback.format_exception(error))
        if fails_alike(data):  # else it is about time, of which no single try tells
            data = minimal(data, fails_alike, MINIMISE_S)
        self.account.findings.append(Finding(data, trace))


def _checked(target: Target, data: bytes, limit_s: float = HANG_S) -> set[Hashable]:
    with _limited(limit_s):
        return set(target.check(data))


def _seconds(target: Target, data: bytes, limit_s: float = HANG_S) -> float:
    began_s = time.process_time()
    _checked(target, data, limit_s)
    return time.process_time() - began_s


@contextmanager
def _limited(limit_s: float) -> Iterator[None]:
    """Raise TimeoutError in the block if it hangs; regular expressions look for signals, too."""

    def hangs(*_: object) -> None:
        raise TimeoutError(f"no end after {limit_s:.0f} s")

    before = signal.signal(signal.SIGPROF, hangs)
    signal.setitimer(signal.ITIMER_PROF, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _place(error: Exception) -> str:
    """What tells findings apart: the kind of error, and where it was raised."""
    frames = [it for it in traceback.extract_tb(error.__traceback__) if it.name != require.__name__]
    lines = [f"{Path(it.filename).name}:{it.lineno}" for it in frames[-_PLACE_FRAMES:]]
    return " ".join([type(error).__name__, *lines])
