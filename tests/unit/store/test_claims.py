"""Promise 4, its foundation: of any number of sweeps one holds a claim, and a dead one's is taken over."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from rig.lab import BUCKET, base_configuration
from rig.servers.faults import FaultProxy, LoseReply
from rig.servers.s3 import Juicefs, Ministack, S3Server
from tests.fakes.bucket import MemoryStore
from woomera_milter import config
from woomera_milter.errors import PermanentError, Reason
from woomera_milter.store import connection
from woomera_milter.store.claims import Claims, IgnoredConditionsError, LostClaimError
from woomera_milter.store.documents import Claim, State
from woomera_milter.store.keys import claim_key
from woomera_milter.store.s3_store import S3Store

KEY = "archive/2026/11/24/host-1/a.eml"
LEASE = timedelta(minutes=15)
AT_ONCE = 16


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        server.make_bucket(BUCKET)
        yield server


def claims(store: S3Store, host: str = "host-1", lease: timedelta = LEASE, **more: bool) -> Claims:
    return Claims(store, host, lease, **more)


def real_store(server: S3Server, folder: Path, url: str | None = None) -> S3Store:
    data = base_configuration(server, "inet:1@127.0.0.1", folder, url)
    return S3Store(config.validate(data, "config.yaml").storage, max_connections=AT_ONCE)


def taken(claim: Claim | None) -> Claim:
    assert claim is not None
    return claim


def test_a_claim_is_had_once(store: MemoryStore) -> None:
    assert claims(store).take(KEY)
    assert claims(store, "host-2").take(KEY) is None


def test_a_claim_whose_lease_has_not_ended_is_left_alone(store: MemoryStore) -> None:
    taken(claims(store).take(KEY))
    store.advance(LEASE - timedelta(seconds=1))
    assert claims(store, "host-2", lease=timedelta(seconds=1)).take(KEY) is None


def test_a_dead_claim_is_taken_over_without_suspicion_of_a_second_notice(store: MemoryStore) -> None:
    taken(claims(store).take(KEY))
    store.advance(LEASE)
    claim = taken(claims(store, "host-2").take(KEY))
    assert (claim.host, claim.may_repeat) == ("host-2", False)


def test_a_claim_that_died_while_handing_over_may_lead_to_a_second_notice(store: MemoryStore) -> None:
    first = claims(store)
    first.hand_over(taken(first.take(KEY)))
    store.advance(LEASE)
    assert taken(claims(store, "host-2").take(KEY)).may_repeat


def test_the_suspicion_of_a_second_notice_outlives_another_death(store: MemoryStore) -> None:
    first = claims(store)
    first.hand_over(taken(first.take(KEY)))
    store.advance(LEASE)
    taken(claims(store, "host-2").take(KEY))
    store.advance(LEASE)
    assert taken(claims(store, "host-3").take(KEY)).may_repeat


def test_the_suspicion_of_a_second_notice_outlives_a_sweep_that_fails_before_it_hands_over(
    store: MemoryStore,
) -> None:
    first = claims(store)
    first.hand_over(taken(first.take(KEY)))
    store.advance(LEASE)
    second = claims(store, "host-2")
    assert second.fail(taken(second.take(KEY)), [], "S3 is away").may_repeat
    assert taken(claims(store, "host-3").take(KEY)).may_repeat


def test_who_was_overtaken_may_not_hand_over(store: MemoryStore) -> None:
    slow = claims(store)
    claim = taken(slow.take(KEY))
    store.advance(LEASE)
    taken(claims(store, "host-2").take(KEY))
    with pytest.raises(LostClaimError, match=r"sweep\.lease"):
        slow.hand_over(claim)


def test_handing_over_begins_a_new_lease(store: MemoryStore) -> None:
    first = claims(store)
    claim = taken(first.take(KEY))
    store.advance(LEASE - timedelta(seconds=1))
    first.hand_over(claim)
    store.advance(LEASE - timedelta(seconds=1))
    assert claims(store, "host-2").take(KEY) is None


def test_who_saw_a_lease_that_was_begun_anew_meanwhile_cannot_take_over(store: MemoryStore) -> None:
    first = claims(store)
    claim = first.hand_over(taken(first.take(KEY)))
    seen = claims(store, "host-2").find(KEY)
    assert seen
    first.hand_over(claim)
    assert store.replace_json(claim_key(KEY), {}, seen.etag) is None


def test_what_is_done_is_never_claimed_again(store: MemoryStore) -> None:
    first = claims(store)
    first.finish(first.hand_over(taken(first.take(KEY))), ["a@example.org"], {"subject": "Plans"})
    store.advance(10 * LEASE)
    assert claims(store, "host-2").take(KEY) is None
    found = claims(store).find(KEY)
    assert found
    assert (found.state, found.accepted, found.mail) == (State.DONE, ["a@example.org"], {"subject": "Plans"})


def test_what_failed_is_tried_at_once_by_the_next_sweep_for_the_rest_of_the_recipients(
    store: MemoryStore,
) -> None:
    first = claims(store)
    failed = first.fail(first.hand_over(taken(first.take(KEY))), ["a@example.org"], "b: 550 unknown")
    again = taken(claims(store, "host-2").take(KEY))
    assert again.accepted == ["a@example.org"]
    assert again.first_failed_at == failed.first_failed_at != ""
    assert not again.may_repeat


def test_recipients_served_by_several_sweeps_are_all_recorded(store: MemoryStore) -> None:
    first = claims(store)
    first.fail(first.hand_over(taken(first.take(KEY))), ["a@example.org"], "b: 454 throttled")
    again = taken(first.take(KEY))
    done = first.finish(first.hand_over(again), ["b@example.org"], {})
    assert done.accepted == ["a@example.org", "b@example.org"]


def test_a_single_host_takes_over_whatever_is_not_done(store: MemoryStore) -> None:
    alone = claims(store, single_host=True)
    alone.hand_over(taken(alone.take(KEY)))
    again = taken(alone.take(KEY))
    assert again.may_repeat
    alone.finish(alone.hand_over(again), ["a@example.org"], {})
    assert alone.take(KEY) is None


class CarelessStore(MemoryStore):
    """A server that looks at some conditions of a write, or at none."""

    def __init__(self, ignored: str) -> None:
        super().__init__()
        self._ignored = ignored

    def create_json(self, key: str, value: object) -> str | None:
        if "If-None-Match" in self._ignored:
            return self._put_json(key, value)
        return super().create_json(key, value)

    def replace_json(self, key: str, value: object, etag: str) -> str | None:
        return (
            self._put_json(key, value)
            if "If-Match" in self._ignored
            else super().replace_json(key, value, etag)
        )


@pytest.mark.parametrize("ignored", ["If-None-Match", "If-Match", "If-None-Match, If-Match"])
def test_a_server_that_ignores_a_condition_is_for_a_single_host_alone(ignored: str) -> None:
    store = CarelessStore(ignored)
    with pytest.raises(IgnoredConditionsError, match="--single-host") as raised:
        claims(store).check_server()
    assert raised.value.reason is Reason.CLAIM
    claims(store, single_host=True).check_server()
    claims(store).for_single_host().check_server()


def test_a_server_that_honours_conditions_is_told_so_again_and_again(store: MemoryStore) -> None:
    for _ in range(2):
        claims(store).check_server()
    assert not [key for key in store.objects if key.startswith("claims/")]


def test_work_for_a_single_host_leaves_the_claims_that_it_was_made_of_as_they_were(
    store: MemoryStore,
) -> None:
    strict = claims(store)
    alone = strict.for_single_host()
    taken(strict.take(KEY))
    assert strict.take(KEY) is None
    assert taken(alone.take(KEY)).key == KEY


def test_a_single_host_keeps_what_earlier_runs_knew(store: MemoryStore) -> None:
    alone = claims(store, single_host=True)
    failed = alone.fail(alone.hand_over(taken(alone.take(KEY))), ["a@example.org"], "b: 454", unsure=True)
    again = taken(alone.take(KEY))
    assert (again.accepted, again.may_repeat) == (["a@example.org"], True)
    assert (again.state, again.first_failed_at) == (State.CLAIMED, failed.first_failed_at)


def test_a_claim_that_was_just_deleted_is_for_the_next_sweep(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "create_json", lambda *_: None)
    assert claims(store).take(KEY) is None


def test_what_is_done_is_no_suspicion_and_no_failure_any_more(store: MemoryStore) -> None:
    first = claims(store)
    failed = first.fail(first.hand_over(taken(first.take(KEY))), [], "454 later", unsure=True)
    assert (failed.state, failed.may_repeat, failed.reason) == (State.FAILED, True, "454 later")
    done = first.finish(first.hand_over(taken(first.take(KEY))), ["a@example.org"], {})
    assert (done.may_repeat, done.reason) == (False, "")
    assert claims(store).find(KEY) == done


@pytest.mark.parametrize("octets", [b"null", b"{}", b'{"state": ["done"]}'])
def test_a_damaged_claim_is_named(store: MemoryStore, octets: bytes) -> None:
    store.put_octets(claim_key(KEY), octets)
    with pytest.raises(PermanentError, match=f"{claim_key(KEY)}: .* is not what it should be"):
        claims(store).take(KEY)


def test_of_sixteen_claimants_at_once_one_wins_on_a_real_server(ministack: Ministack, tmp_path: Path) -> None:
    store = real_store(ministack, tmp_path)
    for round_number in range(10):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            every = [claims(store, f"host-{number}") for number in range(AT_ONCE)]
            won = list(pool.map(lambda one, key=f"fresh-{round_number}": one.take(key), every))
        assert sum(claim is not None for claim in won) == 1


def test_of_sixteen_heirs_at_once_one_takes_over_on_a_real_server(
    ministack: Ministack, tmp_path: Path
) -> None:
    store = real_store(ministack, tmp_path)
    for round_number in range(10):
        key = f"dead-{round_number}"
        taken(claims(store, lease=timedelta(0)).take(key))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            every = [claims(store, f"host-{number}") for number in range(AT_ONCE)]
            won = list(pool.map(lambda one, key=key: one.take(key), every))
        assert sum(claim is not None for claim in won) == 1


@pytest.mark.parametrize("fault", [LoseReply(), LoseReply(hangs=True)], ids=["cut", "too late"])
def test_a_claim_whose_reply_was_lost_is_known_as_our_own(
    fault: LoseReply, ministack: Ministack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READ_TIMEOUT_S", 1)
    with FaultProxy(ministack.port) as proxy:
        store = real_store(ministack, tmp_path, proxy.endpoint_url)
        # The first PUT does its work and its reply is lost, so botocore sends it again and hears 412.
        key = f"lost-{fault.hangs}"
        proxy.set(fault, applies_to=f"PUT /{BUCKET}/{claim_key(key)}")
        with ThreadPoolExecutor(1) as pool:
            attempt = pool.submit(claims(store).take, key)
            proxy.wait_for_request(claim_key(key))
            proxy.set(fault, applies_to="no such request")
            claim = attempt.result()
        assert claim
        assert claim.etag
        puts = [it for it in proxy.requests if it.startswith("PUT")]
        assert len(puts) > 1


def test_a_server_that_honours_conditions_passes_the_check(ministack: Ministack, tmp_path: Path) -> None:
    store = real_store(ministack, tmp_path)
    claims(store).check_server()
    claims(store).check_server()


def test_a_server_that_ignores_conditions_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "juicefs").mkdir()
    with Juicefs(tmp_path / "juicefs") as server:
        server.make_bucket(BUCKET)
        store = real_store(server, tmp_path)
        with pytest.raises(PermanentError, match="--single-host"):
            claims(store).check_server()
        claims(store, single_host=True).check_server()
