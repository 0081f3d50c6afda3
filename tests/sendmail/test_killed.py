"""Promise 2, where the milter or sendmail dies: with the flag T a client never hears 250 for what is lost."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from rig.lab import Lab
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.smtp import Exchange
from rig.mta.tripwire import Step, Tripwire
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.faults import FaultProxy, Hang, Pass
from rig.servers.s3 import Juicefs
from rig.trial import Trial, hand_over
from tests.sendmail.conftest import SMALL_LIMIT

OVER = Sent(messages.message(MB + 64 * 1024), SENDER, (RECIPIENT,))
PATIENCE_S = 20
_random = random.Random(1)
DELAYS_S = [_random.uniform(0, 0.15) for _ in range(8)]
"""From before the message reaches the milter until after the client has heard 250, on most machines."""


@pytest.fixture(scope="module")
def tripwire() -> Iterator[Tripwire]:
    with Tripwire() as tripwire:
        yield tripwire


@pytest.fixture(scope="module")
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def fragile_lab(
    s3: Juicefs, proxy: FaultProxy, tripwire: Tripwire, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A lab with a trip wire before its milter, and a proxy before its S3."""
    lab = Lab(
        tmp_path_factory.mktemp("fragile-lab"),
        s3,
        configuration=SMALL_LIMIT,
        s3_url=proxy.endpoint_url,
        milter_socket=tripwire.socket,
    )
    tripwire.target_port = lab.milter.port
    with lab:
        yield lab


@pytest.fixture
def trial(fragile_lab: Lab, bucket: Bucket) -> Trial:
    return Trial(fragile_lab, bucket)


def send(trial: Trial, sent: Sent = OVER) -> Exchange | None:
    """Send the message; None where the connection broke before a reply came."""
    try:
        return hand_over(trial.lab.sendmail, sent)
    except OSError:
        return None


def assert_sent_again_is_delivered_once(trial: Trial) -> None:
    """The client tries again: one notice comes of it, and nothing lies in the spool."""
    trial.intercepts(OVER)
    assert list((trial.lab.folder / "spool").iterdir()) == []


@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower().replace("_", " "))
def test_milter_that_dies_at_any_step_costs_the_client_a_second_try_and_no_mail(
    step: Step, trial: Trial, tripwire: Tripwire
) -> None:
    milter = trial.lab.milter
    sprung = tripwire.set(step, milter.kill)

    exchange = send(trial)

    assert sprung.wait(PATIENCE_S)
    assert exchange is not None
    assert exchange.last.code == 451
    trial.judge(OVER, exchange)
    milter.start()
    assert_sent_again_is_delivered_once(trial)


@pytest.mark.parametrize("step", Step, ids=lambda step: step.name.lower().replace("_", " "))
def test_sendmail_that_dies_at_any_step_leaves_the_message_with_the_client(
    step: Step, trial: Trial, tripwire: Tripwire
) -> None:
    sendmail = trial.lab.sendmail
    sprung = tripwire.set(step, sendmail.kill)

    exchange = send(trial)

    assert sprung.wait(PATIENCE_S)
    assert exchange is None
    sendmail.start()
    sendmail.flush_queue()
    assert trial.lab.ses.accepted == []
    assert_sent_again_is_delivered_once(trial)


@pytest.mark.parametrize(
    ("requested", "fault"),
    [
        pytest.param("message.eml", Hang(), id="before the upload"),
        pytest.param("message.eml", Hang(after_bytes=MB // 2), id="amid the upload"),
        pytest.param("envelope.json", Hang(), id="between message and sidecar"),
    ],
)
@pytest.mark.parametrize("victim", ["milter", "sendmail"])
def test_death_while_a_message_is_stored_leaves_the_message_with_the_client(
    victim: str, requested: str, fault: Hang, trial: Trial, proxy: FaultProxy
) -> None:
    lab = trial.lab
    proxy.forget_requests()
    proxy.set(fault, applies_to=requested)
    with ThreadPoolExecutor(1) as client:
        sending = client.submit(send, trial)
        proxy.wait_for_request(requested)
        (lab.milter if victim == "milter" else lab.sendmail).kill()
        exchange = sending.result(PATIENCE_S)
    proxy.set(Pass())
    (lab.milter if victim == "milter" else lab.sendmail).start()

    if victim == "milter":
        assert exchange is not None
        assert exchange.last.code == 451
    else:
        assert exchange is None
    trial.judge(OVER, exchange)
    assert_sent_again_is_delivered_once(trial)


def test_milter_that_dies_after_its_verdict_has_cost_nothing(trial: Trial) -> None:
    exchange = send(trial)
    trial.lab.milter.kill()

    assert exchange is not None
    assert exchange.ok
    trial.judge(OVER, exchange)
    trial.lab.milter.start()


@pytest.mark.parametrize("delay_s", DELAYS_S, ids="after {:.3f} s".format)
def test_milter_that_dies_at_some_moment_loses_and_doubles_nothing(delay_s: float, trial: Trial) -> None:
    milter = trial.lab.milter
    timer = threading.Timer(delay_s, milter.kill)

    timer.start()
    exchange = send(trial)
    timer.join()

    trial.judge(OVER, exchange)
    milter.start()
    assert_sent_again_is_delivered_once(trial)
