"""What keeps one message from S3 keeps no other one, and a dead S3 is not asked a thousand times."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.archive.test_spool import keep
from tests.unit.store.script import SCRIPT_KEYS, scripted
from tests.unit.store.stores import store_at
from woomera_milter.archive.shipper import Result, Shipper
from woomera_milter.archive.spool import ArchiveSpool, CopyError
from woomera_milter.errors import (
    DamagedError,
    DeadlineError,
    PermanentError,
    Reason,
    TemporaryError,
    WoomeraError,
)
from woomera_milter.message.wire import WireMessage
from woomera_milter.store.documents import CopyRecord

DAMAGED = CopyError("no envelope", reason=Reason.ENVELOPE)
MANY = 100


@dataclass
class Failing:
    """A message that fails before anything of it is stored."""

    name: str
    error: WoomeraError
    tried: bool = False

    def record(self) -> CopyRecord:
        self.tried = True
        raise self.error

    @contextmanager
    def open(self) -> Iterator[WireMessage]:
        raise AssertionError("its envelope has failed")
        yield

    def remove(self) -> None:
        raise AssertionError("nothing of it is stored")


def ship(*shipments: Failing) -> Result:
    return Shipper(None, "archive/").run(shipments, lambda size_bytes: None)


def test_server_is_told_the_digests_of_an_archived_copy_so_that_none_is_removed_for_a_damaged_one(
    tmp_path: Path,
) -> None:
    spool = ArchiveSpool(tmp_path, 0)
    keep(spool)
    [copy] = spool.copies()
    octets = copy.path.read_bytes()

    with scripted() as server:
        result = Shipper(store_at(server.endpoint_url, SCRIPT_KEYS), "archive/").run([copy], lambda _: None)

    assert (result.count, spool.copies()) == (1, [])
    [(headers, body)] = [it for it in server.requests if it[0]["content-type"] == "message/rfc822"]
    assert body == octets
    assert headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(octets).digest()).decode()
    assert headers["content-md5"] == base64.b64encode(hashlib.md5(octets).digest()).decode()


def failing(error: WoomeraError) -> list[Failing]:
    return [Failing(f"copy-{number}", error) for number in range(MANY)]


@pytest.mark.parametrize(
    "error",
    [DAMAGED, DamagedError("odd"), CopyError("unreadable", reason=Reason.READ)],
    ids=lambda error: error.reason,
)
def test_damaged_copies_however_many_keep_no_other_from_s3(error: WoomeraError) -> None:
    copies = failing(error)

    result = ship(*copies)

    assert all(copy.tried for copy in copies)
    assert (len(result.failed), result.not_tried) == (MANY, 0)


@pytest.mark.parametrize(
    "error",
    [TemporaryError("down", reason=Reason.STORE), DeadlineError("slow")],
    ids=lambda error: error.reason,
)
def test_s3_that_fails_again_and_again_is_given_up_however_many_copies_are_damaged(
    error: WoomeraError,
) -> None:
    result = ship(*failing(DAMAGED)[:20], *failing(error))

    assert result.not_tried > MANY / 2
    assert result.exit_status == 75


def test_s3_that_refuses_for_good_is_given_up_at_once_though_other_messages_fail_after_it() -> None:
    refused = Failing("first", PermanentError("no such bucket", reason=Reason.STORE))

    result = ship(refused, *failing(DAMAGED))

    assert result.not_tried > MANY / 2
    assert result.exit_status == 78
