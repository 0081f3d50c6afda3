"""miltertest, OpenDKIM's player of an MTA, drives the milter by the scripts in the folder beside.

A packet of a new body of more than some 1 KB overflows its stack, so a proxy splits them.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.lab import Milter
from rig.mta.filters import MilterProxy
from tests.protocol.conftest import StartTarget, Target

SCRIPTS = Path(__file__).parent / "miltertest"
SPLIT_BYTES = 512
EVENTS = {
    "negotiation": {},
    "small": {"passed": 1},
    "without_msg_size": {"passed": 1, "intercepted": 1},
    "over_limit": {"passed": 1, "intercepted": 1},
    "one_connection": {"passed": 7, "intercepted": 3},
}
"""How often a script should make the log name an event of a message."""


@pytest.fixture(scope="module")
def target(start_target: StartTarget, tmp_path_factory: pytest.TempPathFactory) -> Target:
    return start_target(Milter, tmp_path_factory.mktemp("miltertest"))


@pytest.fixture(scope="module")
def proxy(target: Target) -> Iterator[MilterProxy]:
    with MilterProxy(split_bytes=SPLIT_BYTES) as proxy:
        proxy.target_port = target.port
        yield proxy


def test_every_script_is_run() -> None:
    assert {path.stem for path in SCRIPTS.glob("*.lua")} == {*EVENTS, "common"}


@pytest.mark.parametrize("script", EVENTS)
def test_milter_does_what_the_script_expects(script: str, target: Target, proxy: MilterProxy) -> None:
    target.new_log_text()
    variables = ["-D", f"socket={proxy.socket}", "-D", f"scripts={SCRIPTS}"]

    done = subprocess.run(
        ["miltertest", *variables, "-s", SCRIPTS / f"{script}.lua"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    events = re.findall(r"^4AO9Xk1S\d{6}: (\w+) ", target.new_log_text(), re.MULTILINE)
    assert {event: events.count(event) for event in events} == EVENTS[script]
    target.assert_nothing_held()
