"""`woomera check` as people run it: on a host that works, and on hosts on which things are broken."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from rig.jobs import CHECKOUT, Run
from rig.lab import BUCKET, Lab, environment, merged
from rig.process import free_port
from rig.servers.faults import Answer, FaultProxy
from rig.servers.s3 import Ministack
from woomera_milter.store.keys import probe_key

from .conftest import make_sound

# The tests may run as root, who is not the milter's user, and is told so.
AS_ROOT = {"user"} if os.getuid() == 0 else set()


@dataclass
class Host:
    """A host on which all is well, and `woomera check` on it."""

    lab: Lab
    configuration: dict[str, Any]
    folder: Path

    def check(self, *arguments: str, **changes: Any) -> Run:
        """Run the command, with `changes` laid over the configuration."""
        path = self.folder / "checked.yaml"
        path.write_text(yaml.safe_dump(merged(self.configuration, changes)), encoding="utf-8")
        path.chmod(0o600)
        cf = self.lab.sendmail.folder / "sendmail.cf"
        command = [sys.executable, "-m", "woomera_milter", "--config", path, "check", "--sendmail-cf", cf]
        done = subprocess.run(
            [*command, *arguments],
            env=environment(),
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def troubles(self, **changes: Any) -> tuple[int, dict[str, str]]:
        """Return the exit status, and the status of each subject that did not pass."""
        run = self.check("--json", **changes)
        found = {it["subject"]: it["status"] for it in run.document if it["status"] != "pass"}
        return run.status, {subject: it for subject, it in found.items() if subject not in AS_ROOT}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Real sendmail, our milter, the stand-in for SES, an S3 server that lets nobody in without a link."""
    with ExitStack() as stack:
        s3 = stack.enter_context(Ministack(tmp_path_factory.mktemp("ministack")))
        s3.make_bucket(BUCKET)
        make_sound(s3)
        # ministack lets strangers in, who come this way.
        door = stack.enter_context(FaultProxy(s3.port))
        door.set(Answer(403, "AccessDenied"), applies_to=f"{probe_key(socket.gethostname())} HTTP")
        folder = tmp_path_factory.mktemp("host")
        storage = {"encryption": "AES256"}
        configuration = {
            "storage": storage,
            "links": {"endpoint_url": door.endpoint_url},
            "notice": {"contact": "postmaster@mail.example.com"},  # the rig's is told to be an example
        }
        lab = stack.enter_context(Lab(folder, s3, configuration=configuration))
        lab.ses.announces_size = True
        mail = {"host": "127.0.0.1", "port": lab.sendmail.smtp_port}
        yield Host(lab, merged(lab.milter.configuration, {"mail": mail}), folder)


def test_host_that_works_passes(host: Host) -> None:
    assert host.troubles() == (0, {})


def test_check_leaves_nothing_behind_and_sends_no_mail(host: Host) -> None:
    log_before = host.lab.milter.log_text()
    host.check()

    client = host.lab.s3.client()
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET)
    client.close()
    assert host.lab.ses.accepted == []
    assert host.lab.sendmail.queue_ids() == []
    assert host.lab.milter.log_text() == log_before


def test_output_is_grouped_by_area_and_has_one_line_a_finding(host: Host) -> None:
    done = host.check()
    *lines, last = done.stdout.splitlines()

    areas = [line for line in lines if line and not re.match(r"(pass|warning|failure) ", line)]
    assert areas == ["configuration", "host", "sendmail", "milter", "S3", "links", "relay", "jobs' mail"]
    assert re.fullmatch(r"\d+ passed, [01] warnings?, 0 failures", last)
    assert done.stderr == ""


def test_output_holds_no_link_and_no_key(host: Host) -> None:
    done = host.check()

    assert "X-Amz-" not in done.stdout
    assert "http" not in done.stdout


def test_json_names_area_status_subject_detail_and_remedy(host: Host) -> None:
    found = host.check("--json").document

    assert {frozenset(it) for it in found} == {
        frozenset({"area", "status", "subject", "detail", "remedy", "temporary"})
    }


# Each broken thing is one line.


@pytest.mark.parametrize(
    ("changes", "status", "troubles"),
    [
        pytest.param({"milter": {"deadline": "10m"}}, 78, {"filter's timeouts": "failure"}, id="deadline"),
        pytest.param({"milter": {"mailers": ["esmtp"]}}, 78, {"smart host": "failure"}, id="mailers"),
        pytest.param({"limit": "200MB"}, 78, {"MaxMessageSize": "failure", "limit": "failure"}, id="limit"),
        pytest.param({"limit": "5MB"}, 0, {"limit": "warning"}, id="limit below the relay's"),
        pytest.param({"links": {"expires": "5d"}}, 0, {"queue return": "warning"}, id="queue"),
        pytest.param(
            {"storage": {"region": "eu-west-1"}}, 78, {"region": "failure", "link": "failure"}, id="region"
        ),
        pytest.param({"storage": {"bucket": "another"}}, 78, {"bucket": "failure"}, id="bucket"),
        pytest.param({"storage": {"retention": "60d"}}, 0, {"lifecycle": "warning"}, id="retention"),
        pytest.param({"mail": {"port": 1}}, 75, {"mail.host": "failure"}, id="mail host"),
        pytest.param({"storage": {"profile": "nobody"}}, 78, {}, id="contradiction"),
    ],
)
def test_each_broken_thing_is_one_line(
    host: Host, changes: dict[str, Any], status: int, troubles: dict[str, str]
) -> None:
    found_status, found = host.troubles(**changes)

    assert found_status == status
    assert {subject: it for subject, it in found.items() if not subject.endswith(".yaml")} == troubles


def test_s3_that_is_down_is_to_be_tried_later(host: Host) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    status, found = host.troubles(storage={"endpoint_url": url})

    assert (status, found) == (75, {"S3": "failure"})


def test_missing_sendmail_cf_is_one_line(host: Host, tmp_path: Path) -> None:
    done = host.check("--json", "--sendmail-cf", str(tmp_path / "sendmail.cf"))
    [found] = [it for it in done.document if it["status"] == "failure"]

    assert (done.status, found["area"], found["subject"]) == (78, "sendmail", "sendmail.cf")
    assert "--sendmail-cf" in found["remedy"]


def test_archive_is_looked_at_where_it_has_a_spool(host: Host, tmp_path: Path) -> None:
    archive = {"spool": str(tmp_path), "min_free": 0, "socket": f"inet:{free_port()}@127.0.0.1"}

    assert host.troubles(archive=archive) == (75, {"archive.socket": "failure"})


def test_broken_configuration_is_all_that_is_looked_at(host: Host) -> None:
    done = host.check("--json", links={"expires": "14d"})

    assert done.status == 78
    assert {it["area"] for it in done.document} == {"configuration"}


def test_offline_looks_at_the_configuration_alone(host: Host) -> None:
    done = host.check("--json", "--offline", storage={"endpoint_url": "http://127.0.0.1:1"})

    assert done.status == 0
    assert {it["area"] for it in done.document} == {"configuration"}
    assert json.dumps(done.document)


def test_milter_that_is_down_is_one_line(host: Host) -> None:
    host.lab.milter.kill()
    try:
        assert host.troubles() == (75, {"milter.socket": "failure"})
    finally:
        host.lab.milter.start()
