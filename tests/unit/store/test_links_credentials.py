"""Promise 5: a link lives no longer than the credentials that sign it, and whoever has none hears why."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store.signers import (
    KEY,
    MONTH,
    SIGNER_KEYS,
    STORAGE_KEYS,
    end_of,
    link_of,
    query,
    signer,
    write_keys,
)
from woomera_milter.errors import PermanentError, TemporaryError, WoomeraError
from woomera_milter.store.links import Signer

pytestmark = pytest.mark.usefixtures("no_aws_settings_of_this_host")


# Credentials of a role.


class Role:
    """A profile whose keys come from a program and end, as those of an instance role do.

    Each call of the program hands out the next of the lifetimes, the last of them for ever after.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._calls = folder / "calls"

    def lives(self, *lifetimes: timedelta | None) -> None:
        """Say how long the keys live that the next calls hand out; None: without saying how long."""
        now = datetime.now(UTC)
        ends = [None if lifetime is None else (now + lifetime).isoformat() for lifetime in lifetimes]
        program = self._folder / "role.py"
        program.write_text(
            "import json, pathlib\n"
            f"calls = pathlib.Path({str(self._calls)!r})\n"
            f"ends = {ends!r}\n"
            "count = len(calls.read_text()) if calls.exists() else 0\n"
            "calls.write_text('x' * (count + 1))\n"
            "keys = {'Version': 1, 'AccessKeyId': f'ASIAROLE{count:012}', 'SecretAccessKey': 'r' * 40}\n"
            "keys['SessionToken'] = 'token' * 200\n"
            "end = ends[min(count, len(ends) - 1)]\n"
            "print(json.dumps(keys | ({'Expiration': end} if end else {})))\n"
        )
        (self._folder / "config").write_text(
            f"[profile role]\ncredential_process = {sys.executable} {program}\n"
        )

    @property
    def calls(self) -> int:
        """How often keys were handed out."""
        return len(self._calls.read_text()) if self._calls.exists() else 0


@pytest.fixture
def role(tmp_path: Path) -> Role:
    return Role(tmp_path)


def test_link_ends_with_the_credentials_that_sign_it(role: Role) -> None:
    role.lives(timedelta(hours=36))
    one = signer({"profile": "role"})
    now = datetime.now(UTC)

    ends_at = one.ends_at(now, now + MONTH)

    assert abs(ends_at - (now + timedelta(hours=36))) < timedelta(seconds=5)
    assert end_of(one.sign(KEY, ends_at)) == ends_at


def test_credentials_near_their_end_are_had_anew_once(role: Role) -> None:
    role.lives(timedelta(hours=6), timedelta(hours=36))
    now = datetime.now(UTC)

    ends_at = signer({"profile": "role"}).ends_at(now, now + MONTH)

    assert role.calls == 2
    assert abs(ends_at - (now + timedelta(hours=36))) < timedelta(seconds=5)


def test_role_whose_sessions_are_too_short_is_refused_with_the_remedy(role: Role) -> None:
    role.lives(timedelta(hours=6))
    now = datetime.now(UTC)

    with pytest.raises(PermanentError) as refusal:
        signer({"profile": "role"}).ends_at(now, now + MONTH)

    assert role.calls == 2
    assert refusal.value.exit_status == 78
    assert "sooner than links.minimum allows" in refusal.value.problem
    assert "IAM user's keys" in refusal.value.remedy


def test_role_that_hands_out_keys_past_their_end_may_hand_out_others_later(role: Role) -> None:
    role.lives(timedelta(hours=-1))
    now = datetime.now(UTC)

    with pytest.raises(TemporaryError, match="links"):
        signer({"profile": "role"}).ends_at(now, now + MONTH)


def test_session_token_that_does_not_say_when_it_ends_is_refused(role: Role) -> None:
    role.lives(None)
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="does not say when it ends"):
        signer({"profile": "role"}).ends_at(now, now + MONTH)


def test_session_token_in_the_environment_does_not_say_when_it_ends_and_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAENVIRONMENT00000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "e" * 40)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    now = datetime.now(UTC)

    with pytest.raises(PermanentError, match="does not say when it ends"):
        signer({}).ends_at(now, now + MONTH)


# A signer of its own.


