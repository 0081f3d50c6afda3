"""The tests of the limit's edges lean on these makers: their sizes must be right to the byte."""

import email
import email.policy

import pytest

from rig.mail.kinds import EXACT, INEXACT, REFUSED, of_kind, with_headers_of
from rig.mail.messages import (
    BASE64_LINE_BYTES,
    BASE64_LINE_DATA_BYTES,
    FILL,
    MB,
    entity,
    filled,
    measured_size,
    message,
    message_with_file,
    random_data,
)

ALL_KINDS = [*EXACT, *INEXACT, *REFUSED]


@pytest.mark.parametrize(
    ("line_octets", "added"), [(990, 0), (991, 4), (1978, 4), (1979, 8), (100_000, 404)], ids=str
)
def test_each_long_line_adds_to_the_measured_size(line_octets: int, added: int) -> None:
    wire = b"Subject: x\r\n\r\n" + b"y" * line_octets + b"\r\n"
    assert measured_size(wire) == len(wire) + added


def test_a_missing_final_line_end_counts_since_the_wire_has_it() -> None:
    assert measured_size(b"Subject: x\r\n\r\nlast") == measured_size(b"Subject: x\r\n\r\nlast\r\n")


@pytest.mark.parametrize("more", range(81))
def test_a_message_has_exactly_the_size_asked_for(more: int) -> None:
    assert measured_size(message(1000 + more)) == 1000 + more


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_has_exactly_the_size_asked_for(kind: str) -> None:
    assert measured_size(of_kind(kind, 2 * MB)) == 2 * MB


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_kind_is_complete_when_it_is_small(kind: str) -> None:
    assert FILL not in of_kind(kind)


@pytest.mark.parametrize("kind", [it for it in ALL_KINDS if it != "NUL in a header"])
def test_every_kind_has_line_ends_of_smtp_unless_it_is_about_them(kind: str) -> None:
    without_line_ends = of_kind(kind).replace(b"\r\n", b"")
    assert (b"\r" in without_line_ends or b"\n" in without_line_ends) == (kind in REFUSED)


def test_a_size_that_the_headers_exceed_is_refused() -> None:
    with pytest.raises(ValueError, match="ask for a larger message"):
        message(100)


def test_a_template_without_a_place_to_fill_is_refused() -> None:
    with pytest.raises(ValueError, match="no FILL"):
        filled(entity("text/plain", b"text\r\n"), 1000)


def test_an_attachment_fills_its_message_and_decodes_to_the_octets_put_in() -> None:
    wire = message_with_file(MB, file_name="a.bin")
    parsed = email.message_from_bytes(wire, policy=email.policy.default)
    [attached] = parsed.iter_attachments()
    data = attached.get_payload(decode=True)
    assert measured_size(wire) == MB
    assert data == random_data(len(data))
    assert len(data) // BASE64_LINE_DATA_BYTES * BASE64_LINE_BYTES > MB - 4096


def test_headers_come_in_the_bulk_asked_for() -> None:
    headers = filled(with_headers_of(300_000)).partition(b"\r\n\r\n")[0]
    assert 299_000 < len(headers) < 301_000
