"""The archive milter in the real sendmail: what it keeps, and that mail passes whatever becomes of it."""

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rig.archive_lab import ArchiveLab
from rig.lab import BUCKET
from rig.mail import messages
from rig.mail.messages import MB, RECIPIENT, SENDER
from rig.mta.filters import Footer
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import HOST_NAME, MAILER_DAEMON, Settings
from rig.mta.smtp import SmtpClient
from rig.servers.s3 import Juicefs
from rig.servers.ses import Ses

LARGE = messages.message(200 * 1024)
OVER = messages.message(2 * MB)

MakeLab = Callable[..., ArchiveLab]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("s3")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def make_lab(s3: Juicefs, tmp_path: Path) -> Iterator[MakeLab]:
    with ExitStack() as stack:

        def make(**arguments: Any) -> ArchiveLab:
            return stack.enter_context(ArchiveLab(tmp_path, s3, **arguments))

        yield make


@pytest.fixture
def lab(make_lab: MakeLab) -> ArchiveLab:
    return make_lab()


def test_one_copy_names_all_recipients_and_holds_what_the_client_sent(lab: ArchiveLab) -> None:
    recipients = ("one@example.org", "two@example.org", "hidden@example.org")

    exchange = lab.send(LARGE, recipients)

    (copy,) = lab.kept()
    assert exchange.ok
    assert copy.message == LARGE
    assert copy.path.name.endswith(f"-{exchange.queue_id}.eml")
    assert {**copy.envelope, "archived_at": "", "host": ""} == {
        "envelope_sender": SENDER,
        "recipients": list(recipients),
        "archived_at": "",
        "host": "",
        "source": "archive-milter",
        "added_bytes": 0,
    }


def test_what_sendmail_adds_to_local_names_is_recorded_for_the_sweep(lab: ArchiveLab) -> None:
    lab.send(b"Cc: one, two\r\n" + LARGE, (RECIPIENT,))

    (copy,) = lab.kept()
    assert copy.envelope["added_bytes"] == 2 * len(f"@{HOST_NAME}")


def test_bcc_header_is_not_in_the_copy(lab: ArchiveLab) -> None:
    lab.send(b"Bcc: hidden@example.org\r\n" + LARGE, (RECIPIENT, "hidden@example.org"))

    (copy,) = lab.kept()
    assert copy.message == LARGE
    assert copy.envelope["recipients"] == [RECIPIENT, "hidden@example.org"]


def test_copies_are_readable_by_their_owner_alone(lab: ArchiveLab) -> None:
    lab.send(LARGE, (RECIPIENT,))

    assert [path.stat().st_mode & 0o777 for path in lab.spool.iterdir()] == [0o600, 0o600]


def test_bounce_is_kept_with_its_null_sender(lab: ArchiveLab) -> None:
    lab.send(LARGE, (RECIPIENT,), sender="")

    assert [copy.envelope["envelope_sender"] for copy in lab.kept()] == [""]


def test_small_mail_is_let_go_unread(lab: ArchiveLab) -> None:
    exchange = lab.send(messages.message(50 * 1024), (RECIPIENT,))

    assert lab.kept() == []
    assert f"{exchange.queue_id}: passed why=small" in lab.milter.log_text()


