"""A claim tells, at each step of a hand-over, who has the notice already."""

from tests.fakes.bucket import MemoryStore
from tests.unit.store.test_claims import KEY, LEASE, claims, taken


def test_who_was_served_is_written_down_as_the_next_hand_over_begins() -> None:
    store = MemoryStore()
    first = claims(store)
    claim = first.hand_over(taken(first.take(KEY)), ["a@example.org"])
    assert taken(claims(store).find(KEY)).accepted == ["a@example.org"]
    first.hand_over(claim, ["b@example.org"])
    store.advance(LEASE)
    assert taken(claims(store, "host-2").take(KEY)).accepted == ["a@example.org", "b@example.org"]
