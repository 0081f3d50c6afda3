"""What is over the limit is told to the byte, in whatever form it was archived."""

from pathlib import Path
from typing import Any

import pytest

from rig.mail.messages import message
from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from tests.unit.sweep.sweeps import KEY, LIMIT_BYTES, OVER, record, run
from woomera_milter.clock import Deadline
from woomera_milter.message.size import is_surely_small
from woomera_milter.store.answers import Listed
from woomera_milter.sweep import copies


def measured(store: MemoryStore, octets: bytes, folder: Path) -> int:
    store.put_octets(KEY, octets)
    listed = Listed(KEY, len(octets), store.now, "STANDARD")
    copy = copies.fetch(store, listed, folder, Deadline(60))
    copy.message.close()
    return copy.measured_bytes


@pytest.mark.parametrize(
    ("form", "recorded", "spare_bytes", "is_over"),
    [
        pytest.param("crlf", "", 0, False, id="wire form at the limit"),
        pytest.param("crlf", "", -1, True, id="wire form a byte over"),
        pytest.param("lf", "", 0, False, id="LF form at the limit on the wire"),
        pytest.param("lf", "", -1, True, id="LF form a byte over on the wire"),
        pytest.param("mbox", "", 0, False, id="an mbox line does not count"),
        pytest.param("mbox", "", -1, True, id="an mbox line does not hide a byte over"),
        pytest.param("crlf", "archive-milter", 2048, False, id="our copy at limit less allowance"),
        pytest.param("crlf", "archive-milter", 2047, True, id="our copy a byte over limit less allowance"),
        pytest.param("crlf", "import", 0, False, id="an imported copy has its trace header"),
    ],
)
def test_the_limit_is_exact_to_the_byte(
    form: str,
    recorded: str,
    spare_bytes: int,
    is_over: bool,
    store: MemoryStore,
    outbox: Outbox,
    tmp_path: Path,
) -> None:
    octets = message(LIMIT_BYTES - spare_bytes)
    if form != "crlf":
        octets = octets.replace(b"\r\n", b"\n")
    if form == "mbox":
        octets = b"From sender@example.com Tue Nov 24 09:00:00 2026\n" + octets
    if recorded:
        store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org", source=recorded))
    store.put_octets(KEY, octets)
    assert run(store, outbox, tmp_path).over_limit == is_over


def test_copy_of_line_feeds_without_a_blank_line_is_not_taken_for_small(
    store: MemoryStore, tmp_path: Path
) -> None:
    octets = b"x" + b"\n" * 1000  # the blank line that it gets is what no size tells
    limit_bytes = measured(store, octets, tmp_path) - 1
    assert not is_surely_small(len(octets), limit_bytes, 0, 0)


def test_long_lines_count_for_what_breaking_them_adds(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org"))
    store.put_octets(KEY, b"Subject: x\r\n\r\n" + b"y" * (LIMIT_BYTES - 2300) + b"\r\n")
    assert run(store, outbox, tmp_path).over_limit == 1


LOCAL_NAMES = b"To: " + b",\r\n ".join(b"user%03d" % number for number in range(130)) + b"\r\n"


@pytest.mark.parametrize(
    ("recorded", "is_over"),
    [
        pytest.param({}, True, id="ours, of an older version"),
        pytest.param({"added_bytes": 2049}, True, id="ours, a byte over"),
        pytest.param({"added_bytes": 2048}, False, id="ours, at the limit"),
        pytest.param({"source": "import"}, True, id="imported"),
        pytest.param(None, True, id="of another's recipe"),
    ],
)
def test_what_sendmail_adds_to_local_names_counts(
    recorded: dict[str, Any] | None, is_over: bool, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    if recorded is not None:
        store.put_octets(KEY.replace(".eml", ".json"), record("a@example.org", **recorded))
    store.put_octets(
        KEY, message(LIMIT_BYTES - 4096 - len(LOCAL_NAMES)).replace(b"\r\n", b"\r\n" + LOCAL_NAMES, 1)
    )
    assert run(store, outbox, tmp_path).over_limit == is_over


def test_a_copy_whose_header_and_size_prove_it_small_is_not_read_to_its_end(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, message(LIMIT_BYTES // 2 - 10))
    assert run(store, outbox, tmp_path).over_limit == 0
    assert store.operations.count(("get", KEY)) == 1


def test_what_shows_hidden_recipients_is_not_in_the_stored_message(
    store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    hidden = (
        b"Return-Path: <s@example.com>\r\nDelivered-To: secret@example.org\r\n"
        b"BCC : secret@example.org,\r\n\tsecret2@example.org\r\nX-Envelope-To: secret@example.org\r\n"
    )
    store.put_octets(KEY, b"From x Tue\n" + hidden + OVER)
    run(store, outbox, tmp_path)
    key = next(key for key in store.objects if key.endswith("message.eml"))
    assert store.objects[key].octets == OVER
    assert all(b"secret" not in octets for _, _, octets in outbox.sent)
    assert outbox.recipients == ["recipient@example.org", "secret2@example.org", "secret@example.org"]


@pytest.mark.parametrize(
    "trace",
    [
        b"Received: from a by b (Postfix) for <hidden@example.org>; Tue, 24 Nov 2026 09:00:00 +0000\r\n",
        b"Received: from a by b\r\n\tfor hidden; Tue, 24 Nov 2026 09:00:00 +0000\r\n",
        b"Received: from a (envelope-from <bounce+hidden=example.org@list.example>) by b\r\n",
        b"X-Received: by 10.0.0.1 for hidden@example.org\r\n",
        b"X-Delivered-To: hidden@example.org\r\n",
        b"X-Real-To: <hidden@example.org>\r\n",
        b"Apparently-To: hidden@example.org\r\n",
        b"X-Forwarded-To: hidden@example.org\r\n",
        b"X-Resolved-To: recipient@example.org, hidden@example.org\r\n",
        b"X-Original-Recipient:\r\n hidden@example.org\r\n",
        b"Authentication-Results: mx; dmarc=pass smtp.rcpttodomain=x smtp.to=hidden@example.org\r\n",
        b"ARC-Authentication-Results: i=1; mx; for=hidden@example.org\r\n",
        b"Received-SPF: pass (mx: domain of s@example.com) envelope-to=hidden@example.org\r\n",
    ],
)
def test_no_trace_of_a_delivery_that_others_made_names_whom_the_header_does_not(
    trace: bytes, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, trace + OVER)
    run(store, outbox, tmp_path)

    key = next(key for key in store.objects if key.endswith("message.eml"))
    assert store.objects[key].octets == OVER


@pytest.mark.parametrize(
    "field",
    [
        b"Received: from a by b for <recipient@example.org>; Tue, 24 Nov 2026 09:00:00 +0000\r\n",
        b"Received: from a (envelope-from <sender@example.com>) by b; Tue, 24 Nov 2026 09:00:00 +0000\r\n",
        b"X-Delivered-To: Recipient@Example.org\r\n",
        b"X-Mailer: mail@home 1.0\r\n",
        b"List-Post: <mailto:list@example.net>\r\n",
        b"In-Reply-To: <1234@example.net>\r\n",
        b"Disposition-Notification-To: office@example.net\r\n",
    ],
)
def test_what_names_nobody_hidden_stays_in_the_stored_message(
    field: bytes, store: MemoryStore, outbox: Outbox, tmp_path: Path
) -> None:
    store.put_octets(KEY, field + OVER)
    run(store, outbox, tmp_path)

    key = next(key for key in store.objects if key.endswith("message.eml"))
    assert store.objects[key].octets == field + OVER
