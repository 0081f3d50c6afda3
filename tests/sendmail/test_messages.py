"""Every kind of message: relayed as if we were not there, or stored to the byte and replaced by a notice."""

import pytest

from rig.mail import kinds, messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.promises.checker import Sent
from rig.promises.stored import check_nothing_else_stored
from rig.trial import Plain, Trial
from tests.sendmail.cases import ALL_AT_THE_SMALL_LIMIT, FULL_SIZE, OVER_BYTES, Case
from tests.sendmail.conftest import MakeTrial

LARGE_HEADERS_LIMIT = 400_000


def large_headers(size_bytes: int | None) -> bytes:
    """A message with 300 kB of header fields."""
    return messages.filled(kinds.with_headers_of(300_000), size_bytes)


def hold(trial: Trial, case: Case) -> None:
    """Send the case's message; what becomes of it must be what the case says."""
    sent = case.sent()
    if case.decision == "passes":
        trial.passes(sent)
        check_nothing_else_stored(trial.bucket, [])
        return
    found = trial.intercepts(sent, stored=case.stored and case.stored(sent.message))
    check_nothing_else_stored(trial.bucket, [found.stored])
    for text in case.shows:
        assert text in found.notice.text


@pytest.mark.parametrize("case", ALL_AT_THE_SMALL_LIMIT, ids=lambda case: case.name)
def test_message_passes_untouched_or_is_replaced_by_a_notice(trial: Trial, case: Case) -> None:
    hold(trial, case)


@pytest.mark.parametrize("case", FULL_SIZE, ids=lambda case: case.name)
def test_limit_of_10_mb_is_kept_to_the_byte(full_size_trial: Trial, case: Case) -> None:
    hold(full_size_trial, case)


@pytest.mark.parametrize("kind", kinds.REFUSED)
@pytest.mark.parametrize("size_bytes", [None, OVER_BYTES], ids=["small", "over"])
def test_bare_line_ends_are_refused_by_sendmail_and_kept_by_the_client(
    trial: Trial, kind: str, size_bytes: int | None
) -> None:
    reply = trial.refuses(Sent(kinds.of_kind(kind, size_bytes), SENDER, (RECIPIENT,)))

    assert reply.code == 421
    check_nothing_else_stored(trial.bucket, [])


@pytest.mark.parametrize("size_bytes", [None, OVER_BYTES], ids=["small", "over"])
def test_300_kb_of_headers_are_refused_by_sendmail_as_it_is_shipped(
    trial: Trial, size_bytes: int | None
) -> None:
    reply = trial.refuses(Sent(large_headers(size_bytes), SENDER, (RECIPIENT,)))

    assert reply.code == 552


def test_300_kb_of_headers_pass_or_make_a_notice_where_sendmail_allows_them(make_trial: MakeTrial) -> None:
    with Plain(max_headers_length=LARGE_HEADERS_LIMIT) as plain:
        trial = make_trial({}, plain, max_headers_length=LARGE_HEADERS_LIMIT)

        trial.passes(Sent(large_headers(None), SENDER, (RECIPIENT,)))
        trial.intercepts(Sent(large_headers(OVER_BYTES), SENDER, (RECIPIENT,)))


def test_single_header_of_60_kb_makes_a_notice(make_trial: MakeTrial) -> None:
    trial = make_trial({}, max_headers_length=LARGE_HEADERS_LIMIT)
    references = b"References:" + b" <0123456789@example.com>\r\n" * 2200

    trial.intercepts(Sent(messages.message(OVER_BYTES, extra_headers=references), SENDER, (RECIPIENT,)))


def test_header_too_long_for_the_milter_protocol_is_refused_and_kept_by_the_client(
    make_trial: MakeTrial,
) -> None:
    trial = make_trial({}, max_headers_length=LARGE_HEADERS_LIMIT)
    giant = b"X-Giant: " + b"g" * 260_000 + b"\r\n"

    reply = trial.refuses(Sent(messages.message(OVER_BYTES, extra_headers=giant), SENDER, (RECIPIENT,)))

    assert reply.code == 451
