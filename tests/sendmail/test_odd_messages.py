"""Messages that are made to be dear to read: other mail need not wait for them."""

import time
from concurrent.futures import ThreadPoolExecutor

from rig.mail import messages
from rig.mail.messages import RECIPIENT, SENDER
from rig.promises.checker import Sent
from rig.trial import hand_over
from tests.sendmail.cases import OVER_BYTES
from tests.sendmail.conftest import MakeTrial

PARTS = 10_000
ODD_BYTES = 1_200_000
AT_ONCE = 4
PATIENCE_S = 5.0
"""0.6 to 2.8 s were measured on two cores at a load of 8 to 16; 0.4 s without the odd ones."""


def of_many_parts() -> bytes:
    """A message whose delimiters look like header fields, each of them one of MAX_PARTS."""
    header = messages.header_section() + (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="a:b"\r\n\r\n'
    )
    delimiters = b"--a:b\r\n" * PARTS
    line = b"x" * 70 + b"\r\n"
    return header + delimiters + line * ((ODD_BYTES - len(delimiters)) // len(line))


def test_ordinary_message_does_not_wait_for_four_of_ten_thousand_parts_each(make_trial: MakeTrial) -> None:
    sendmail = make_trial().lab.sendmail
    odd = Sent(of_many_parts(), SENDER, (RECIPIENT,))
    ordinary = Sent(messages.message(OVER_BYTES), SENDER, (RECIPIENT,))
    hand_over(sendmail, ordinary)  # whose client of S3 is made anew

    with ThreadPoolExecutor(AT_ONCE) as clients:
        odd_ones = [clients.submit(hand_over, sendmail, odd) for _ in range(AT_ONCE)]
        time.sleep(0.5)
        began = time.monotonic()
        exchange = hand_over(sendmail, ordinary)
        waited_s = time.monotonic() - began
        exchanges = [it.result() for it in odd_ones]

    assert exchange.ok
    assert waited_s < PATIENCE_S
    assert all(it.ok for it in exchanges)
