"""Promise 2 hangs on where local-looking recipients lead: an alias to the outside is the relay's business."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from tests.unit.milter.destination_cases import QUEUE_ID, RELAY_MAILERS, MakeProgram, doubts, reach_relay
from woomera_milter.milter.destinations import Destinations

ALIASES = {
    "root": "ops@example.org",
    "chain": "root",
    "mixed": "daemon, ops@example.org",
    "staff": "daemon, bin",
    "piped": '"|/bin/cat"',
    "filed": "/dev/null",
    "dangling": ":include:/no/such/list",
}


@pytest.fixture(scope="module")
def sendmail() -> Iterator[Sendmail]:
    sendmail = Sendmail(Settings(relay_port=9), ALIASES)
    yield sendmail
    sendmail.close()


# What sendmail says.


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        pytest.param(["daemon"], False, id="a user of this host"),
        pytest.param(["daemon", "bin"], False, id="two users of this host"),
        pytest.param(["daemon@rig.example.com"], False, id="a user, with this host's name"),
        pytest.param(["root"], True, id="an alias to the outside"),
        pytest.param(["root@rig.example.com"], True, id="an alias, with this host's name"),
        pytest.param(["chain"], True, id="an alias of an alias"),
        pytest.param(["mixed"], True, id="an alias to inside and outside"),
        pytest.param(["staff"], False, id="an alias to users of this host"),
        pytest.param(["daemon", "root"], True, id="one of two leads outside"),
        pytest.param(["root", "daemon"], True, id="the first of two leads outside"),
        pytest.param(["piped"], False, id="an alias to a program"),
        pytest.param(["filed"], False, id="an alias to a file"),
        pytest.param(["no.such.user"], False, id="an unknown user"),
        pytest.param(["no.such.user", "root"], True, id="an unknown user, and one who leads outside"),
        pytest.param(["first.last+tag@example.org"], True, id="an address outside"),
    ],
)
def test_recipients_are_followed_to_where_they_lead_in_the_end(
    recipients: list[str], expected: bool, sendmail: Sendmail, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(sendmail.command, *recipients) is expected
    assert doubts(caplog) == []


def test_alias_that_sendmail_cannot_follow_counts_as_the_relays(
    sendmail: Sendmail, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(sendmail.command, "dangling")
    assert doubts(caplog) == ["sendmail -bv ended with status 64"]


def test_unknown_user_does_not_hide_a_list_that_cannot_be_opened(
    sendmail: Sendmail, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(sendmail.command, "no.such.user", "dangling")
    assert doubts(caplog) == ["sendmail -bv could not open a list of recipients"]


# When it need not be asked.


@pytest.mark.parametrize(
    ("configured", "named"),
    [
        pytest.param(RELAY_MAILERS, ("relay",), id="the relay's mailer"),
        pytest.param(RELAY_MAILERS, ("local", "esmtp"), id="a local mailer and the relay's"),
        pytest.param(RELAY_MAILERS, ("",), id="an MTA without {rcpt_mailer}"),
        pytest.param((), ("local",), id="all mailers are configured"),
    ],
)
def test_sendmail_is_not_asked_where_the_answer_is_plain(
    configured: tuple[str, ...], named: tuple[str, ...], make_program: MakeProgram, open_folder: Path
) -> None:
    program = make_program(f"touch {open_folder}/asked")

    assert Destinations(configured, program).reach_relay(["daemon"], frozenset(named), QUEUE_ID)
    assert not (open_folder / "asked").exists()


# When it must not be asked.


@pytest.mark.parametrize(
    "address",
    [
        "-OQueueDirectory=/tmp",
        "--",
        "|/bin/sh",
        "a|b@example.org",
        '"|touch /tmp/x"@example.org',
        "/etc/passwd",
        ":include:/etc/passwd",
        "\\daemon",
        "two words@example.org",
        "one,two@example.org",
        "a@example.org\nb@example.org",
        "user@[127.0.0.1]",
        "größe@example.org",
        "Name <daemon>",
        "$(id)",
        "`id`;id",
        "",
    ],
)
def test_address_that_could_mean_more_than_itself_never_reaches_the_program(
    address: str, make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = make_program(f"touch {open_folder}/asked")

    assert reach_relay(program, "daemon", address)
    assert not (open_folder / "asked").exists()
    assert doubts(caplog) == ["an address is too unusual to ask for"]


@pytest.mark.parametrize("address", ["$HOME", "*", "a&b", "a'b", "{x}"])
def test_address_reaches_the_program_as_one_word_without_a_shell(
    address: str, make_program: MakeProgram, open_folder: Path
) -> None:
    program = make_program(f'printf "%s\\n" "$@" > {open_folder}/words')

    reach_relay(program, f"x{address}@example.org")

    words = ["-OQueueDirectory=/", "-d37.1", "-bv", "--", f"x{address}@example.org"]
    assert (open_folder / "words").read_text().splitlines() == words


def test_program_is_asked_of_a_user_of_one_letter_and_reads_nothing(
    make_program: MakeProgram, open_folder: Path
) -> None:
    program = make_program(f"readlink /proc/self/fd/0 > {open_folder}/input; echo $5 > {open_folder}/user")
    ours, theirs = os.pipe()
    before = os.dup(0)
    os.dup2(ours, 0)
    try:
        reach_relay(program, "a")
    finally:
        os.dup2(before, 0)
        for descriptor in (ours, theirs, before):
            os.close(descriptor)

    assert (open_folder / "input").read_text() == "/dev/null\n"
    assert (open_folder / "user").read_text() == "a\n"


# When its answer proves nothing.


@pytest.mark.parametrize(
    ("shell", "why"),
    [
        pytest.param("exit 75", "sendmail -bv ended with status 75", id="temporary failure"),
        pytest.param("exit 77", "sendmail -bv ended with status 77", id="not permitted"),
        pytest.param("kill -9 $$", "sendmail -bv ended with status -9", id="killed"),
    ],
)
def test_sendmail_that_fails_leaves_a_doubt_and_the_message_is_intercepted(
    shell: str, why: str, make_program: MakeProgram, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(make_program(shell), "daemon")
    assert doubts(caplog) == [why]


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param("exit 0", id="nothing"),
        pytest.param("echo 'Mail Delivery Status Report will be mailed to <root>.'", id="as Postfix does"),
        pytest.param("echo 'root@rig.example.com verified'", id="as Exim does"),
    ],
)
def test_program_that_ends_well_and_names_no_mailer_leaves_a_doubt(
    shell: str, make_program: MakeProgram, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(make_program(shell), "root")
    assert doubts(caplog) == ["sendmail -bv names no mailer; see whether milter.sendmail is sendmail's own"]


def test_sendmail_that_names_the_relay_is_believed_whatever_its_status(make_program: MakeProgram) -> None:
    said = "ops@example.org... deliverable: mailer relay, host [127.0.0.3], user ops@example.org"

    assert reach_relay(make_program(f"echo '{said}'; exit 75"), "root")


LOCAL = "daemon... deliverable: mailer local, user daemon"


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(rf"printf '\377\n'; echo '{LOCAL}'", id="octets that are no text"),
        pytest.param(f"echo 'x: Cannot open'; echo '{LOCAL}'", id="a file that did not matter"),
        pytest.param(
            f"echo 'setoption AliasFile (A)=/no/such/file'; echo '{LOCAL}'", id="aliases, as root sees them"
        ),
    ],
)
def test_answer_that_names_local_mailers_alone_is_believed(
    shell: str, make_program: MakeProgram, caplog: pytest.LogCaptureFixture
) -> None:
    assert not reach_relay(make_program(shell), "daemon")
    assert doubts(caplog) == []


@pytest.mark.parametrize("stream", ["1", "2"], ids=["output", "errors"])
def test_list_that_an_unknown_user_hides_is_a_doubt_wherever_it_is_told(
    stream: str, make_program: MakeProgram, caplog: pytest.LogCaptureFixture
) -> None:
    program = make_program(f"echo '{LOCAL}'; echo 'Cannot open /no/such/list' >&{stream}; exit 67")

    assert reach_relay(program, "daemon", "no.such.user")
    assert doubts(caplog) == ["sendmail -bv could not open a list of recipients"]


def test_sendmail_that_does_not_answer_is_given_up(
    make_program: MakeProgram, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(make_program("exec sleep 60"), "daemon")
    assert doubts(caplog) == ["sendmail -bv did not run (TimeoutExpired)"]


def test_program_that_cannot_be_run_leaves_a_doubt(
    open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert reach_relay(open_folder / "missing", "daemon")
    assert doubts(caplog) == ["sendmail -bv did not run (FileNotFoundError)"]


def test_host_without_sendmail_leaves_a_doubt(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(shutil, "which", lambda name, path: asked.append(path))

    assert reach_relay(None, "daemon")
    assert asked[0].endswith(":/usr/sbin:/usr/lib")  # the PATH of a service has neither
    assert doubts(caplog) == ["there is no sendmail program; set milter.sendmail"]


def test_relay_counts_wherever_it_stands_among_the_answers(make_program: MakeProgram) -> None:
    said = "ops@example.org... deliverable: mailer relay, host [127.0.0.3], user ops@example.org"

    assert reach_relay(make_program(f"echo '{said}'; echo '{LOCAL}'"), "root", "daemon")
