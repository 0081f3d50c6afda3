"""Promise 2: whatever fails, an over-limit message is stored and replaced, or the client keeps it."""

import json
import resource
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rig.lab import Lab
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.process import StartError
from rig.promises.bucket import Bucket
from rig.promises.checker import Aftermath, Sent, check
from rig.promises.notices import read_notice
from rig.servers.faults import Answer, Corrupt, Fault, FaultProxy, Hang, LoseReply, Pass, Refuse, Reset, Slow
from rig.servers.s3 import Juicefs
from rig.trial import Trial, hand_over
from tests.sendmail.conftest import SMALL_LIMIT, MakeTrial

OVER_BYTES = MB + 64 * 1024
NEARLY_OVER_BYTES = MB - 64 * 1024
"""Within the limit, but too large for {msg_size} to prove it: the milter reads the body."""
STORING_FAILED = "4.3.0 Message too large to relay, and storing it failed; try again later"


def over(*, to: str = RECIPIENT, subject: str = "Quarterly figures") -> Sent:
    return Sent(messages.message(OVER_BYTES, to=(to,), subject=subject), SENDER, (to,))


def nearly_over() -> Sent:
    return Sent(messages.message(NEARLY_OVER_BYTES), SENDER, (RECIPIENT,))


def small() -> Sent:
    return Sent(messages.message(), SENDER, (RECIPIENT,))


def assert_kept_by_client(trial: Trial, sent: Sent) -> None:
    """The client is told to try again later, and nothing else happens."""
    reply = trial.refuses(sent)
    assert str(reply) == f"451 {STORING_FAILED}"


# S3 fails.


