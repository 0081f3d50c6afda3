"""The archive milter's session: whatever breaks, the message passes."""

from pathlib import Path

import pytest

from tests.unit.milter.interceptions import ObedientMta
from woomera_milter.archive.room import Reservation, Room
from woomera_milter.archive.session import ArchiveSession
from woomera_milter.archive.spool import ArchiveSpool, Draft
from woomera_milter.milter.destinations import Destinations
from woomera_milter.milter.transaction import Verdict


class BrokenSpool(ArchiveSpool):
    """A spool in which a mistake of ours shows at one moment."""

    def __init__(self, folder: Path, broken: str) -> None:
        super().__init__(folder, min_free_bytes=0)
        self._broken = broken

    def begin(self, expected_bytes: int) -> Draft:
        if self._broken == "begin":
            raise ZeroDivisionError
        return BrokenDraft(self.folder, self._broken)


class BrokenDraft(Draft):
    def __init__(self, folder: Path, broken: str) -> None:
        super().__init__(folder, Reservation(Room(folder, 0), 0))
        self._broken = broken

    def write(self, octets: bytes) -> None:
        if self._broken in ("header", "body") and (b"text" in octets) == (self._broken == "body"):
            raise ZeroDivisionError
        super().write(octets)

    def keep(self, *_: object) -> str:
        raise ZeroDivisionError


@pytest.fixture(params=["begin", "header", "body", "keep"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> BrokenSpool:
    return BrokenSpool(tmp_path, request.param)


def test_mistake_of_ours_lets_the_message_pass_and_leaves_nothing(spool: BrokenSpool) -> None:
    session = ArchiveSession(0, spool, Destinations((), None), "sender@example.com")
    session.add_recipient("recipient@example.org", "relay")
    session.add_header("Subject", b" x")

    if session.end_headers("6AO00001", 1000):
        session.add_body(b"text\r\n")
        session.add_body(b"text\r\n")
        assert session.end_message(ObedientMta()) is Verdict.PASS
    session.close()

    assert list(spool.folder.iterdir()) == []


def test_message_that_is_aborted_leaves_nothing(tmp_path: Path) -> None:
    session = ArchiveSession(0, ArchiveSpool(tmp_path, 0), Destinations((), None), "")

    assert session.end_headers("6AO00001", None)
    session.close()

    assert list(tmp_path.iterdir()) == []
