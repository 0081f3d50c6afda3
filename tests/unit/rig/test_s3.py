"""Each S3 server is here for what it verifies: tests against one that checks nothing prove nothing."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from rig.servers.faults import Corrupt, FaultProxy
from rig.servers.s3 import Juicefs, Ministack, Moto, S3Server

BUCKET = "large-mail"
BODY = b"From: a@example.com\r\n\r\nbody\r\n" * 1000


@pytest.fixture(scope="module")
def juicefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Juicefs]:
    with Juicefs(tmp_path_factory.mktemp("juicefs")) as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with Ministack(tmp_path_factory.mktemp("ministack")) as server:
        server.make_bucket(BUCKET)
        yield server


def link_status(url: str) -> int:
    try:
        with urlopen(url, timeout=10) as reply:
            return int(reply.status)
    except HTTPError as error:
        error.close()
        return error.code


def error_code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize("kind", [Juicefs, Ministack])
def test_a_server_keeps_its_data_through_a_crash(kind: type[S3Server], tmp_path: Path) -> None:
    with kind(tmp_path) as server:
        server.make_bucket(BUCKET)
        client = server.client()
        client.put_object(Bucket=BUCKET, Key="a/b.eml", Body=BODY, ContentDisposition="attachment")
        server.kill()
        server.start()
        found = client.get_object(Bucket=BUCKET, Key="a/b.eml")
        assert (found["Body"].read(), found["ContentDisposition"]) == (BODY, "attachment")
        client.close()


@pytest.mark.parametrize("kind", [Juicefs, Ministack, Moto])
def test_nothing_listens_beyond_loopback(kind: type[S3Server], tmp_path: Path) -> None:
    with kind(tmp_path) as server:
        inodes = {
            link.readlink().name.removeprefix("socket:[").removesuffix("]")
            for link in Path(f"/proc/{server.process.pid}/fd").iterdir()
            if link.is_symlink() and link.readlink().name.startswith("socket:")
        }
        rows = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        ]
    listening = [row[1] for row in rows if row[3] == "0A" and row[9] in inodes]
    assert listening
    assert all(address.startswith("0100007F:") for address in listening)


@pytest.mark.parametrize("name", ["juicefs", "ministack"])
def test_only_the_signed_link_opens_the_object(name: str, request: pytest.FixtureRequest) -> None:
    server: S3Server = request.getfixturevalue(name)
    client = server.client()
    client.put_object(Bucket=BUCKET, Key="a", Body=BODY)
    link = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a"}, ExpiresIn=60)
    other = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "b"}, ExpiresIn=60)
    signature = other.partition("X-Amz-Signature=")[2]
    client.close()
    assert link_status(link) == 200
    assert link_status(link.partition("X-Amz-Signature=")[0] + f"X-Amz-Signature={signature}") == 403
    assert link_status(link.replace("X-Amz-Expires=60", "X-Amz-Expires=600")) == 403


def test_juicefs_opens_nothing_to_a_stranger(juicefs: Juicefs) -> None:
    client = juicefs.client()
    client.put_object(Bucket=BUCKET, Key="a", Body=BODY)
    client.close()
    assert link_status(f"{juicefs.endpoint_url}/{BUCKET}/a") == 403


@pytest.mark.parametrize("name", ["juicefs", "ministack"])
def test_a_body_that_was_damaged_on_its_way_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    server: S3Server = request.getfixturevalue(name)
    with FaultProxy(server.port) as proxy:
        proxy.set(Corrupt(at_byte=100))
        client = server.client(endpoint_url=proxy.endpoint_url)
        md5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
        with pytest.raises(ClientError) as error:
            client.put_object(Bucket=BUCKET, Key="damaged", Body=BODY, ContentMD5=md5)
        client.close()
    assert error_code(error) in ("BadDigest", "XAmzContentSHA256Mismatch")


def test_ministack_lets_one_of_many_writers_win(ministack: Ministack) -> None:
    client = ministack.client()

    def claim(number: int) -> str:
        try:
            client.put_object(Bucket=BUCKET, Key="claim", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "won"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(claim, range(16)))
    client.close()
    assert outcomes["won"] == 1
    assert set(outcomes) <= {"won", "PreconditionFailed", "ConditionalRequestConflict"}
