"""What gives the credentials hangs, or is slow: small mail flows, over-limit mail is kept by its client."""

import json
import subprocess
import time
from pathlib import Path

import pytest

from rig.mail import messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.promises.checker import Sent
from rig.servers.s3 import Juicefs
from rig.trial import hand_over
from tests.sendmail.cases import OVER_BYTES
from tests.sendmail.conftest import MakeTrial

SMALL = Sent(messages.message(), SENDER, (RECIPIENT,))
OVER = Sent(messages.message(OVER_BYTES), SENDER, (RECIPIENT,))
HANGS = "sleep 1000 & sleep 1000"


class Program:
    """A `credential_process`: a shell script, of which a test says what it does."""

    def __init__(self, home: Path, s3: Juicefs) -> None:
        self._path = home / "give-keys"
        keys = {"Version": 1, "AccessKeyId": s3.access_key, "SecretAccessKey": s3.secret_key}
        self._keys = json.dumps(keys)
        (home / ".aws").mkdir()
        (home / ".aws/config").write_text(f"[profile program]\ncredential_process = /bin/sh {self._path}\n")

    def does(self, first: str = "") -> None:
        """Have it run these commands before it prints the keys."""
        self._path.write_text(f"{first}\necho '{self._keys}'\n")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: Juicefs) -> Program:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return Program(home, s3)


BY_PROGRAM = {
    "storage": {"access_key_id": None, "secret_access_key": None, "profile": "program"},
    "milter": {"deadline": "15s"},
}


def test_program_that_hangs_keeps_over_limit_mail_with_its_client_and_no_other(
    program: Program, make_trial: MakeTrial
) -> None:
    program.does(HANGS)
    began = time.monotonic()
    trial = make_trial(BY_PROGRAM)  # whose start waits for the socket
    assert time.monotonic() - began < 10
    trial.passes(SMALL)

    began = time.monotonic()
    refusal = trial.refuses(OVER)
    assert refusal.code == 451
    assert time.monotonic() - began < 15 + 5
    assert "credentials" in trial.lab.milter.log_text()

    program.does()
    began = time.monotonic()
    while not hand_over(trial.lab.sendmail, OVER).ok:  # nobody has ended the program but we
        assert time.monotonic() - began < 60
    assert "credentials-late" in trial.lab.milter.log_text()


def test_check_ends_in_time_and_names_the_credentials(program: Program, make_trial: MakeTrial) -> None:
    program.does(HANGS)
    trial = make_trial(BY_PROGRAM)
    command = trial.lab.milter.command_line("check")
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert checked.returncode in (75, 78)
    failures = [line for line in checked.stdout.splitlines() if "failure" in line]
    assert any("credentials" in line for line in failures), checked.stdout


def test_slow_program_gives_keys_to_the_next_try(program: Program, make_trial: MakeTrial) -> None:
    program.does("sleep 12")
    trial = make_trial(BY_PROGRAM)
    began = time.monotonic()
    while not hand_over(trial.lab.sendmail, OVER).ok:
        assert time.monotonic() - began < 60
