"""Every kind of message: relayed as if we were not there, or stored to the byte and replaced by a notice."""

import pytest

from rig import kinds
from rig.checker import Sent
from rig.messages import RECIPIENT, SENDER
from rig.stored import check_nothing_else_stored
from rig.trial import Trial
from tests.sendmail.cases import ALL_AT_THE_SMALL_LIMIT, FULL_SIZE, OVER_BYTES, Case


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
