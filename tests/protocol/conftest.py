"""The two milters, each a process of its own, for peers on their sockets that are no honest MTA."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rig.lab import ArchiveMilter, Milter, base_configuration, merged
from rig.mail import messages
from rig.mta.packets import Mta, Outcome
from rig.process import free_port
from rig.servers.faults import FaultProxy
from rig.servers.s3 import Juicefs
from rig.usage import descriptors_of, usage_of
from woomera_milter.check.milter_client import ACCEPT

MARK = b"Zanzibar"
"""In packets: nothing of them may be in the log."""
SMALL = messages.message()
OVER = messages.message(200 * 1024)
PATIENCE_S = 10
SETTLES_S = 0.3
"""A connection's thread ends a moment after the connection."""
CONFIGURATION: Mapping[str, Any] = {
    "limit": "160KB",  # over-limit messages are many here, so let them be small
    # One that cannot say where addresses lead: in doubt they lead to the relay.
    "milter": {"max_concurrent": 1, "stats_every": "1h", "sendmail": "/bin/false"},
}

_LOG_LINE = re.compile(r"\S+: [a-z-]+( |$)")


@dataclass
class Target:
    """A milter that serves, and what it held before anybody was unkind to it."""

    milter: Milter
    spool: Path
    s3_port: int
    at_rest: tuple[int, int] = field(init=False)
    _log_read: int = 0

    def __post_init__(self) -> None:
        self.milter.start()
        for _ in range(3):
            self.serve_small()
            self.serve_large()
        self.rest()

    def rest(self) -> None:
        """What it holds after a while is what it may hold from now on."""
        time.sleep(SETTLES_S)
        self.at_rest = self.held()

    @property
    def port(self) -> int:
        return self.milter.port

    @property
    def is_archive(self) -> bool:
        return isinstance(self.milter, ArchiveMilter)

    def connect(self) -> Mta:
        """A connection that has negotiated."""
        mta = Mta(self.port)
        assert mta.negotiate() is not None
        return mta

    def serve_small(self) -> None:
        """Messages within the limit pass, on a new connection, whether or not their size is told."""
        with self.connect() as mta:
            assert mta.hand_over(SMALL, msg_size=len(SMALL)) == Outcome(ACCEPT)
            assert mta.hand_over(SMALL) == Outcome(ACCEPT)

    def serve_large(self) -> None:
        """A message over the limit becomes what it should, on a new connection."""
        with self.connect() as mta:
            self.assert_served(mta.hand_over(OVER))

    def assert_served(self, outcome: Outcome) -> None:
        """It is what OVER should come to."""
        assert outcome.answer == ACCEPT
        if self.is_archive:
            assert (outcome.body, outcome.headers) == (b"", [])
            kept = {path.suffix: path for path in self.spool.iterdir()}
            assert kept[".eml"].read_bytes() == OVER
            for path in kept.values():
                path.unlink()
        else:
            assert b"multipart/alternative" in b"".join(outcome.headers)
            assert outcome.body.count(b"message.eml") > 0

    def assert_unharmed(self) -> None:
        """The same process serves, and holds nothing of what came before; nor does its log."""
        self.serve_small()
        assert self.milter.process.running
        self.assert_nothing_held()
        text = self.new_log_text()
        assert MARK.decode() not in text
        for line in text.splitlines():
            assert _LOG_LINE.match(line), line

    def assert_nothing_held(self, within_s: float = PATIENCE_S) -> None:
        """Threads, descriptors and files are given back."""
        ends_at = time.monotonic() + within_s
        while any(now > then for now, then in zip(self.held(), self.at_rest, strict=True)):
            assert time.monotonic() < ends_at, f"holds {self.held()}, not {self.at_rest}"
            time.sleep(0.01)
        assert list(self.spool.iterdir()) == []

    def new_log_text(self) -> str:
        """What was logged since this was last asked."""
        text = self.milter.log_text()
        new, self._log_read = text[self._log_read :], len(text)
        return new

    def held(self) -> tuple[int, int]:
        """How many threads, and descriptors but for those of connections to S3, it has now."""
        pid = self.milter.process.pid
        return usage_of(pid).threads, descriptors_of(pid, self.s3_port)[0]


StartTarget = Callable[..., Target]
"""start_target(kind, folder, proxy=None, **sections): a milter of that kind; ends with the tests."""


@pytest.fixture(scope="package")
def start_target(s3: Juicefs) -> Iterator[StartTarget]:
    started = []

    def start(kind: type[Milter], folder: Path, proxy: FaultProxy | None = None, **sections: Any) -> Target:
        spool = folder / "spool"
        spool.mkdir()
        s3_url = proxy.endpoint_url if proxy else None
        base = base_configuration(s3, f"inet:{free_port()}@127.0.0.1", spool, s3_url)
        base["archive"] = {
            "socket": f"inet:{free_port()}@127.0.0.1",
            "spool": str(folder / "archive"),
            "min_size": "64KB",
            "min_free": 0,
        }
        (folder / "archive").mkdir()
        milter = kind(merged(merged(base, CONFIGURATION), sections), folder)
        started.append(milter)
        spool = folder / "archive" if kind is ArchiveMilter else spool
        return Target(milter, spool, proxy.port if proxy else s3.port)

    yield start
    for milter in started:
        milter.kill()


@pytest.fixture(scope="package", params=[Milter, ArchiveMilter], ids=["milter", "archive-milter"])
def lasting_target(
    start_target: StartTarget, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Target:
    """Each of the two milters."""
    return start_target(request.param, tmp_path_factory.mktemp("milter"))


@pytest.fixture(scope="module")
def target_of_module(lasting_target: Target) -> Iterator[Target]:
    """The same, which must serve messages over the limit when the tests of a file are over."""
    yield lasting_target
    lasting_target.serve_large()


@pytest.fixture
def target(target_of_module: Target) -> Iterator[Target]:
    """The same, which must be unharmed when the test is over."""
    target_of_module.new_log_text()
    yield target_of_module
    target_of_module.assert_unharmed()