def by_keys(_: Path) -> dict[str, Any]:
    return dict(SIGNER_KEYS)


def by_profile(folder: Path) -> dict[str, Any]:
    write_keys(folder, "signer", SIGNER_KEYS)
    return {"profile": "signer"}


@pytest.mark.parametrize("named", [by_keys, by_profile])
def test_signer_of_its_own_signs_where_the_role_that_stores_would_not_live_long_enough(
    named: Callable[[Path], dict[str, Any]], role: Role, tmp_path: Path
) -> None:
    role.lives(timedelta(hours=6))
    links = named(tmp_path)

    link = link_of(signer({"profile": "role"}, **links))

    assert query(link)["X-Amz-Credential"].startswith(SIGNER_KEYS["access_key_id"])
    assert "X-Amz-Security-Token" not in query(link)
    assert role.calls == 0


def test_storages_keys_sign_where_links_has_none_of_its_own() -> None:
    assert query(link_of(signer()))["X-Amz-Credential"].startswith(STORAGE_KEYS["access_key_id"])


# Credentials that cannot be had.


def refusal_of(signer: Signer) -> WoomeraError:
    now = datetime.now(UTC)
    with pytest.raises(WoomeraError) as refusal:
        signer.ends_at(now, now + MONTH)
    assert refusal.value.reason == "links"
    return refusal.value


@pytest.mark.parametrize(
    ("aws_config", "what"),
    [
        pytest.param("[profile other]\nregion = us-east-1\n", "no such profile", id="no such profile"),
        pytest.param("[profile signer\n", "cannot be read", id="a config file that is none"),
        pytest.param(
            "[profile signer]\naws_access_key_id = AKIASIGNER0000000000\n",
            "half of the credentials",
            id="half a pair of keys",
        ),
        pytest.param(
            "[profile signer]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n",
            "contradicts itself",
            id="a role of nobody's",
        ),
    ],
)
def test_mistake_in_the_signers_profile_is_permanent_and_named_with_the_remedy(
    aws_config: str, what: str, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(aws_config)

    refusal = refusal_of(signer({}, profile="signer"))

    assert refusal.exit_status == 78
    assert what in refusal.problem
    assert "correct links.profile" in refusal.remedy


@pytest.mark.parametrize(
    ("program", "what"),
    [
        pytest.param("exit 255", "what gives the credentials failed", id="fails"),
        pytest.param("echo Try again later.", "nothing that can be read", id="prints no JSON"),
        pytest.param(None, "a program or file that gives them cannot be used", id="is missing"),
    ],
)
def test_program_that_gives_no_keys_may_give_them_later(
    program: str | None, what: str, tmp_path: Path
) -> None:
    path = tmp_path / "program"
    if program is not None:
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
    (tmp_path / "config").write_text(f"[profile signer]\ncredential_process = {path}\n")
    one = signer({}, profile="signer")

    refusal = refusal_of(one)

    assert refusal.exit_status == 75
    assert what in refusal.problem
    assert "see why the program of links.profile" in refusal.remedy
    keys = {"Version": 1, "AccessKeyId": "AKIASIGNER0000000000", "SecretAccessKey": "l" * 40}
    path.write_text(f"#!/bin/sh\necho '{json.dumps(keys)}'\n")
    path.chmod(0o755)
    assert query(link_of(one))["X-Amz-Credential"].startswith("AKIASIGNER")


def test_instance_without_a_role_looks_like_one_that_cannot_tell_it_now_and_signs_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = signer({})

    refusal = refusal_of(one)

    assert refusal.exit_status == 75
    assert refusal.problem == "links: there are no credentials to sign with"
    assert "the instance's role" in refusal.remedy
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASIGNER0000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "l" * 40)
    assert query(link_of(one))["X-Amz-Credential"].startswith("AKIASIGNER")


def test_program_that_hands_out_no_keys_is_named_without_what_it_printed(tmp_path: Path) -> None:
    program = f"{sys.executable} -c \"print('{json.dumps({'Version': 1, 'SecretAccessKey': 'leak'})[:-1]}')\""
    (tmp_path / "config").write_text(f"[profile broken]\ncredential_process = {program}\n")

    refusal = refusal_of(signer({"profile": "broken"}))

    assert "cannot be had" in refusal.problem
    assert "leak" not in str(refusal)
