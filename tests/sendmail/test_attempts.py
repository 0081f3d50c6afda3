"""Promise 5: an attempt whose client was told to try again is no message of its own, and says what it is."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.jobs import Run, run_argv
from rig.lab import Lab
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.tripwire import Step, Tripwire
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.faults import FaultProxy, Pass, Slow
from rig.servers.s3 import Juicefs
from rig.trial import Trial, hand_over
from tests.sendmail.conftest import SMALL_LIMIT
from woomera_milter.errors import EX_CONFIG

OVER = Sent(messages.message(MB + 64 * 1024), SENDER, (RECIPIENT,))
PATIENCE_S = 20


@pytest.fixture
def tripwire() -> Iterator[Tripwire]:
    with Tripwire() as tripwire:
        yield tripwire


@pytest.fixture
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture
def trial(
    s3: Juicefs, bucket: Bucket, proxy: FaultProxy, tripwire: Tripwire, tmp_path: Path
) -> Iterator[Trial]:
    lab = Lab(
        tmp_path,
        s3,
        configuration=SMALL_LIMIT
        | {"milter": {"deadline": "3s"}, "report": {"sender": SENDER, "to": ["postmaster@example.com"]}},
        s3_url=proxy.endpoint_url,
        milter_socket=tripwire.socket,
    )
    tripwire.target_port = lab.milter.port
    with lab:
        yield Trial(lab, bucket)


def run(trial: Trial, *words: str) -> Run:
    return run_argv(trial.lab.milter.command_line(*words))


def listed(trial: Trial) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = run(trial, "list", "--json").document
    return documents


def marked(trial: Trial) -> str:
    """The id of the one message there is, once its mark, which is made after the answer, is there."""
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        found = listed(trial)
        if found and found[0].get("announced") is False:
            assert len(found) == 1
            return str(found[0]["id"])
    raise AssertionError(f"no message was marked, only {found}")


def wait_for_another_second() -> None:
    """Which of two attempts is newer is told by a moment that is stored to the second."""
    time.sleep(1.0 - time.time() % 1.0)


def counted(trial: Trial) -> int:
    """How many messages of the sender the report counts."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    text = run(trial, "report", "--print", "--period", "week", "--until", tomorrow.isoformat()).stdout
    found = re.search(rf"^\s*{re.escape(SENDER)}\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else 0


def test_an_attempt_that_took_too_long_is_marked_and_counts_only_once_it_succeeds(
    trial: Trial, proxy: FaultProxy
) -> None:
    proxy.set(Slow(bytes_per_s=300), applies_to="envelope.json")
    for _ in range(2):
        assert hand_over(trial.lab.sendmail, OVER).last.code == 451
    proxy.set(Pass())

    attempt = marked(trial)

    assert "never announced" in run(trial, "list").stdout
    assert counted(trial) == 0
    refused = run(trial, "resend", attempt, "--dry-run")
    assert refused.status == EX_CONFIG
    assert "--force" in refused.stderr
    assert "would go to" in run(trial, "resend", attempt, "--dry-run", "--force").stdout

    trial.intercepts(OVER)

    (announced,) = listed(trial)
    assert "announced" not in announced
    assert announced["id"] != attempt
    assert counted(trial) == 1


def test_an_attempt_whose_mta_hangs_up_counts_with_the_one_that_succeeds(
    trial: Trial, tripwire: Tripwire
) -> None:
    for step in (Step.CHANGE_HEADER, Step.REPLACE_BODY, Step.ACCEPT):
        tripwire.set(step, lambda: None)
        assert hand_over(trial.lab.sendmail, OVER).last.code == 451

    (attempt,) = listed(trial)
    wait_for_another_second()
    trial.intercepts(OVER)

    (announced,) = listed(trial)
    assert announced["id"] != attempt["id"]
    assert counted(trial) == 1
