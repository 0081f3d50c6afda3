"""Times in AWS's replies are read fast, and in whatever form they come; sessions are cheap."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from woomera_milter import aws


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-11-24T09:00:00.000Z", id="a listing"),
        pytest.param("2026-11-24T09:00:00Z", id="a token's end"),
        pytest.param("Tue, 24 Nov 2026 09:00:00 GMT", id="an HTTP header"),
        pytest.param(1795510800, id="JSON"),
    ],
)
def test_every_form_of_a_time_means_the_same(value: object) -> None:
    session = aws.session(None, "AKIASTORAGE000000000", None)
    parser = session._session.get_component("response_parser_factory")._defaults["timestamp_parser"]
    assert parser(value) == datetime(2026, 11, 24, 9, tzinfo=UTC)


# A milter has three, of which the signer's is made anew every quarter of an hour.
FIVE_SESSIONS = """
import re
from pathlib import Path
from woomera_milter import aws

def held_kb():
    return int(re.search(r"VmRSS:\\s+([0-9]+)", Path("/proc/self/status").read_text())[1])

def client():
    return aws.session(None, None, None).client("s3", region_name="us-east-1")

clients = [client()]
before_kb = held_kb()
clients += [client() for _ in range(4)]
print(held_kb() - before_kb)
"""


def test_sessions_share_what_botocore_knows_of_s3() -> None:
    ran = subprocess.run([sys.executable, "-c", FIVE_SESSIONS], capture_output=True, text=True, check=True)

    assert int(ran.stdout) < 12 * 1024  # what is known of S3 takes as much, once
