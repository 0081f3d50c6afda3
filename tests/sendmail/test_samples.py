"""Promise 7: messages such as people's programs make are read as their senders meant them, the whole way."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.lab import Lab
from rig.mail.messages import RECIPIENT, SENDER
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.promises.delivered import Delivered, Download
from rig.promises.expectations import Sample, faults, samples
from rig.promises.notices import check_kept_headers, read_notice
from rig.promises.stored import as_stored
from rig.servers.s3 import Juicefs
from rig.trial import hand_over

ALL_ARE_OVER = {"limit": "100KB", "milter": {"allowance": "99.9KB"}, "archive": {"min_size": 0}}

SAMPLES = samples(Path(__file__).parents[1] / "samples")


@pytest.fixture(scope="module")
def lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("samples"), s3, configuration=ALL_ARE_OVER) as lab:
        yield lab


def downloaded(link: str) -> Download:
    with urllib.request.urlopen(link, timeout=60) as reply:
        headers = reply.headers
        return Download(reply.read(), headers["Content-Type"], headers["Content-Disposition"] or "")


def delivered(lab: Lab, bucket: Bucket, octets: bytes) -> Delivered:
    """What comes of a message, once it is stored as it was sent and one notice has reached the relay."""
    lab.ses.clear()
    assert hand_over(lab.sendmail, Sent(octets, SENDER, (RECIPIENT,))).ok
    [transaction] = lab.ses.accepted
    notice = read_notice(transaction.message)
    check_kept_headers(octets, notice)
    [sidecar_key] = [it for it in bucket.list_keys("messages/") if it.endswith(f"/{notice.id}/envelope.json")]
    folder = sidecar_key.removesuffix("envelope.json")
    assert bucket.read(f"{folder}message.eml") == as_stored(octets)
    page = [it for it in notice.links[:1] if "/index.html?" in it]
    return Delivered(
        notice,
        json.loads(bucket.read(sidecar_key)),
        downloaded(page[0]).octets.decode() if page else None,
        downloaded,
    )


@pytest.mark.parametrize("sample", SAMPLES, ids=[it.name for it in SAMPLES])
def test_recipients_read_a_message_as_its_sender_meant_it(sample: Sample, lab: Lab, bucket: Bucket) -> None:
    assert not faults(sample, delivered(lab, bucket, sample.octets))
