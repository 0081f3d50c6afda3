"""The checker of the promises sees each of them broken: else no test that relies on it could fail."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from rig.lab import BUCKET
from rig.mail import messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.mta.smtp import Exchange, Reply
from rig.promises.bucket import Bucket
from rig.promises.checker import Aftermath, BrokenPromise, Limits, Sent, check
from rig.promises.stored import check_nothing_else_stored
from rig.servers.s3 import Juicefs
from rig.servers.ses import Transaction
from rig.trial import Plain, Trial, hand_over
from tests.sendmail.cases import OVER_BYTES
from tests.sendmail.conftest import MakeTrial

OVER = Sent(
    messages.message_with_file(OVER_BYTES, file_name="a.bin"), SENDER, (RECIPIENT, "other@example.org")
)
WITHIN = Sent(messages.message(), SENDER, (RECIPIENT,))


@dataclass(frozen=True, slots=True)
class Happened:
    """A message that was truly sent, and its true aftermath."""

    sent: Sent
    aftermath: Aftermath


@pytest.fixture
def interception(trial: Trial) -> Happened:
    exchange = hand_over(trial.lab.sendmail, OVER)
    happened = Happened(OVER, trial.aftermath(exchange))
    assert check(OVER, happened.aftermath, trial.bucket, trial.limits) is not None
    return happened


def with_notice(change: Callable[[bytes], bytes]) -> Callable[[Aftermath], Aftermath]:
    """Return what makes an aftermath one in which the notice was another."""

    def changed(aftermath: Aftermath) -> Aftermath:
        accepted = [replace(it, message=change(it.message)) for it in aftermath.accepted]
        assert accepted != aftermath.accepted
        return replace(aftermath, accepted=accepted)

    return changed


def with_ses(change: Callable[[Transaction], list[Transaction]]) -> Callable[[Aftermath], Aftermath]:
    """Return what makes an aftermath one in which SES got something else."""
    return lambda aftermath: replace(
        aftermath, accepted=[new for it in aftermath.accepted for new in change(it)]
    )


BROKEN = {
    "no notice": (with_ses(lambda it: []), "should have received one message each"),
    "two notices": (with_ses(lambda it: [it, it]), "should have received one message each"),
    "a recipient left out": (
        with_ses(lambda it: [replace(it, recipients=it.recipients[:1])]),
        "should have received one message each",
    ),
    "the original beside the notice": (
        with_ses(lambda it: [it, replace(it, message=OVER.message)]),
        "should have received one message each",
    ),
    "the original instead of the notice": (
        with_notice(lambda _: OVER.message),
        "0 X-Woomera-Id fields",
    ),
    "another envelope sender": (
        with_ses(lambda it: [replace(it, envelope_sender="other@example.com")]),
        "the envelope sender became",
    ),
    "mail left in the queue": (lambda it: replace(it, queue_ids=["1"]), "left in the queue"),
    "a notice that SES refused": (
        lambda it: replace(it, refused=[replace(it.accepted[0], reply="554 no")]),
        "SES refused",
    ),
    "no X-Woomera-Id": (with_notice(lambda it: it.replace(b"X-Woomera-Id", b"X-Other-Id")), "0 X-Woomera-Id"),
    "an id that nothing is stored under": (
        with_notice(lambda it: re.sub(rb"(X-Woomera-Id: )\S", rb"\1_", it)),
        "the bucket holds",
    ),
    "a header lost": (
        with_notice(lambda it: it.replace(b"Subject: ", b"X-Was: ")),
        "subject field is not in",
    ),
    "a header changed": (
        with_notice(lambda it: it.replace(b"Quarterly", b"Monthly", 1)),
        "changed the original's subject",
    ),
    "a Bcc field": (with_notice(lambda it: b"Bcc: hidden@example.net\r\n" + it), "has a bcc field"),
    "an 8-bit header": (with_notice(lambda it: b"X-Name: \xff\r\n" + it), "not ASCII"),
    "a line of 77 octets": (with_notice(lambda it: it + b"x" * 77 + b"\r\n"), "has 77 octets"),
    "an 8-bit body": (with_notice(lambda it: it + b"\xff\r\n"), "not 7-bit"),
    "a bare LF": (with_notice(lambda it: it + b"\n"), "bare CR or LF"),
    "an HTML part that runs": (
        with_notice(lambda it: it.replace(b"<strong", b"<script")),
        "has a <script>",
    ),
    "another day on which the links end": (
        with_notice(lambda it: re.sub(rb" 20\d\d, ", b" 2099, ", it)),
        "says that the links end at",
    ),
    "a link that is cut": (
        with_notice(lambda it: it.replace(b"\r\nhttp://", b"\r\n http:")),
        "first links lead to",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_checker_sees_what_is_wrong_with_a_notice(trial: Trial, interception: Happened, name: str) -> None:
    breakage, sentence = BROKEN[name]

    with pytest.raises(BrokenPromise, match=sentence):
        check(interception.sent, breakage(interception.aftermath), trial.bucket, trial.limits)


def test_checker_sees_a_stored_message_that_differs_by_one_octet(
    trial: Trial, interception: Happened
) -> None:
    sent = replace(OVER, message=OVER.message[:-3] + b"!\r\n")

    with pytest.raises(BrokenPromise, match="not what the client sent"):
        check(sent, interception.aftermath, trial.bucket, trial.limits)


@pytest.mark.parametrize(
    ("key", "lie"),
    [
        ("size_bytes", 1),
        ("sha256", "0" * 64),
        ("recipients", [RECIPIENT]),
        ("envelope_sender", ""),
        ("header_from", "Someone"),
        ("subject", "Something"),
        ("attachments", []),
        ("links_expire_at", "2030-01-01T00:00:00Z"),
        ("host", None),
    ],
)
def test_checker_sees_a_sidecar_that_lies(
    trial: Trial, interception: Happened, s3: Juicefs, bucket: Bucket, key: str, lie: object
) -> None:
    (sidecar_key,) = [it for it in bucket.list_keys() if it.endswith("envelope.json")]
    sidecar = json.loads(bucket.read(sidecar_key)) | {key: lie}
    if lie is None:
        del sidecar[key]
    client = s3.client()
    client.put_object(Bucket=BUCKET, Key=sidecar_key, Body=json.dumps(sidecar).encode())
    client.close()

    with pytest.raises(BrokenPromise, match=r"the sidecar|is not listed"):
        check(interception.sent, interception.aftermath, trial.bucket, trial.limits)


def test_checker_sees_an_over_limit_message_that_was_relayed_as_it_is(trial: Trial) -> None:
    exchange = hand_over(trial.lab.sendmail, WITHIN)

    with pytest.raises(BrokenPromise, match="0 X-Woomera-Id"):
        check(WITHIN, trial.aftermath(exchange), trial.bucket, Limits(limit_bytes=100))


def test_checker_sees_a_message_that_was_changed_on_its_way(trial: Trial, plain: Plain) -> None:
    exchange = hand_over(trial.lab.sendmail, WITHIN)
    without_us = plain.relays(replace(WITHIN, message=WITHIN.message.replace(b"fox", b"cat")))

    with pytest.raises(BrokenPromise, match="not relayed as sendmail relays it"):
        check(WITHIN, trial.aftermath(exchange), trial.bucket, trial.limits, without_us=without_us)


def test_checker_sees_mail_that_went_out_although_the_client_was_told_to_keep_it(
    trial: Trial, interception: Happened
) -> None:
    ok = Reply(250, ("ok",))
    told_to_wait = replace(
        interception.aftermath, exchange=Exchange(ok, (ok, ok), Reply(451, ("4.3.0 try again later",)))
    )

    with pytest.raises(BrokenPromise, match="yet 1 messages were handed to SES"):
        check(interception.sent, told_to_wait, trial.bucket, trial.limits)


def test_checker_sees_objects_that_nobody_was_told_of(trial: Trial, interception: Happened) -> None:
    with pytest.raises(BrokenPromise, match="the bucket holds"):
        check_nothing_else_stored(trial.bucket, [])


def test_checker_wants_a_stored_page_to_be_linked_unless_the_milter_logged_that_it_is_missing(
    make_trial: MakeTrial, s3: Juicefs, bucket: Bucket
) -> None:
    trial = make_trial({"links": {"page": False}})
    aftermath = trial.aftermath(hand_over(trial.lab.sendmail, OVER))
    found = check(OVER, aftermath, bucket, trial.limits)
    assert found
    client = s3.client()
    client.put_object(Bucket=BUCKET, Key=f"{found.stored.folder}index.html", Body=b"<!doctype html>")
    client.close()

    with pytest.raises(BrokenPromise, match="first links lead to"):
        check(OVER, aftermath, bucket, trial.limits)
    assert check(OVER, aftermath, bucket, trial.limits, without_page={found.notice.id})
