"""`woomera check` sees what of this host would stop the milter."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from woomera_milter.check import host
from woomera_milter.check.finding import Finding
from woomera_milter.config.values import GB, MB
from woomera_milter.errors import TemporaryError

from .conftest import configured

NOBODY = 65534
RUN = Path("/run")


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def findings(spool: Path, max_message_bytes: int | None = 150 * MB, **milter: object) -> dict[str, Finding]:
    """What is said, by subject."""
    configuration = configured(milter={"spool": str(spool), "socket": "inet:8894@127.0.0.1", **milter})
    return {it.subject: it for it in host.look(configuration, max_message_bytes)}


def test_host_that_works_passes(spool: Path) -> None:
    found = findings(spool, MB)

    assert {it.status for subject, it in found.items() if subject != "user"} == {"pass"}
    assert "libmilter 1." in found["libmilter"].detail


def test_milter_that_cannot_load_libmilter_is_a_failure(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the dynamic linker would refuse it; pymilter is the seam.
    monkeypatch.delitem(sys.modules, "woomera_milter.milter.connection", raising=False)
    monkeypatch.delattr("woomera_milter.milter.connection", raising=False)
    monkeypatch.setitem(sys.modules, "milter", None)  # type: ignore[arg-type]
    found = findings(spool)["libmilter"]

    assert found.status == "failure"
    assert "sendmail-milter" in found.remedy


def test_spool_that_is_missing_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(TemporaryError, match=r"milter.spool: .*/missing cannot hold the message"):
        findings(tmp_path / "missing")


def test_spool_without_room_for_all_messages_at_once_is_a_warning(spool: Path) -> None:
    found = findings(spool, 10**6 * GB)["milter.spool"]

    assert found.status == "warning"
    assert "16 messages of 1000000GB at a time, with their attachments, need 32000000GB" in found.detail


def test_spool_of_messages_of_any_size_is_not_measured(spool: Path) -> None:
    assert findings(spool, None)["milter.spool"].status == "pass"


# The user.


@pytest.mark.parametrize(
    ("owner_uid", "uid", "status", "words"),
    [
        (NOBODY, NOBODY, "pass", "nobody, whose spool it is"),
        (NOBODY, 0, "warning", "root, while nobody runs the milter"),
        (0, 0, "warning", "belongs to root"),
        (54321, NOBODY, "warning", "nobody, while 54321 runs the milter"),
    ],
)
def test_user_is_compared_with_the_one_whose_spool_it_is(
    owner_uid: int, uid: int, status: str, words: str
) -> None:
    found = host.user(Path("/var/spool/woomera"), owner_uid, uid)

    assert found.status == status
    assert words in found.detail


# The socket's folder: the verdicts are those of sendmail 8.17.1, as root.


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that only its owner may write to, all the way up: below /run where this is root."""
    parent = RUN if os.access(RUN, os.W_OK) else Path.home()
    folder = parent / f"woomera-test-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    folder.rmdir()


def look_at(folder: Path, spool: Path) -> Finding:
    [found] = host.socket_folder("milter.socket", f"unix:{folder}/milter.sock", spool)
    return found


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o700])
def test_folder_that_its_owner_alone_may_write_to_passes(folder: Path, spool: Path, mode: int) -> None:
    folder.chmod(mode)

    assert look_at(folder, spool).status == "pass"


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777])
def test_folder_that_others_may_write_to_is_a_failure(folder: Path, spool: Path, mode: int) -> None:
    folder.chmod(mode)
    found = look_at(folder, spool)

    assert (found.status, found.remedy) == ("failure", f"chmod go-w {folder}")


def test_folder_below_one_that_everybody_may_write_to_is_a_failure(tmp_path: Path, spool: Path) -> None:
    tmp_path.chmod(0o1777)
    below = tmp_path / "woomera"
    below.mkdir(mode=0o755)
    found = look_at(below, spool)

    assert (found.status, found.remedy) == ("failure", "use a folder below /run")
    assert str(tmp_path) in found.detail


def test_folder_of_another_user_than_the_milters_is_a_failure(spool: Path) -> None:
    if os.getuid() == 0:
        os.chown(spool, NOBODY, NOBODY)
    found = look_at(Path("/usr"), spool)

    assert found.status == "failure"
    assert found.detail.startswith("/usr belongs to root, so ")


def test_folder_that_is_missing_is_a_failure_that_says_how_to_make_it(tmp_path: Path, spool: Path) -> None:
    found = look_at(tmp_path / "woomera", spool)

    assert found.status == "failure"
    assert "woomera.tmpfiles" in found.remedy


def test_socket_of_tcp_needs_no_folder(spool: Path) -> None:
    assert list(host.socket_folder("milter.socket", "inet:8894@127.0.0.1", spool)) == []


def test_check_starts_without_libmilter() -> None:
    code = "import sys, woomera_milter.cli.check; print('milter' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
