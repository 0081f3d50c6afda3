"""Promise 1: what sendmail adds behind us is bounded; tests/sendmail has the same asked of sendmail."""

import time

import pytest

from woomera_milter.message.fields import HeaderField
from woomera_milter.message.rewriting import (
    DOMAIN_NAME_MAX,
    HOST_NAME_MAX,
    MOST_ADDED_PER_OCTET,
    most_added_bytes,
    most_added_to,
)

OWN_NAMES = ["rig.example.com", "example.com"]


@pytest.mark.parametrize(
    ("value", "added_bytes"),
    [
        pytest.param(b" a@example.org", 0, id="as it is"),
        pytest.param(b"a@example.org", 1, id="a space behind the colon"),
        pytest.param(b" a@example.org,b@example.org", 1, id="a space behind the comma"),
        pytest.param(b" " + b"x" * 70 + b"@b.org," + b"y" * 70 + b"@b.org", 10, id="a fold"),
        pytest.param(b" a", len("@rig.example.com"), id="a name without a domain"),
        pytest.param(b" a@localhost", len("@rig.example.com"), id="localhost"),
        pytest.param(b" J. Doe <a@example.org>", 2, id="quotes around a dot"),
        pytest.param(b" a@example.org(Jane)", 1, id="a space before a comment"),
        pytest.param(b' "Doe, Jane" <a@example.org>', 0, id="a comma in quotes"),
        pytest.param(b" a b", 2 * len("@rig.example.com") + 1, id="blanks for commas"),
    ],
)
def test_what_sendmail_adds_to_ordinary_addresses_is_told_to_the_octet(
    value: bytes, added_bytes: int
) -> None:
    assert most_added_bytes([HeaderField("To", value)], OWN_NAMES) == added_bytes


def test_other_fields_are_left_alone_by_sendmail() -> None:
    assert most_added_bytes([HeaderField("Subject", b" a,b,c"), HeaderField("X-To", b" a")], OWN_NAMES) == 0


def test_where_the_mta_tells_no_name_the_longest_that_linux_allows_is_counted() -> None:
    assert most_added_bytes([HeaderField("To", b" a")]) == len("@") + 64


@pytest.mark.parametrize(
    "piece", [b"a,", b"a ", b'"', b'"(', b"(", b"\\", b'"\\', b"@", b"@.", b"<", b"a<", b"a@b,"]
)
def test_hostile_fields_take_linear_time_and_stay_within_the_bound_per_octet(piece: bytes) -> None:
    value = b" " + piece * (200_000 // len(piece))
    started_at = time.process_time()
    added_bytes = most_added_bytes([HeaderField("To", value)], ["n" * 255])

    assert time.process_time() - started_at < 2
    assert added_bytes <= MOST_ADDED_PER_OCTET * len(value)


@pytest.mark.parametrize("name_bytes", [HOST_NAME_MAX, DOMAIN_NAME_MAX])
@pytest.mark.parametrize("piece", [b"a,", b"a ", b"(,", b'",', b"<,", b"@,", b"a@b,", b"aa,", b"(", b"a"])
@pytest.mark.parametrize("octets_of_header", [8, 9, 100, 32_768])
def test_the_size_alone_bounds_what_is_added_to_whatever_header_sendmail_lets_in(
    octets_of_header: int, piece: bytes, name_bytes: int
) -> None:
    room = octets_of_header - len("To:\n")
    value = (piece * (room // len(piece) + 1))[:room]
    many = [HeaderField("To", piece[:1])] * (octets_of_header // len("To:a\n"))
    names = ["n" * name_bytes]

    for headers in ([HeaderField("To", value)], many):
        assert most_added_bytes(headers, names) <= most_added_to(octets_of_header, name_bytes)
