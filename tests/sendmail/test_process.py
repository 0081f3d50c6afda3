"""The milter as a process: how it starts and ends, what it leaves in the log, and that it does not grow."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from rig.lab import Milter, base_configuration, merged
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.smtp import SmtpClient
from rig.process import accepts, accepts_at, free_port
from rig.promises.checker import Sent
from rig.servers.faults import Answer, FaultProxy, Hang, Pass, Slow
from rig.servers.s3 import Juicefs
from rig.trial import hand_over
from rig.usage import descriptors_of, usage_of
from tests.sendmail.conftest import SMALL_LIMIT, MakeTrial
from woomera_milter.offload import uploads

OVER_BYTES = MB + 64 * 1024
OVER = Sent(messages.message(OVER_BYTES), SENDER, (RECIPIENT,))
SMALL = Sent(messages.message(), SENDER, (RECIPIENT,))
PATIENCE_S = 20
CONNECTIONS = 5
LONGER_THAN_LIBMILTER_S = 7
"""libmilter notices within 5 s that it was told to end (its listener's MI_CHK_TIME)."""


MakeMilter = Callable[..., Milter]


@pytest.fixture
def make_milter(s3: Juicefs, tmp_path: Path) -> Iterator[MakeMilter]:
    """make_milter(address, **sections): a milter without sendmail, not yet started; ends with the test."""
    with ExitStack() as stack:

        def make(address: str, **sections: Any) -> Milter:
            folder = Path(mkdtemp(dir=tmp_path, prefix="milter-"))
            (folder / "spool").mkdir()
            base = base_configuration(s3, address, folder / "spool")
            milter = Milter(merged(base, sections), folder)
            stack.callback(milter.kill)
            return milter

        yield make


def inet() -> str:
    return f"inet:{free_port()}@127.0.0.1"


def exit_of(milter: Milter) -> tuple[int, str]:
    """The exit status of a milter that should not serve, and what it says."""
    return milter.launch().wait(PATIENCE_S), milter.log_text()


# How it starts.


def test_socket_that_a_killed_milter_left_is_replaced(make_milter: MakeMilter, tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    milter = make_milter(f"unix:{path}")
    milter.start()
    milter.kill()
    assert path.is_socket()

    milter.start()

    assert accepts_at(path)


def test_living_milters_unix_socket_is_not_taken_and_it_goes_on_serving(
    make_milter: MakeMilter, tmp_path: Path
) -> None:
    path = tmp_path / "milter.sock"
    first = make_milter(f"unix:{path}")
    first.start()

    status, said = exit_of(make_milter(f"unix:{path}"))

    assert status == 78
    assert f"milter.socket: another process already serves {path}; stop it first" in said
    assert accepts_at(path)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_whatever_else_has_the_sockets_name_is_left_and_named_with_the_remedy(
    make_milter: MakeMilter, tmp_path: Path, what: str
) -> None:
    path = tmp_path / "precious"
    if what == "file":
        path.write_text("precious")
    else:
        path.mkdir()

    status, said = exit_of(make_milter(f"unix:{path}"))

    assert status == 78
    assert f"milter.socket: {path} is something else than a socket; name a path that is free" in said
    assert "Traceback" not in said
    assert path.is_dir() or path.read_text() == "precious"


def test_socket_of_which_nobody_can_tell_whether_it_is_in_use_is_left(
    make_milter: MakeMilter, tmp_path: Path
) -> None:
    path = tmp_path / "log.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        others.bind(str(path))

        status, said = exit_of(make_milter(f"unix:{path}"))

    assert status == 78
    assert f"milter.socket: {path} cannot be asked whether it is in use (" in said
    assert "Traceback" not in said
    assert path.is_socket()


def test_port_that_is_taken_is_named_with_the_remedy(make_milter: MakeMilter) -> None:
    first = make_milter(inet())
    first.start()

    status, said = exit_of(make_milter(f"inet:{first.port}@127.0.0.1"))

    assert status == 75
    assert f"milter.socket: inet:{first.port}@127.0.0.1 cannot be opened" in said
    assert "no other process has the port" in said
    assert "started" not in said
    assert "Traceback" not in said
    assert accepts("127.0.0.1", first.port)


def test_missing_folder_of_the_socket_is_named_with_the_remedy(
    make_milter: MakeMilter, tmp_path: Path
) -> None:
    status, said = exit_of(make_milter(f"unix:{tmp_path}/missing/milter.sock"))

    assert status == 75
    assert f"milter.socket: unix:{tmp_path}/missing/milter.sock cannot be opened" in said
    assert "see that the folder belongs to the milter's user" in said
    assert "Traceback" not in said


def test_missing_spool_is_named_with_the_remedy(make_milter: MakeMilter, tmp_path: Path) -> None:
    milter = make_milter(inet(), milter={"spool": f"{tmp_path}/missing"})

    status, said = exit_of(milter)

    assert status == 75
    assert f"milter.spool: {tmp_path}/missing cannot hold the message (No such file or directory)" in said
    assert "see that the folder exists" in said


def test_bad_configuration_is_refused_with_all_that_is_wrong_at_once(make_milter: MakeMilter) -> None:
    milter = make_milter(
        inet(),
        limit="ten",
        links={"expires": "14d"},
        milter={"on_failure": "shrug", "soket": "unix:/run/x.sock"},
    )

    status, said = exit_of(milter)

    assert status == 78
    problems = [line for line in said.splitlines() if line.startswith(f"woomera: {milter.config_path}: ")]
    assert len(problems) == len(said.splitlines()) == 4
    for key in ("limit", "links.expires", "milter.on_failure", "milter.soket"):
        assert sum(f"config.yaml: {key}: " in problem for problem in problems) == 1


def test_systemd_hears_that_it_is_ready_when_its_socket_serves(
    make_milter: MakeMilter, tmp_path: Path
) -> None:
    milter = make_milter(f"unix:{tmp_path}/milter.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"{tmp_path}/notify")
        systemd.settimeout(PATIENCE_S)

        milter.launch(NOTIFY_SOCKET=f"{tmp_path}/notify")

        assert systemd.recv(100) == b"READY=1"
    assert accepts_at(tmp_path / "milter.sock")


def test_mail_is_served_where_nobody_listens_for_its_readiness(
    make_milter: MakeMilter, tmp_path: Path
) -> None:
    milter = make_milter(f"unix:{tmp_path}/milter.sock")

    milter.launch(NOTIFY_SOCKET=f"{tmp_path}/gone").wait_until_ready(
        lambda: accepts_at(tmp_path / "milter.sock")
    )

    assert milter.stop() == 0


# How it ends.


def test_idle_milter_ends_with_status_0_on_sigterm(make_milter: MakeMilter) -> None:
    milter = make_milter(inet())
    milter.start()

    assert milter.stop() == 0

    lines = milter.log_text().splitlines()
    assert lines[0].startswith("-: milter started socket=")
    assert lines[-1] == "-: milter stopped"


@pytest.fixture
def proxy(s3: Juicefs) -> Iterator[FaultProxy]:
    with FaultProxy(s3.port) as proxy:
        yield proxy


def test_message_in_hand_is_finished_before_the_milter_ends(make_trial: MakeTrial, proxy: FaultProxy) -> None:
    trial = make_trial(s3_url=proxy.endpoint_url)
    proxy.set(Slow(bytes_per_s=OVER_BYTES // LONGER_THAN_LIBMILTER_S))
    process = trial.lab.milter.process

    with ThreadPoolExecutor(1) as client:
        sending = client.submit(hand_over, trial.lab.sendmail, OVER)
        proxy.wait_for_request("message.eml")
        os.kill(process.pid, signal.SIGTERM)
        exchange = sending.result(PATIENCE_S)

    assert exchange.ok
    assert trial.judge(OVER, exchange) is not None
    assert process.wait(PATIENCE_S) == 0


def test_message_in_hand_that_cannot_be_finished_is_kept_by_its_client(
    make_trial: MakeTrial, proxy: FaultProxy
) -> None:
    trial = make_trial({"milter": {"deadline": "6s"}}, s3_url=proxy.endpoint_url)
    proxy.set(Hang())
    process = trial.lab.milter.process

    with ThreadPoolExecutor(1) as client:
        sending = client.submit(hand_over, trial.lab.sendmail, OVER)
        proxy.wait_for_request("message.eml")
        os.kill(process.pid, signal.SIGTERM)
        exchange = sending.result(PATIENCE_S)

    assert exchange.last.code == 451
    trial.judge(OVER, exchange)
    assert process.wait(PATIENCE_S) == 0


def test_client_amid_its_message_is_not_waited_for_and_hears_451(make_trial: MakeTrial) -> None:
    trial = make_trial()

    with SmtpClient(trial.lab.sendmail.smtp_port) as client:
        client.command(f"MAIL FROM:<{SENDER}>")
        client.command(f"RCPT TO:<{RECIPIENT}>")
        assert trial.lab.milter.stop() == 0
        reply = client.data(OVER.message)

    assert reply.code == 451
    assert trial.lab.ses.accepted == []
    assert trial.lab.sendmail.queue_ids() == []


# Beside another one.


def test_two_milters_in_a_row_make_one_notice(make_trial: MakeTrial, make_milter: MakeMilter) -> None:
    first = make_milter(inet(), **SMALL_LIMIT)
    first.start()
    trial = make_trial(filters_before=[first.configuration["milter"]["socket"]])

    trial.passes(SMALL)
    trial.intercepts(OVER)

    assert first.log_text().count(" intercepted ") == 1
    assert " intercepted " not in trial.lab.milter.log_text()


# What it leaves behind.


def test_log_names_each_message_by_its_queue_id_and_holds_nothing_of_it(
    make_trial: MakeTrial, proxy: FaultProxy
) -> None:
    trial = make_trial(s3_url=proxy.endpoint_url)
    secret = "Zanzibar"
    sender, recipient = f"{secret}-sender@example.com", f"{secret}-recipient@example.org"
    message = messages.message_with_file(
        OVER_BYTES, to=(recipient,), subject=f"{secret} takeover", file_name=f"{secret}.pdf"
    )
    sent = Sent(message, sender, (recipient,))
    trial.passes(Sent(messages.message(to=(recipient,), subject=secret), sender, (recipient,)))
    trial.intercepts(sent)
    for code in ("AccessDenied", "NoSuchBucket"):
        proxy.set(Answer(403, code))
        trial.refuses(sent)
    proxy.set(Pass())

    log = trial.lab.milter.log_text()

    events = re.findall(r"^([0-9A-Za-x]{14,15}): (\w+) ", log, re.MULTILINE)
    assert [event for _, event in events] == ["passed", "intercepted", "failed", "failed"]
    assert len({queue_id for queue_id, _ in events}) == 4
    storage = trial.lab.milter.configuration["storage"]
    link_parts = ("X-Amz", "http:", "https:")
    keys = (storage["access_key_id"], storage["secret_access_key"])
    for forbidden in (secret, "example.org", "@example", "takeover", *link_parts, *keys):
        assert forbidden not in log


def test_descriptors_and_memory_do_not_grow_with_the_number_of_messages(
    make_trial: MakeTrial, s3: Juicefs
) -> None:
    trial = make_trial({"milter": {"max_concurrent": 2}})
    process, s3_port = trial.lab.milter.process, s3.port
    large = Sent(messages.message(5 * MB), SENDER, (RECIPIENT,))

    def send_on_one_connection(count: int) -> None:
        with SmtpClient(trial.lab.sendmail.smtp_port) as client:
            for sent in [large, large, *[SMALL] * (count - 2)]:
                exchange = client.send(sent.message, sender=SENDER, recipients=sent.recipients)
                assert exchange.ok

    with ThreadPoolExecutor(CONNECTIONS) as clients:
        list(clients.map(send_on_one_connection, [3] * CONNECTIONS))  # fills caches
        descriptors, _ = descriptors_of(process.pid, s3_port)
        resident_bytes = usage_of(process.pid).rss_bytes
        list(clients.map(send_on_one_connection, [42] * CONNECTIONS))

    process.wait_until_ready(lambda: descriptors_of(process.pid, s3_port)[0] <= descriptors, PATIENCE_S)
    # How many connections the pool holds depends on how many messages met; what it may hold is fixed.
    _, connections = descriptors_of(process.pid, s3_port)
    assert 1 <= connections <= 2 + uploads.AT_ONCE
    assert usage_of(process.pid).rss_bytes < resident_bytes + 32 * MB
    assert list((trial.lab.folder / "spool").iterdir()) == []
