"""Credentials that change under a running milter are had anew, and the whole message is sent again."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rig.servers.faults import FaultProxy
from rig.servers.s3 import Juicefs, S3Server
from tests.unit.store.script import SCRIPT_KEYS, Script, refusal
from tests.unit.store.stores import (
    BUCKET,
    KEY,
    WIRE,
    assert_safe_to_log,
    put,
    storage_at,
    store_at,
    stored,
)
from woomera_milter import config
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.store.failures import explained
from woomera_milter.store.links import Signer
from woomera_milter.store.s3_store import S3Store


def write_credentials(folder: Path, server: S3Server) -> None:
    (folder / "credentials").write_text(
        f"[mail]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    )


def test_keys_that_rotated_in_the_profile_are_read_anew(tmp_path: Path, spooled: SpooledMessage) -> None:
    (tmp_path / "juicefs").mkdir()
    server = Juicefs(tmp_path / "juicefs")
    with server, FaultProxy(server.port) as proxy:
        server.make_bucket(BUCKET)
        write_credentials(tmp_path, server)
        store = store_at(proxy.endpoint_url, {"profile": "mail"})
        put(store, spooled)

        server.stop()
        server.access_key, server.secret_key = "rotated-access-key", "rotated-secret-key"
        server.start()
        write_credentials(tmp_path, server)
        put(store, spooled)

        assert stored(server)["Body"] == WIRE
    assert len(proxy.requests) == 3  # the second was refused for its keys, the third had the new ones


def test_keys_that_the_store_read_anew_sign_the_next_link(tmp_path: Path, spooled: SpooledMessage) -> None:
    server = Juicefs(tmp_path)
    with server:
        server.make_bucket(BUCKET)
        write_credentials(tmp_path, server)
        storage = storage_at(server.endpoint_url, {"profile": "mail"})
        signer = Signer(config.Links(endpoint_url=server.endpoint_url), storage)
        store = S3Store(storage, 4, signer.forget_credentials)
        signer.sign(KEY, datetime.now(UTC) + timedelta(days=1))
        put(store, spooled)

        server.stop()
        server.access_key, server.secret_key = "rotated-access-key", "rotated-secret-key"
        server.start()
        write_credentials(tmp_path, server)
        put(store, spooled)

        with urllib.request.urlopen(signer.sign(KEY, datetime.now(UTC) + timedelta(days=1))) as reply:
            assert reply.read() == WIRE


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "TokenRefreshRequired"),
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (403, "AccessDenied"),
    ],
)
def test_refused_credentials_are_had_anew_once_and_the_whole_message_is_sent_again(
    status: int, code: str, script: Script, spooled: SpooledMessage
) -> None:
    script.answers = [refusal(status, code), (200, {}, b"")]

    put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert [body == WIRE for _, body in script.requests] == [True, True]


def test_credentials_that_are_refused_again_are_a_failure(script: Script, spooled: SpooledMessage) -> None:
    script.answers = [refusal(400, "ExpiredToken")]

    with pytest.raises(PermanentError, match="ExpiredToken") as failure:
        put(store_at(script.endpoint_url, SCRIPT_KEYS), spooled)

    assert len(script.requests) == 2
    assert_safe_to_log(failure.value)
    assert "credentials" in failure.value.remedy


PAST = {"Version": 1, "AccessKeyId": "AKIAPAST000000000000", "SecretAccessKey": "s" * 40, "SessionToken": "t"}


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("echo Try again later.", "gives nothing that can be read"),
        (f"echo '{json.dumps(PAST | {'Expiration': '2020-01-01T00:00:00Z'})}'", "gives keys that have ended"),
        (f"echo '{json.dumps(PAST | {'Expiration': 'soon'})}'", "gives nothing that can be read"),
        (None, "cannot be used"),
    ],
    ids=["no JSON", "keys that have ended", "no time", "no program"],
)
def test_program_that_gives_no_keys_is_a_failure_that_may_pass(
    program: str | None, what: str, tmp_path: Path, spooled: SpooledMessage
) -> None:
    path = tmp_path / "program"
    if program is not None:
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
    (tmp_path / "config").write_text(f"[profile mail]\ncredential_process = {path}\n")

    with pytest.raises(TemporaryError, match=what) as failure:
        put(store_at("http://127.0.0.1:9", {"profile": "mail"}), spooled)

    assert_safe_to_log(failure.value)
    assert "see why these credentials are not renewed" in failure.value.remedy


def test_role_that_may_not_be_taken_has_a_remedy_of_its_own() -> None:
    answer: Any = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    failure = explained(ClientError(answer, "AssumeRole"), "storing s3://large-mail/x")

    assert isinstance(failure, PermanentError)
    assert "STS gives no keys: AccessDenied (403)" in failure.problem
    assert "sts:AssumeRole" in failure.remedy
    assert "PutObject" not in failure.remedy