@pytest.fixture(scope="module")
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def hasty_lab(s3: Juicefs, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with a short deadline, whose S3 can fail."""
    configuration = SMALL_LIMIT | {"milter": {"deadline": "3s"}}
    folder = tmp_path_factory.mktemp("hasty-lab")
    with Lab(folder, s3, configuration=configuration, s3_url=proxy.endpoint_url) as lab:
        yield lab


@pytest.fixture
def hasty_trial(hasty_lab: Lab, bucket: Bucket, proxy: FaultProxy) -> Iterator[Trial]:
    yield Trial(hasty_lab, bucket)
    proxy.set(Pass())


FAULTS = [
    pytest.param(Refuse(), id="down"),
    pytest.param(Hang(), id="hangs"),
    pytest.param(Hang(after_bytes=OVER_BYTES // 2), id="hangs amid the upload"),
    pytest.param(Slow(bytes_per_s=100_000), id="too slow"),
    pytest.param(Answer(503, "SlowDown"), id="throttles"),
    pytest.param(Answer(500, "InternalError"), id="fails"),
    pytest.param(Answer(403, "AccessDenied"), id="denies access"),
    pytest.param(Answer(400, "ExpiredToken"), id="finds the credentials expired"),
    pytest.param(Answer(404, "NoSuchBucket"), id="has no such bucket any more"),
    pytest.param(Reset(), id="resets"),
    pytest.param(Reset(after_bytes=OVER_BYTES // 2), id="resets amid the upload"),
    pytest.param(Corrupt(at_byte=OVER_BYTES // 2), id="gets a damaged message"),
    pytest.param(LoseReply(), id="its replies are lost"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_message_that_s3_does_not_take_is_kept_by_the_client_until_s3_is_well(
    fault: Fault, hasty_trial: Trial, proxy: FaultProxy
) -> None:
    proxy.set(fault)
    assert_kept_by_client(hasty_trial, over())
    hasty_trial.passes(small())

    proxy.set(Pass())
    hasty_trial.intercepts(over())


@pytest.mark.parametrize("fault", [Hang(), Answer(403, "AccessDenied"), Corrupt()], ids=str)
def test_message_whose_sidecar_s3_does_not_take_is_kept_by_the_client(
    fault: Fault, hasty_trial: Trial, proxy: FaultProxy
) -> None:
    proxy.set(fault, applies_to="envelope.json")

    assert_kept_by_client(hasty_trial, over())


def test_slow_s3_that_takes_the_message_within_the_deadline_is_waited_for(
    hasty_trial: Trial, proxy: FaultProxy
) -> None:
    proxy.set(Slow(bytes_per_s=MB))

    hasty_trial.intercepts(over())


def test_hiccup_of_s3_is_not_even_noticed(hasty_trial: Trial, s3: Juicefs, proxy: FaultProxy) -> None:
    hasty_trial.intercepts(over())  # leaves connections open, which are dead after this:
    proxy.set(Refuse())
    proxy.set(Pass())

    hasty_trial.intercepts(over())


@pytest.mark.parametrize(
    ("storage", "problem", "remedy"),
    [
        ({"bucket": "no-such-bucket"}, "NoSuchBucket", "create the bucket, or correct storage.bucket"),
        ({"access_key_id": "nobodys-key"}, "InvalidAccessKeyId", "correct the access key of storage"),
        ({"secret_access_key": "wrong"}, "SignatureDoesNotMatch", "correct the secret key of storage"),
    ],
    ids=["bucket missing", "unknown key", "wrong secret"],
)
def test_mistake_in_the_configuration_makes_clients_wait_and_the_log_names_the_remedy(
    storage: dict[str, str], problem: str, remedy: str, make_trial: MakeTrial
) -> None:
    trial = make_trial({"storage": storage})

    assert_kept_by_client(trial, over())
    trial.passes(small())

    [line] = [line for line in trial.lab.milter.log_text().splitlines() if " failed " in line]
    assert "reason=store answer=tempfail" in line
    assert problem in line
    assert remedy in line


@pytest.mark.parametrize(("on_failure", "code"), [("tempfail", 451), ("reject", 554), ("pass", 250)], ids=str)
def test_on_failure_says_what_becomes_of_a_message_that_cannot_be_stored(
    on_failure: str, code: int, make_trial: MakeTrial
) -> None:
    trial = make_trial({"storage": {"bucket": "no-such-bucket"}, "milter": {"on_failure": on_failure}})

    if on_failure == "pass":
        trial.passes(over())
    else:
        assert trial.refuses(over()).code == code
    assert f"answer={on_failure}" in trial.lab.milter.log_text()


# The spool fails.


def test_spool_that_is_gone_stops_over_limit_messages_alone(make_trial: MakeTrial) -> None:
    trial = make_trial()
    spool = trial.lab.folder / "spool"
    spool.rmdir()

    trial.passes(small())
    trial.passes(nearly_over())
    assert_kept_by_client(trial, over())

    spool.mkdir()
    trial.intercepts(over())


def test_full_disk_stops_over_limit_messages_alone(make_trial: MakeTrial) -> None:
    trial = make_trial()
    pid = trial.lab.milter.process.pid
    # A limit on its files stands in for the full disk: the write that crosses it is cut short, then all fail.
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE, (200_001, resource.RLIM_INFINITY))

    trial.passes(small())
    trial.passes(nearly_over())
    assert_kept_by_client(trial, over())
    assert "reason=spool" in trial.lab.milter.log_text()

    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    trial.intercepts(over())


# The milter is away.


@pytest.mark.parametrize(("flag", "code"), [("T", 451), ("R", 550)])
def test_without_the_milter_clients_hear_what_the_failure_flag_says(
    flag: str, code: int, make_trial: MakeTrial
) -> None:
    trial = make_trial(failure_flag=flag)
    trial.lab.milter.kill()

    for sent in (small(), over()):
        assert trial.refuses(sent).code == code

    trial.lab.milter.start()
    trial.intercepts(over())


def test_without_the_milter_and_with_flag_4_clients_are_sent_away_at_once(make_trial: MakeTrial) -> None:
    trial = make_trial(failure_flag="4")
    trial.lab.milter.kill()

    with socket.create_connection(("127.0.0.1", trial.lab.sendmail.smtp_port), timeout=10) as client:
        assert client.recv(1024).startswith(b"421 ")

    trial.lab.milter.start()
    trial.intercepts(over())


def test_without_a_failure_flag_mail_passes_while_the_milter_is_away(make_trial: MakeTrial) -> None:
    trial = make_trial(failure_flag="none")
    trial.lab.milter.kill()

    trial.passes(small())
    trial.passes(over())


def test_mail_of_the_sendmail_command_waits_and_is_delivered_once_the_milter_is_back(
    make_trial: MakeTrial,
) -> None:
    trial = make_trial()
    lab = trial.lab
    lab.milter.kill()
    text = messages.message(OVER_BYTES)

    done = lab.sendmail.submit("-f", SENDER, RECIPIENT, message=text.replace(b"\r\n", b"\n"))
    assert done.returncode == 0
    lab.sendmail.flush_client_queue()
    assert lab.ses.accepted == []
    assert len(list(lab.sendmail.client_queue.glob("qf*"))) == 1

    lab.milter.start()
    lab.sendmail.flush_client_queue()

    [delivered] = lab.ses.wait_for(1)
    assert list(lab.sendmail.client_queue.glob("qf*")) == []
    assert delivered.recipients == (RECIPIENT,)
    _page, link = read_notice(delivered.message).links
    with urllib.request.urlopen(link, timeout=10) as reply:
        assert reply.read().endswith(text.partition(b"\r\n\r\n")[2])


# Many at once.


def test_messages_beyond_max_concurrent_wait_and_all_are_intercepted(make_trial: MakeTrial) -> None:
    trial = make_trial({"milter": {"max_concurrent": 2}})
    all_sent = [over(to=f"recipient{number}@example.org") for number in range(6)]

    with ThreadPoolExecutor(len(all_sent)) as clients:
        exchanges = list(clients.map(lambda sent: hand_over(trial.lab.sendmail, sent), all_sent))

    for sent, exchange in zip(all_sent, exchanges, strict=True):
        own = [it for it in trial.lab.ses.accepted if it.recipients == sent.recipients]
        aftermath = Aftermath(exchange, own, trial.lab.ses.refused, trial.lab.sendmail.queue_ids())
        assert exchange.ok
        assert check(sent, aftermath, trial.bucket, trial.limits) is not None


def test_message_whose_turn_does_not_come_is_kept_by_its_client(
    s3: Juicefs, bucket: Bucket, tmp_path: Path
) -> None:
    with FaultProxy(s3.port) as proxy:
        configuration = SMALL_LIMIT | {"milter": {"deadline": "3s", "max_concurrent": 1}}
        with Lab(tmp_path, s3, configuration=configuration, s3_url=proxy.endpoint_url) as lab:
            trial = Trial(lab, bucket)
            proxy.set(Hang())
            with ThreadPoolExecutor(2) as clients:
                exchanges = list(clients.map(lambda sent: hand_over(lab.sendmail, sent), [over(), over()]))

            for exchange in exchanges:
                assert str(exchange.last) == f"451 {STORING_FAILED}"
                trial.judge(over(), exchange)
            assert len(proxy.requests) == 1
            assert lab.milter.log_text().count("reason=deadline") == 2


# The signer.


class Role:
    """A profile `role` in the home folder, whose keys end as those of an instance role do."""

    def __init__(self, home: Path) -> None:
        self._handed_out = home / "handed-out"
        self._lifetimes = home / "lifetimes"
        program = home / "role.py"
        program.write_text(
            "import datetime, json, pathlib\n"
            f"handed_out = pathlib.Path({str(self._handed_out)!r})\n"
            f"lifetimes = json.loads(pathlib.Path({str(self._lifetimes)!r}).read_text())\n"
            "ends = handed_out.read_text().split() if handed_out.exists() else []\n"
            "lifetime = datetime.timedelta(seconds=lifetimes[min(len(ends), len(lifetimes) - 1)])\n"
            "end = (datetime.datetime.now(datetime.timezone.utc) + lifetime).isoformat()\n"
            "handed_out.write_text(' '.join([*ends, end]))\n"
            "keys = {'AccessKeyId': 'ASIAROLE000000000000', 'SecretAccessKey': 'role-secret'}\n"
            "print(json.dumps({'Version': 1, **keys, 'SessionToken': 'role-token', 'Expiration': end}))\n"
        )
        (home / ".aws").mkdir()
        (home / ".aws/config").write_text(
            f"[profile role]\ncredential_process = {sys.executable} {program}\n"
        )

    def lives(self, *lifetimes: timedelta) -> None:
        """Say how long the keys live that each call hands out; the last serves for ever after."""
        self._lifetimes.write_text(json.dumps([lifetime.total_seconds() for lifetime in lifetimes]))

    @property
    def ends(self) -> list[datetime]:
        """When the keys end that were handed out so far."""
        return [datetime.fromisoformat(end) for end in self._handed_out.read_text().split()]


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Role:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return Role(home)


BY_ROLE = {"profile": "role", "minimum": "1h"}


def test_signer_that_cannot_reach_the_minimum_is_refused_at_start_with_the_remedy(
    role: Role, make_trial: MakeTrial
) -> None:
    role.lives(timedelta(minutes=50))

    with pytest.raises(StartError, match="ended with status 78") as refusal:
        make_trial({"links": BY_ROLE})

    assert "sooner than links.minimum allows; sign with an IAM user's keys" in str(refusal.value)


def test_signer_without_credentials_at_start_makes_clients_wait_until_it_has_some(
    role: Role, make_trial: MakeTrial
) -> None:
    trial = make_trial({"links": BY_ROLE})  # its program fails, as it has no lifetimes to read

    assert 'problem="links: the signing credentials cannot be had' in trial.lab.milter.log_text()
    trial.passes(small())
    assert_kept_by_client(trial, over())

    role.lives(timedelta(days=2))
    assert hand_over(trial.lab.sendmail, over()).ok


def test_signer_whose_credentials_run_out_later_makes_clients_wait(role: Role, make_trial: MakeTrial) -> None:
    role.lives(timedelta(hours=1, seconds=2), timedelta(minutes=50))
    trial = make_trial({"links": BY_ROLE})
    [end] = role.ends
    too_short_from = end - timedelta(hours=1, seconds=-1)  # ends are cut to whole seconds
    time.sleep(max(0, (too_short_from - datetime.now(end.tzinfo)).total_seconds()))

    assert_kept_by_client(trial, over())

    assert "reason=links" in trial.lab.milter.log_text()
    assert len(role.ends) == 2


# SES refuses.


def test_sender_of_a_notice_that_ses_refuses_gets_it_back_with_its_link(make_trial: MakeTrial) -> None:
    trial = make_trial()
    trial.lab.ses.unverified_senders = frozenset({SENDER})

    assert hand_over(trial.lab.sendmail, over()).ok
    aftermath = trial.aftermath(None)

    [bounce] = aftermath.accepted
    assert (bounce.envelope_sender, bounce.recipients) == (MAILER_DAEMON, (SENDER,))
    [key] = [it for it in trial.bucket.list_keys() if it.endswith("/message.eml")]
    assert key.encode() in bounce.message.replace(b"=\r\n", b"")
    assert aftermath.queue_ids == []


def test_notice_of_an_automatic_reply_reaches_ses_though_its_sender_is_null(trial: Trial) -> None:
    interception = trial.intercepts(Sent(messages.message(OVER_BYTES), "", (RECIPIENT,)))

    assert interception.stored.sidecar["envelope_sender"] == ""
