"""The pipeline's definition, as AWS Data Pipeline stores it, and its script, run for real."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3

from rig.lab import BUCKET, environment
from rig.mail.messages import message
from rig.servers.s3 import Moto
from tests.deploy.conftest import CHECKOUT

FOLDER = CHECKOUT / "deploy" / "data-pipeline"
OVER_10_MB = 11 * 1024 * 1024

definition: dict[str, Any] = json.loads((FOLDER / "pipeline.json").read_text())
parameters = {it["id"]: it for it in definition["parameters"]}


def test_data_pipeline_takes_the_definition(tmp_path: Path) -> None:
    with Moto(tmp_path) as moto:
        session: Any = boto3.Session("test", "test", region_name=moto.region)
        client = session.client("datapipeline", endpoint_url=moto.endpoint_url)
        pipeline = client.create_pipeline(name="woomera", uniqueId="woomera")["pipelineId"]
        client.put_pipeline_definition(
            pipelineId=pipeline,
            pipelineObjects=[_as_sent(it) for it in definition["objects"]],
            parameterObjects=[
                {"id": name, "attributes": [{"key": "type", "stringValue": it["type"]}]}
                for name, it in parameters.items()
            ],
        )
        client.activate_pipeline(pipelineId=pipeline)
        stored = client.get_pipeline_definition(pipelineId=pipeline)["pipelineObjects"]
        client.close()
    assert [it["id"] for it in stored] == [it["id"] for it in definition["objects"]]


def test_every_reference_and_every_parameter_of_the_definition_leads_somewhere() -> None:
    text = json.dumps(definition["objects"])
    ids = {it["id"] for it in definition["objects"]}
    assert set(re.findall(r'"ref": "(\w+)"', text)) <= ids
    assert set(re.findall(r"#\{(my\w+)\}", text)) == parameters.keys()


def test_the_script_sweeps_with_the_first_woomeras_flags(tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    secret = {"Version": 1, "AccessKeyId": "signer", "SecretAccessKey": "test"}
    _write_program(programs / "woomera", f'cd {CHECKOUT}\nexec {sys.executable} -m woomera_milter "$@"')
    _write_program(programs / "aws", f"echo \"$@\" >> {tmp_path}/asked\necho '{json.dumps(secret)}'")
    with Moto(tmp_path) as moto:
        moto.make_bucket(BUCKET)
        client = moto.client()
        client.put_object(Bucket=BUCKET, Key="2015/msg.1", Body=message(OVER_10_MB, subject="mail 1"))
        session: Any = boto3.Session("test", "test", region_name=moto.region)
        ses = session.client("sesv2", endpoint_url=moto.endpoint_url)
        for address in ("sender@example.com", "admin@example.com"):
            ses.create_email_identity(EmailIdentity=address)
        ses.close()
        done = subprocess.run(
            [FOLDER / "sweep.sh", "s3://unused.whl", "woomera-links", *_flags()],
            env=environment()
            | {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "AWS_ENDPOINT_URL": moto.endpoint_url,
                "AWS_ACCESS_KEY_ID": "host",
                "AWS_SECRET_ACCESS_KEY": "test",
                "TMPDIR": str(tmp_path),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        processed = client.get_object(Bucket=BUCKET, Key="2015/processed-emails.json")["Body"].read()
        client.close()
    assert list(json.loads(processed)) == ["2015/msg.1"]
    asked = (tmp_path / "asked").read_text()
    assert "get-secret-value --region us-east-1 --secret-id woomera-links" in asked
    assert not list(tmp_path.glob("tmp.*"))  # nothing is left behind


def _flags() -> list[str]:
    """The sweep's flags as the definition gives them."""
    (sweep,) = (it for it in definition["objects"] if it["id"] == "Sweep")
    values = {
        "myBucket": BUCKET,
        "myPrefix": "2015/msg",
        "myRegion": "us-east-1",
        "myProcessedEmails": "2015/processed-emails.json",
        "myAdminEmail": "admin@example.com",
    }
    flags = [it for it in sweep["scriptArgument"] if it.startswith("--")]
    return [re.sub(r"#\{(\w+)\}", lambda found: values[found[1]], it) for it in flags]


def _as_sent(item: dict[str, Any]) -> dict[str, Any]:
    """An object as the API takes it: what the AWS command line makes of the file."""
    fields = [
        {"key": key, "refValue": one["ref"]} if isinstance(one, dict) else {"key": key, "stringValue": one}
        for key, value in item.items()
        if key not in ("id", "name")
        for one in (value if isinstance(value, list) else [value])
    ]
    return {"id": item["id"], "name": item["name"], "fields": fields}


def _write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/bash\n{script}\n")
    path.chmod(0o755)
