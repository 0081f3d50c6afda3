"""`woomera check` opens a link as a stranger would, and tries to get in without one."""

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.servers.faults import Answer, FaultProxy
from rig.servers.s3 import S3Server
from woomera_milter.check import links as check_links
from woomera_milter.check.finding import Finding
from woomera_milter.config import Config
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.store.inspection import Bucket

from .conftest import configuration_of, keys_in, the_trouble, troubles


def look(configuration: Config) -> list[Finding]:
    bucket = Bucket(configuration.storage)
    try:
        return list(check_links.look(bucket, configuration, "host-1", datetime.now(UTC)))
    finally:
        bucket.close()


def test_links_that_open_and_no_others_pass(juicefs: S3Server) -> None:
    assert troubles(look(configuration_of(juicefs, encryption="none"))) == []
    assert keys_in(juicefs) == []


def test_bucket_that_everybody_can_read_is_a_failure(ministack: S3Server) -> None:
    found = the_trouble(look(configuration_of(ministack)))

    assert (found.status, found.subject) == ("failure", "no signature")


def test_server_that_takes_wrong_signatures_is_a_failure(moto: S3Server) -> None:
    found = the_trouble(look(configuration_of(moto)))

    assert (found.status, found.subject) == ("failure", "wrong signature")


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        (Answer(403, "AccessDenied"), "403 AccessDenied", "s3:GetObject"),
        (Answer(301, "PermanentRedirect"), "301 PermanentRedirect", "storage.region"),
    ],
    ids=["signer without the right", "redirect"],
)
def test_link_that_does_not_open_is_a_failure(
    ministack: S3Server, proxy: FaultProxy, answer: Answer, said: str, remedy: str
) -> None:
    proxy.set(answer, applies_to="X-Amz-Signature")
    # This server lets everybody in without a link, which is a trouble of its own.
    found = {it.subject: it for it in look(configuration_of(ministack, proxy.endpoint_url))}["link"]

    assert found.status == "failure"
    assert said in found.detail
    assert remedy in found.remedy


def test_server_that_fails_proves_nothing_about_wrong_links(juicefs: S3Server) -> None:
    with FaultProxy(juicefs.port) as proxy:
        proxy.set(Answer(503, "SlowDown"), applies_to="GET ")
        configuration = configuration_of(juicefs, encryption="none")
        links = configuration.links.model_copy(update={"endpoint_url": proxy.endpoint_url})
        found = troubles(look(configuration.model_copy(update={"links": links})))

    assert [it.subject for it in found] == ["link", "wrong signature", "no signature"]
    assert all(it.status == "failure" and it.temporary for it in found)


def test_host_of_links_that_nobody_reaches_is_an_error_without_the_link(juicefs: S3Server) -> None:
    configuration = configuration_of(juicefs, encryption="none")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    links = configuration.links.model_copy(update={"endpoint_url": url})

    with pytest.raises(TemporaryError, match=r"^opening a link at 127.0.0.1 failed: Connection refused;"):
        look(configuration.model_copy(update={"links": links}))


def test_links_that_end_before_they_should_are_a_warning(juicefs: S3Server) -> None:
    configuration = configuration_of(juicefs, encryption="none", retention="2d")
    found = the_trouble(look(configuration))

    assert (found.status, found.subject) == ("warning", "life of links")
    assert "48 hours, while links.expires says 7d" in found.detail


def test_credentials_that_end_too_soon_are_an_error(
    juicefs: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_at = datetime.now(UTC) + timedelta(hours=3)
    role = {
        "Version": 1,
        "AccessKeyId": juicefs.access_key,
        "SecretAccessKey": juicefs.secret_key,
        "SessionToken": "a-role's",
        "Expiration": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}",
    }
    (tmp_path / "role.json").write_text(json.dumps(role))
    (tmp_path / "aws").write_text(f"[profile role]\ncredential_process = cat {tmp_path}/role.json\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    configuration = configuration_of(juicefs, encryption="none")
    links = configuration.links.model_copy(update={"profile": "role"})

    with pytest.raises(PermanentError, match=r"sooner than links.minimum allows.*IAM user's keys"):
        look(configuration.model_copy(update={"links": links}))
