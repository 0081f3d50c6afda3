"""The process that serves a socket ends when no message is in hand any more, or its time is up."""

import contextlib
import threading
import time

from woomera_milter.milter.server import InHand

PATIENCE_S = 10
NO_TIME_S = 0.05


def test_without_a_message_in_hand_nothing_is_waited_for() -> None:
    begun_at = time.monotonic()

    InHand().wait_until_none(PATIENCE_S)

    assert time.monotonic() - begun_at < PATIENCE_S / 2


def test_process_waits_until_the_last_message_is_finished() -> None:
    in_hand, both_begun, may_end = InHand(), threading.Barrier(3), threading.Event()
    ended = []

    def message() -> None:
        with in_hand.one():
            both_begun.wait(PATIENCE_S)
            may_end.wait(PATIENCE_S)
            ended.append(True)

    messages = [threading.Thread(target=message) for _ in range(2)]
    for thread in messages:
        thread.start()
    both_begun.wait(PATIENCE_S)
    in_hand.wait_until_none(NO_TIME_S)
    assert ended == []

    may_end.set()
    in_hand.wait_until_none(PATIENCE_S)

    assert ended == [True, True]
    for thread in messages:
        thread.join()


def test_message_that_takes_too_long_is_not_waited_for() -> None:
    in_hand = InHand()
    with in_hand.one():
        begun_at = time.monotonic()
        in_hand.wait_until_none(NO_TIME_S)

        assert NO_TIME_S <= time.monotonic() - begun_at < PATIENCE_S


def test_message_whose_end_raises_is_in_hand_no_more() -> None:
    in_hand = InHand()
    with contextlib.suppress(ZeroDivisionError), in_hand.one():
        raise ZeroDivisionError
    begun_at = time.monotonic()

    in_hand.wait_until_none(PATIENCE_S)

    assert time.monotonic() - begun_at < PATIENCE_S / 2