def test_what_a_filter_before_makes_large_is_kept_where_msg_size_is_not_trusted(make_lab: MakeLab) -> None:
    small = messages.message()
    with Footer(b"Confidential.\r\n" * (len(OVER) // 15)) as footer:
        lab = make_lab(
            configuration={"milter": {"trust_msg_size": False}},
            filters_before=[f"inet:{footer.port}@127.0.0.1"],
        )

        assert lab.send(small, (RECIPIENT,)).ok

        assert [copy.message for copy in lab.kept()] == [small + footer.text]


@pytest.mark.parametrize(
    ("recipients", "is_kept"),
    [
        pytest.param(("daemon",), False, id="mailbox of this host"),
        pytest.param(("outward",), True, id="alias that leads outside"),
        pytest.param(("daemon", RECIPIENT), True, id="one of either"),
    ],
)
def test_mail_is_kept_where_it_goes_to_the_relay(
    make_lab: MakeLab, recipients: tuple[str, ...], is_kept: bool
) -> None:
    lab = make_lab(aliases={"outward": "ops@example.org"}, delivery_mode="queue")

    lab.send(LARGE, recipients)

    assert bool(lab.kept()) == is_kept


def test_several_messages_on_one_connection_are_kept_each_with_its_own_envelope(lab: ArchiveLab) -> None:
    with SmtpClient(lab.sendmail.smtp_port) as client:
        client.send(LARGE, sender="a@example.com", recipients=["one@example.org"])
        client.command("MAIL FROM:<lost@example.com>")
        client.command("RCPT TO:<lost@example.org>")
        client.command("RSET")
        client.send(LARGE, sender="b@example.com", recipients=["two@example.org"])

    assert [(it.envelope["envelope_sender"], it.envelope["recipients"]) for it in lab.kept()] == [
        ("a@example.com", ["one@example.org"]),
        ("b@example.com", ["two@example.org"]),
    ]


def test_what_the_main_milter_replaced_is_not_kept(make_lab: MakeLab) -> None:
    lab = make_lab(with_main_milter=True)

    exchange = lab.send(OVER, (RECIPIENT,))

    assert exchange.ok
    assert lab.kept() == []
    assert len(lab.ses.wait_for(1)[0].message) < 100 * 1024
    assert f"{exchange.queue_id}: passed why=" in lab.milter.log_text()


def test_what_slips_past_the_dead_main_milter_is_kept(make_lab: MakeLab) -> None:
    lab = make_lab(with_main_milter=True, failure_flag="none")
    assert lab.main_milter is not None
    lab.main_milter.kill()

    assert lab.send(OVER, (RECIPIENT,)).ok

    assert [copy.message for copy in lab.kept()] == [OVER]


def test_success_notifications_are_the_same_with_both_milters(make_lab: MakeLab) -> None:
    lab = make_lab(with_main_milter=True)
    with Ses() as ses, Sendmail(Settings(relay_port=ses.port)) as without:
        for port in (lab.sendmail.smtp_port, without.smtp_port):
            with SmtpClient(port) as client:
                client.send(LARGE, sender=SENDER, recipients=[RECIPIENT], rcpt_parameters="NOTIFY=SUCCESS")
        with_us, without_us = (
            {(it.envelope_sender, it.recipients) for it in each.wait_for(2)} for each in (lab.ses, ses)
        )

    assert with_us == without_us == {(SENDER, (RECIPIENT,)), (MAILER_DAEMON, (SENDER,))}


@pytest.mark.parametrize("trouble", ["spool missing", "disk below its floor", "disk full", "milter killed"])
def test_mail_passes_unchanged_and_unarchived_mail_raises_an_alarm(make_lab: MakeLab, trouble: str) -> None:
    floor = "100000GB" if trouble == "disk below its floor" else 0
    lab = make_lab(configuration={"archive": {"min_free": floor}})
    match trouble:
        case "spool missing":
            lab.spool.rmdir()
        case "disk full":
            resource.prlimit(lab.milter.process.pid, resource.RLIMIT_FSIZE, (150 * 1024, 150 * 1024))
        case "milter killed":
            lab.milter.kill()

    exchange = lab.send(LARGE, (RECIPIENT,))

    assert exchange.ok
    (transaction,) = lab.ses.wait_for(1)
    assert transaction.message.endswith(LARGE.partition(b"\r\n\r\n")[2])
    assert not lab.spool.exists() or list(lab.spool.iterdir()) == []
    if trouble != "milter killed":
        assert f"{exchange.queue_id}: not-kept reason=" in lab.milter.log_text()


def test_copy_that_a_killed_milter_had_begun_is_gone_after_its_restart_and_the_mail_has_passed(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(limit_bytes=64 * MB)
    message = messages.message(48 * MB)
    replies = []
    client = threading.Thread(target=lambda: replies.append(lab.send(message, (RECIPIENT,))))

    client.start()
    while not any(path.stat().st_size > MB for path in lab.spool.glob(".unfinished-*")):
        assert client.is_alive(), "the message was kept before the milter could be killed"
        time.sleep(0.001)
    lab.milter.kill()
    client.join()
    left = [path.name for path in lab.spool.iterdir()]
    lab.milter.start()

    assert [it.ok for it in replies] == [True]
    assert len(lab.ses.wait_for(1)[0].message) >= len(message)
    assert len(left) == 1
    # The kernel takes connections once the socket is the milter's, which then clears up before it serves.
    lab.milter.process.wait_until_ready(lambda: not list(lab.spool.iterdir()))


def test_second_archive_milter_does_not_start_and_leaves_what_the_first_has_begun(lab: ArchiveLab) -> None:
    begun = lab.spool / ".unfinished-by-the-first"
    begun.touch()

    second = lab.run_job("archive-milter")

    assert second.returncode == 75
    assert "archive.socket: " in second.stderr
    assert begun.exists()
