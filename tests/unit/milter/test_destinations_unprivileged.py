"""To an ordinary user sendmail calls everything local whose alias or .forward he cannot read."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.milter.destination_cases import MakeProgram, doubts, reach_relay

NOBODY_UID = 65534


@contextlib.contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Who runs the tests as root may read everything; the milter's user may not."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY_UID, NOBODY_UID, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def as_to_an_ordinary_user(alias_file: Path, user: str) -> str:
    """What sendmail prints then."""
    return (
        f"echo 'setoption AliasFile (A)={alias_file} (unsafe)'\n"
        "echo 'Notice: -bv may give misleading output for non-privileged user'\n"
        f"echo '{user}... deliverable: mailer local, user {user}'"
    )


@pytest.mark.parametrize("suffix", ["", ".db"], ids=["text", "database"])
def test_answer_is_believed_where_the_milter_can_read_the_aliases_too(
    suffix: str, make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (open_folder / f"aliases{suffix}").touch()
    program = make_program(as_to_an_ordinary_user(open_folder / "aliases", "daemon"))

    with as_ordinary_user():
        assert not reach_relay(program, "daemon")

    assert doubts(caplog) == []


def test_aliases_that_the_milter_cannot_read_leave_a_doubt(
    make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    aliases = open_folder / "aliases"
    aliases.touch(mode=0o000)
    program = make_program(as_to_an_ordinary_user(aliases, "daemon"))

    with as_ordinary_user():
        assert reach_relay(program, "daemon")

    assert doubts(caplog) == [f"the aliases in {aliases} cannot be read by the milter's user"]


@pytest.mark.parametrize("mode", [0o644, 0o000])
def test_each_of_several_alias_files_counts(
    mode: int, make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (open_folder / "aliases").touch(mode=0o644)
    (open_folder / "more").touch(mode=mode)
    both = Path(f"{open_folder}/aliases, {open_folder}/more")
    program = make_program(as_to_an_ordinary_user(both, "daemon"))

    with as_ordinary_user():
        assert reach_relay(program, "daemon") is (mode == 0)

    expected = f"the aliases in {open_folder}/more cannot be read by the milter's user"
    assert doubts(caplog) == [expected] * (mode == 0)


def test_who_gets_mail_by_no_local_mailer_has_no_forward_that_counts(
    make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (open_folder / "aliases").touch(mode=0o644)
    said = as_to_an_ordinary_user(open_folder / "aliases", "root").replace("mailer local", "mailer prog")
    program = make_program(said)

    with as_ordinary_user():
        assert not reach_relay(program, "root")

    assert doubts(caplog) == []


@pytest.mark.parametrize(
    ("home", "mode", "is_doubted"),
    [
        pytest.param("missing", None, False, id="no home"),
        pytest.param("aliases", None, False, id="a home that is no folder"),
        pytest.param("home", None, False, id="no forward"),
        pytest.param("home", 0o644, False, id="a forward that sendmail could read, too"),
        pytest.param("home", 0o000, True, id="a forward that nobody else may read"),
        pytest.param(None, None, False, id="no such user"),
    ],
)
def test_forward_counts_where_it_may_be_there_and_unread(
    home: str | None,
    mode: int | None,
    is_doubted: bool,
    make_program: MakeProgram,
    open_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (open_folder / "aliases").touch(mode=0o644)
    (open_folder / "home").mkdir(mode=0o755)
    if mode is not None:
        (open_folder / "home" / ".forward").touch(mode=mode)
    homes = {"ann": SimpleNamespace(pw_dir=str(open_folder / home))} if home else {}
    monkeypatch.setattr(pwd, "getpwnam", homes.__getitem__)
    said = as_to_an_ordinary_user(open_folder / "aliases", "ann")
    # So sendmail writes a user who is not to be looked up among the aliases again.
    program = make_program(said.replace("echo 'ann", "printf '%s\\n' 'ann").replace("user ann", r"user \ann"))

    with as_ordinary_user():
        assert reach_relay(program, "ann") is is_doubted


def test_home_that_the_milter_cannot_enter_leaves_a_doubt_since_a_forward_may_lie_there(
    make_program: MakeProgram, open_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (open_folder / "aliases").touch()
    program = make_program(as_to_an_ordinary_user(open_folder / "aliases", "root"))

    with as_ordinary_user():
        assert reach_relay(program, "root")

    assert doubts(caplog) == ["a recipient's .forward cannot be read by the milter's user"]
