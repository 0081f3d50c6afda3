"""The group of commands: what it loads, what its help says, and that no command ends with a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from woomera_milter.cli.main import _JOBS, _SERVICES, main

HEAVY = {"boto3", "botocore", "cryptography", "jinja2", "nh3", "rich", "smtplib", "urllib3"}
CONFIGURATION = "storage: {bucket: example-large-mail, region: eu-central-1}\n"
TERMINALS = [
    pytest.param({"PYTHONIOENCODING": "utf-8"}, id="UTF-8"),
    pytest.param({"PYTHONIOENCODING": "latin-1"}, id="Latin-1"),
    pytest.param({"LC_ALL": "C"}, id="C"),
    pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="C, taken at its word"),
    pytest.param({"PYTHONIOENCODING": "ascii"}, id="ASCII"),
]


def ended(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *command], env=os.environ | environment, capture_output=True, check=False, timeout=60
    )


def woomera(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return ended("-m", "woomera_milter", *arguments, **environment)


def loaded_by(code: str) -> set[str]:
    """What a Python process has loaded after `code`."""
    done = ended("-c", f"import atexit, sys\natexit.register(lambda: print(*sys.modules))\n{code}")
    assert b"Traceback" not in done.stderr
    return set(done.stdout.decode().splitlines()[-1].split())


def running(statements: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process in which `statements` ran before."""
    return ended("-c", f"{statements}\nfrom woomera_milter.cli.main import main\nmain({list(arguments)})")


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIGURATION, encoding="utf-8")
    path.chmod(0o600)
    return path


# What is loaded.


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_load_no_library_that_takes_time(option: str) -> None:
    loaded = loaded_by(f"from woomera_milter.cli.main import main\nmain(['{option}'])")

    assert "woomera_milter.cli.main" in loaded
    assert loaded & (HEAVY | {"milter", "pydantic", "yaml"}) == set()


def test_archive_milter_loads_nothing_that_knows_s3_or_notices(config_path: Path) -> None:
    loaded = loaded_by(
        f"from woomera_milter.cli import archive_milter, common\ncommon.load(common.Path('{config_path}'))"
    )

    assert {"milter", "pydantic", "woomera_milter.archive.server"} <= loaded
    assert loaded & HEAVY == set()


# What the help says.


def test_help_shows_the_whole_purpose_of_each_command_services_apart_from_jobs() -> None:
    done = woomera("--help", COLUMNS="60")
    _, services, jobs = done.stdout.decode().replace("Jobs:", "Services:").split("Services:")

    for said, commands in (services, _SERVICES), (jobs, _JOBS):
        words = " ".join(said.split())
        assert words == " ".join(f"{name} {purpose}" for name, (_, purpose) in commands.items())


def test_purpose_in_the_groups_help_begins_the_commands_own() -> None:
    context = click.Context(main)
    assert main.list_commands(context) == sorted(_SERVICES | _JOBS)
    for name, (_, purpose) in (_SERVICES | _JOBS).items():
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert (command.help or "").split("\n\n")[0] == purpose


def test_command_that_there_is_not_is_wrong_usage() -> None:
    done = woomera("intercept")

    assert done.returncode == 2
    assert b"No such command 'intercept'" in done.stderr


# What ends a command.


def test_error_of_ours_is_a_line_for_each_problem_and_its_exit_status(tmp_path: Path) -> None:
    done = woomera("--config", tmp_path / "missing.yaml", "list")

    assert done.returncode == 78
    assert done.stderr.startswith(f"woomera: {tmp_path}/missing.yaml".encode())


MISTAKE = """
from woomera_milter import config
def broken(_): raise KeyError('Subject: secret')
config.load = broken"""


def test_mistake_of_ours_is_one_line_that_names_its_type_and_quotes_nothing() -> None:
    done = running(MISTAKE, "list")

    assert done.returncode == 75
    assert done.stdout == b""
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("woomera: a mistake of ours (KeyError) ends this command; report it")


def test_log_tells_where_a_mistake_of_ours_was_at_debug_without_its_text() -> None:
    said = running(MISTAKE, "--log-level", "debug", "list").stderr.decode()

    assert "-: traceback error=KeyError lines=" in said
    assert "in broken" in said
    assert "secret" not in said


def test_part_of_the_installation_that_is_missing_is_named_with_a_remedy() -> None:
    done = running("import sys\nsys.modules['milter'] = None", "archive-milter")

    assert done.returncode == 78
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("woomera: this installation lacks a part (")
    assert "`woomera check`" in line


@pytest.mark.parametrize("option", ["--mbox", "--maildir"])
def test_folder_for_an_mbox_and_file_for_a_maildir_are_wrong_usage(
    option: str, config_path: Path, tmp_path: Path
) -> None:
    other = tmp_path if option == "--mbox" else config_path

    done = woomera("--config", config_path, "archive", "--dry-run", option, other)

    assert done.returncode == 2
    assert f"Invalid value for '{option}'".encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_reader_that_leaves_early_is_no_mistake_of_ours(config_path: Path) -> None:
    command = f"{sys.executable} -m woomera_milter --config {config_path} check --offline | true"

    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=60)

    assert done.stderr == b""


# Terminals of whatever encoding.


@pytest.fixture
def odd_path(config_path: Path) -> Path:
    """A configuration under a name that neither ASCII nor Latin-1 can write."""
    return config_path.rename(config_path.with_name("é€😀.yaml"))


@pytest.mark.parametrize("environment", TERMINALS)
def test_json_stays_json_whatever_the_terminals_encoding(environment: dict[str, str], odd_path: Path) -> None:
    done = woomera("--config", odd_path, "check", "--offline", "--json", **environment)

    assert b"Traceback" not in done.stderr
    subject = json.loads(done.stdout)[0]["subject"]
    assert os.fsencode(subject) == os.fsencode(odd_path)


@pytest.mark.parametrize("environment", TERMINALS)
def test_text_is_escaped_where_the_terminal_cannot_show_it(
    environment: dict[str, str], odd_path: Path
) -> None:
    done = woomera("--config", odd_path, "check", "--offline", **environment)

    assert done.returncode == 0, done.stderr
    assert b".yaml" in done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("environment", TERMINALS)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "JSON"])
def test_file_name_that_is_no_text_at_all_ends_no_command(
    options: list[str], environment: dict[str, str], config_path: Path, tmp_path: Path
) -> None:
    for sub in ("new", "cur"):
        (tmp_path / "Maildir" / sub).mkdir(parents=True)
    link = Path(os.fsdecode(os.fsencode(tmp_path / "Maildir/new") + b"/1.\xff.link"))
    link.symlink_to(config_path)  # which is not followed

    done = woomera(
        *("--config", config_path, "archive", "--dry-run", *options, "--maildir", tmp_path / "Maildir"),
        **environment,
    )

    assert done.returncode == 75, done.stderr
    assert b"Traceback" not in done.stderr
    if options:
        assert len(json.loads(done.stdout)["failed"]) == 1
    else:
        assert b"failed: " in done.stdout
