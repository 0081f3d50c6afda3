"""What keeps one message from S3 keeps no other one, and a dead S3 is not asked a thousand times."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from woomera_milter.archive.shipper import Result, Shipper
from woomera_milter.archive.spool import CopyError
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
