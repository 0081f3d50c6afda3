"""Credentials are obtained under a deadline, by whatever gives them, and once for all who wait."""

import os
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from woomera_milter import credentials
from woomera_milter.credentials import BoundedResolver

KEYS = Credentials("AKIAONE0000000000000", "secret")


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "WAIT_S", 0.2)
    monkeypatch.setattr(credentials, "LIMIT_S", 0.6)
    monkeypatch.setattr(credentials, "_SLOW_S", 0.1)
    monkeypatch.setattr(credentials, "_attempts", {})


class Provider:
    """Botocore's resolver: gives what `load` returns, and counts how often it is asked."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self.asked = 0

    def load_credentials(self) -> Any:
        self.asked += 1
        return self._load()


def resolver_of(load: Callable[[], Any]) -> tuple[BoundedResolver, Provider]:
    provider = Provider(load)
    return BoundedResolver(lambda: provider, "a profile"), provider


def test_keys_come_as_they_are() -> None:
    resolver, _ = resolver_of(lambda: KEYS)

    loaded = resolver.load_credentials()
    assert loaded is not None
    assert (loaded.access_key, loaded.secret_key, loaded.token) == ("AKIAONE0000000000000", "secret", None)


def test_no_keys_are_none() -> None:
    assert resolver_of(lambda: None)[0].load_credentials() is None


def test_keys_are_read_anew_each_time_that_they_came_in_time() -> None:
    resolver, provider = resolver_of(lambda: KEYS)
    resolver.load_credentials()
    resolver.load_credentials()

    assert provider.asked == 2


def fail() -> Any:
    raise CredentialRetrievalError(provider="a program", error_msg="it printed no JSON")


def test_what_is_wrong_is_raised_where_the_keys_are_needed() -> None:
    with pytest.raises(CredentialRetrievalError, match="no JSON"):
        resolver_of(fail)[0].load_credentials()


@pytest.mark.parametrize("error", [ValueError("{secret"), RuntimeError("still expired"), OSError(2, "gone")])
def test_what_botocore_does_not_wrap_is_an_error_of_the_credentials(error: Exception) -> None:
    def load() -> Any:
        raise error

    with pytest.raises(CredentialRetrievalError, match=type(error).__name__) as caught:
        resolver_of(load)[0].load_credentials()
    assert "secret" not in str(caught.value)


def test_keys_that_are_renewed_past_their_end_are_an_error_of_the_credentials() -> None:
    ends = iter([timedelta(seconds=30), timedelta(seconds=-30)])

    def load() -> Any:
        return RefreshableCredentials(
            "AKIAONE0000000000000",
            "secret",
            "t",
            datetime.now(UTC) + next(ends),
            dict,
            "x",
            advisory_timeout=0,
            mandatory_timeout=0,
        )

    loaded = resolver_of(load)[0].load_credentials()
    assert loaded is not None
    with pytest.raises(CredentialRetrievalError):
        loaded.get_frozen_credentials()


def test_many_who_wait_start_one_attempt_and_hear_of_its_delay_at_once() -> None:
    let_go = threading.Event()
    resolver, provider = resolver_of(lambda: let_go.wait(5) and KEYS)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(CredentialRetrievalError, match="no keys within"):
            resolver.load_credentials()

    assert provider.asked == 1
    assert time.monotonic() - began < 0.5  # one wait, not five
    let_go.set()


def test_keys_that_came_too_late_are_the_next_one_s() -> None:
    let_go = threading.Event()
    resolver, provider = resolver_of(lambda: let_go.wait(5) and KEYS)
    with pytest.raises(CredentialRetrievalError):
        resolver.load_credentials()
    let_go.set()
    credentials._attempts["a profile"]._thread.join(5)

    assert resolver.load_credentials() is not None
    assert provider.asked == 1


def test_program_that_hangs_is_ended_with_all_that_it_started() -> None:
    started: list[int] = []

    def hang() -> Credentials:
        program = subprocess.Popen(["sh", "-c", "sleep 100 & echo $!; sleep 100"], stdout=subprocess.PIPE)
        assert program.stdout
        started.extend([program.pid, int(program.stdout.readline())])
        program.communicate()
        raise CredentialRetrievalError(provider="a program", error_msg="it was ended")

    with pytest.raises(CredentialRetrievalError):
        resolver_of(hang)[0].load_credentials()
    until = time.monotonic() + 5
    while any(is_running(pid) for pid in started):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_attempt_that_cannot_be_ended_is_left_behind_for_another() -> None:
    let_go = threading.Event()
    resolver, provider = resolver_of(lambda: KEYS if provider.asked > 1 else let_go.wait(5) and KEYS)
    with pytest.raises(CredentialRetrievalError):
        resolver.load_credentials()
    time.sleep(credentials.LIMIT_S + credentials.WAIT_S)

    assert resolver.load_credentials() is not None
    assert provider.asked == 2
    let_go.set()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"


def test_keys_that_are_still_good_serve_on_while_no_others_are_to_be_had() -> None:
    ends_at = datetime.now(UTC) + timedelta(minutes=12)  # botocore and we would renew them
    ending = RefreshableCredentials("ASIAONE0000000000000", "secret", "token", ends_at, fail, "process")
    given: list[Any] = [ending]

    def load() -> Any:
        return given.pop() if given else fail()

    loaded = resolver_of(load)[0].load_credentials()
    assert loaded is not None
    assert loaded.get_frozen_credentials().token == "token"
