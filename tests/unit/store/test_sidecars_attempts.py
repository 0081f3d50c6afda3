"""One message counts once, however often its client had to try, and two messages count twice."""

from datetime import UTC, datetime, timedelta
from itertools import chain, count, product
from typing import Any

import pytest

from woomera_milter.store.documents import Sidecar, validated
from woomera_milter.store.sidecars import Attempts, StoredMessage, each_once, message_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MESSAGE: dict[str, Any] = {
    "id": "id",
    "header_from": "s@example.com",
    "subject": "Figures",
    "size_bytes": 20,
    "sha256": "ab" * 32,
    "message_id": "<1@example.com>",
    "envelope_sender": "s@example.com",
    "recipients": ["a@example.org", "b@example.org"],
}


def sidecar(hours_ago: float = 0, **changes: Any) -> StoredMessage:
    received_at = (NOON - timedelta(hours=hours_ago)).isoformat()
    document = validated(Sidecar, MESSAGE | {"received_at": received_at} | changes, "a sidecar")
    return StoredMessage(f"{hours_ago}", document, "etag")


def shown(*newest_first: StoredMessage) -> list[str]:
    return [it.key for it in each_once(newest_first)]


def test_the_newest_attempt_stands_for_those_before_it() -> None:
    tried, killed = sidecar(1, announced=False), sidecar(2)
    assert shown(sidecar(), tried, killed) == ["0"]


def test_a_message_that_was_never_announced_is_there_once() -> None:
    assert shown(sidecar(1, announced=False), sidecar(2, announced=False)) == ["1"]


@pytest.mark.parametrize("outcomes", list(product([True, False], repeat=3)))
def test_whatever_became_of_the_attempts_one_is_there_and_it_is_announced_if_any_is(
    outcomes: tuple[bool, ...],
) -> None:
    """Newest first. A milter may have missed that its MTA had hung up, at any of them."""
    attempts = [sidecar(hours, announced=outcome) for hours, outcome in enumerate(outcomes)]
    assert shown(*attempts) == [str(outcomes.index(True) if True in outcomes else 0)]


def test_an_attempt_that_failed_keeps_its_place_among_other_messages() -> None:
    failed, other = sidecar(1, announced=False), sidecar(2, message_id="<2@example.com>")
    assert shown(failed, other, sidecar(90)) == ["1", "2", "90"]
    assert shown(failed, other, sidecar(3)) == ["2", "3"]


def test_an_attempt_that_failed_is_shown_before_all_older_messages_are_read() -> None:
    older = (sidecar(hours, message_id=f"<{hours}@example.com>") for hours in count(24))
    found = each_once(chain([sidecar(0, announced=False)], older))
    assert next(found).key == "0"


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "cd" * 32},
        {"envelope_sender": "t@example.com"},
        {"recipients": ["a@example.org"]},
        {"message_id": "<2@example.com>"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_is_another_message(other: dict[str, Any]) -> None:
    assert len(shown(sidecar(), sidecar(1, **other))) == 2


def test_the_order_of_recipients_makes_no_other_message() -> None:
    assert len(shown(sidecar(), sidecar(1, recipients=["b@example.org", "a@example.org"]))) == 1


@pytest.mark.parametrize("missing", ["sha256", "message_id"])
def test_what_nothing_identifies_counts_each_time(missing: str) -> None:
    assert message_of(sidecar(**{missing: ""}).sidecar) is None
    assert len(shown(sidecar(**{missing: ""}), sidecar(1, **{missing: ""}))) == 2


def test_what_comes_again_days_later_is_another_message() -> None:
    assert shown(sidecar(), sidecar(20), sidecar(70)) == ["0", "70"]


@pytest.mark.parametrize("step", [1, -1], ids=["oldest first", "newest first"])
def test_what_is_remembered_does_not_grow_with_the_days(step: int) -> None:
    attempts = Attempts()
    for day in range(1000):
        assert not attempts.saw(day, NOON + step * timedelta(days=day))
    assert attempts.saw(999, NOON + step * timedelta(days=999))
    assert not attempts.saw(0, NOON + step * timedelta(days=999))
