"""What sendmail's {msg_size} saves, and that decisions are right where it is missing or not to be trusted."""

from collections.abc import Iterator

import pytest

from rig.lab import Lab
from rig.mail import messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.mta.filters import Footer, MilterProxy
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.servers.s3 import Juicefs
from rig.trial import Plain, Trial
from tests.sendmail.cases import EDGES, OVER_BYTES, SMALL_LIMIT_BYTES, Case
from tests.sendmail.conftest import SMALL_LIMIT, MakeTrial

DISTRUST = {"milter": {"trust_msg_size": False}}
SMALL = messages.message()
HALF = messages.message(SMALL_LIMIT_BYTES // 2 + 16 * 1024)


@pytest.fixture(scope="module")
def distrusting_lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("distrusting-lab")
    with Lab(folder, s3, configuration=SMALL_LIMIT | DISTRUST) as lab:
        yield lab


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case.name)
def test_limit_is_kept_to_the_byte_where_msg_size_is_not_trusted(
    distrusting_lab: Lab, bucket: Bucket, plain: Plain, case: Case
) -> None:
    trial = Trial(distrusting_lab, bucket, plain)
    if case.decision == "passes":
        trial.passes(case.sent())
    else:
        trial.intercepts(case.sent())


@pytest.fixture
def proxy() -> Iterator[MilterProxy]:
    with MilterProxy() as proxy:
        yield proxy


@pytest.fixture
def blind_proxy() -> Iterator[MilterProxy]:
    with MilterProxy(hide_msg_size=True) as proxy:
        yield proxy


def behind(trial: Trial, proxy: MilterProxy) -> Trial:
    """Let the proxy lead to the milter of a lab that was made to use it."""
    proxy.target_port = int(
        trial.lab.milter.configuration["milter"]["socket"].partition(":")[2].partition("@")[0]
    )
    return trial


@pytest.mark.parametrize(
    ("message", "configuration", "is_read"),
    [
        pytest.param(SMALL, {}, False, id="small"),
        pytest.param(HALF, {}, True, id="within, but not surely"),
        pytest.param(SMALL, DISTRUST, True, id="small, without trust"),
    ],
)
def test_body_is_transferred_only_where_msg_size_does_not_prove_the_message_small(
    make_trial: MakeTrial,
    proxy: MilterProxy,
    plain: Plain,
    message: bytes,
    configuration: dict[str, object],
    is_read: bool,
) -> None:
    trial = behind(make_trial(configuration, plain, milter_socket=proxy.socket), proxy)

    trial.passes(Sent(message, SENDER, (RECIPIENT,)))

    body = message.partition(b"\r\n\r\n")[2]
    assert proxy.body_bytes == (len(body) if is_read else 0)


def test_mta_without_msg_size_has_its_messages_counted(
    make_trial: MakeTrial, blind_proxy: MilterProxy, plain: Plain
) -> None:
    trial = behind(make_trial({}, plain, milter_socket=blind_proxy.socket), blind_proxy)

    for case in EDGES[:3]:
        if case.decision == "passes":
            trial.passes(case.sent())
        else:
            trial.intercepts(case.sent())
    trial.passes(Sent(SMALL, SENDER, (RECIPIENT,)))

    assert blind_proxy.body_bytes > 3 * SMALL_LIMIT_BYTES // 2


def test_what_a_filter_before_us_adds_is_counted_and_stored(make_trial: MakeTrial) -> None:
    with Footer(b"Confidential.\r\n" * (OVER_BYTES // 15)) as footer:
        trial = make_trial(DISTRUST, filters_before=[f"inet:{footer.port}@127.0.0.1"])

        trial.intercepts(Sent(SMALL, SENDER, (RECIPIENT,)), stored=SMALL + footer.text)


def test_message_that_a_filter_before_us_leaves_within_the_limit_passes_as_it_made_it(
    make_trial: MakeTrial,
) -> None:
    with Footer(b"Confidential.\r\n") as footer:
        filters = [f"inet:{footer.port}@127.0.0.1"]
        with Plain(filters_before=filters) as plain:
            trial = make_trial(DISTRUST, plain, filters_before=filters)

            trial.passes(Sent(HALF, SENDER, (RECIPIENT,)))
