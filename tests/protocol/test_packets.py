"""Packets that are cut off, too long, empty, or not what the protocol says, on the socket of each milter."""

import os

import pytest

from rig.mta.packets import BODY, CHUNK_BYTES, CONNECT, DATA, END_OF_MESSAGE, HELO, TEMPFAIL, Mta, head_of
from tests.protocol.conftest import MARK, OVER, Target
from woomera_milter.check.milter_client import (
    ABORT,
    ACCEPT,
    CONTINUE,
    END_OF_HEADERS,
    HEADER,
    MACROS,
    MAIL,
    NEGOTIATE,
    RCPT,
    Packet,
    offer,
    packed,
)

CONVERSATION: list[Packet] = [
    (NEGOTIATE, offer()),
    (MACROS, b"Cj\0" + MARK + b"\0"),
    (CONNECT, MARK + b".example.com\0" + b"4\x30\x39127.0.0.1\0"),
    (HELO, MARK + b"\0"),
    (MAIL, b"<" + MARK + b"@example.com>\0SIZE=1\0"),
    (MACROS, b"R{rcpt_mailer}\0relay\0"),
    (RCPT, b"<" + MARK + b"@example.org>\0"),
    (DATA, b""),
    (HEADER, b"Subject\0 " + MARK + b"\0"),
    (MACROS, b"Ni\0004AO9Xk1S012345\0{msg_size}\0999999\0"),
    (END_OF_HEADERS, b""),
    (BODY, MARK * 1000),
    (END_OF_MESSAGE, b""),
]
BEGUN = [it for it in CONVERSATION if it[0] in (NEGOTIATE, MAIL, RCPT)]
"""Up to where header fields are due."""
IN_BODY = [*BEGUN, (END_OF_HEADERS, b"")]
LENGTHS = (0, CHUNK_BYTES + 2, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1)


@pytest.mark.parametrize(
    "at", range(len(CONVERSATION)), ids=[f"{at}-{it[0]}" for at, it in enumerate(CONVERSATION)]
)
def test_conversation_cut_off_within_any_packet_leaves_nothing(at: int, target: Target) -> None:
    packet = packed(*CONVERSATION[at])
    cuts = sorted({1, 3, 4, 5, len(packet) // 2, len(packet) - 1} - {len(packet)})
    half_open = []
    for cut in cuts:
        with Mta(target.port) as mta:
            mta.say(CONVERSATION[:at])
            mta.send_raw(packet[:cut])
            mta.hang_up()
        waits = Mta(target.port)
        half_open.append(waits)
        waits.say(CONVERSATION[:at])
        waits.send_raw(packet[:cut])

    target.serve_large()  # though they all wait for the rest

    for mta in half_open:
        mta.close()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "before", [[], BEGUN, IN_BODY], ids=["at the start", "for a header", "within the body"]
)
def test_packet_of_an_impossible_length_ends_its_connection_alone(
    length: int, before: list[Packet], target: Target
) -> None:
    with Mta(target.port) as mta:
        mta.say(before)
        mta.send_raw(length.to_bytes(4, "big") + b"B" + MARK)
        mta.hang_up()


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param([(MAIL, b"")], id="a sender without an address"),
        pytest.param([(MAIL, b"<" + MARK + b"@example.com>")], id="a sender without an end"),
        pytest.param([(MAIL, b"\0")], id="an empty sender"),
        pytest.param([(MAIL, b"<" + MARK + b">\0" + b"SIZE=1\0" * 9000)], id="9,000 parameters"),
        pytest.param([*BEGUN[1:], (RCPT, b"")], id="a recipient without an address"),
        pytest.param([*BEGUN[1:], (RCPT, MARK)], id="a recipient without an end"),
        pytest.param([*BEGUN[1:], (HEADER, b"")], id="a header of nothing"),
        pytest.param([*BEGUN[1:], (HEADER, MARK + b"\0")], id="a header without a value"),
        pytest.param([*BEGUN[1:], (HEADER, MARK + b"\0x")], id="a header without an end"),
        pytest.param([*BEGUN[1:], (HEADER, MARK + b"\0a\0b\0c\0")], id="a header with NULs"),
        pytest.param([*BEGUN[1:], (HEADER, b"\0\0")], id="a header without a name"),
        pytest.param([*BEGUN[1:], (HEADER, b"X\0" + MARK * 150_000 + b"\0")], id="a header of 1 MB"),
        pytest.param([*BEGUN[1:], (BODY, MARK * 150_000)], id="a body chunk of 1 MB"),
        pytest.param([*IN_BODY[1:], (BODY, b"")], id="an empty body chunk"),
        pytest.param([*IN_BODY[1:], (BODY, b"\0" * CHUNK_BYTES)], id="a body of NULs"),
        pytest.param([(CONNECT, MARK)], id="a client without an address"),
        pytest.param([(CONNECT, MARK + b"\0X12" + MARK + b"\0")], id="a client of no address family"),
        pytest.param([(CONNECT, MARK + b"\0004\0\0" + MARK + b"\0")], id="a client of no address"),
        pytest.param([(MACROS, b"")], id="macros for no stage"),
        pytest.param([(MACROS, b"Z" + MARK + b"\0x\0")], id="macros for an unknown stage"),
        pytest.param([(MACROS, b"Ni\0" + MARK)], id="macros without an end"),
        pytest.param([(command, MARK) for command in "z\0\x7f"], id="unknown commands"),
    ],
)
def test_malformed_packet_ends_its_connection_at_most(packets: list[Packet], target: Target) -> None:
    with target.connect() as mta:
        mta.say(packets)
        mta.hang_up()


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff" * 4096, id="ones"),
        pytest.param(b"\0" * 4096, id="zeros"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", id="HTTP"),
        pytest.param(b"EHLO client.example.com\r\n", id="SMTP"),
        pytest.param(os.urandom(4096), id="random octets"),
    ],
)
def test_what_is_no_packet_ends_its_connection_alone(octets: bytes, target: Target) -> None:
    with Mta(target.port) as mta:
        mta.send_raw(octets)
        mta.hang_up()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"\xff\xfe", id="no UTF-8"),
        pytest.param("²".encode(), id="a digit that is no number"),
        pytest.param("٣".encode(), id="an Arabic digit"),
        pytest.param(b"9" * 5000, id="5,000 digits"),
        pytest.param(b"-1", id="a negative number"),
        pytest.param(b"../../" + MARK, id="a path"),
        pytest.param(b"\r\n\x1b[2J" + MARK, id="control characters"),
    ],
)
def test_macro_that_no_mta_would_send_counts_as_missing(value: bytes, target: Target) -> None:
    with target.connect() as mta:
        mta.send(MAIL, b"<sender@example.com>\0")
        mta.send(MACROS, b"R{rcpt_mailer}\0" + value + b"\0")
        mta.send(RCPT, b"<recipient@example.org>\0")
        mta.send(MACROS, b"Ni\0" + value + b"\0{msg_size}\0" + value + b"\0")
        assert mta.ask(END_OF_HEADERS) == CONTINUE  # nothing proves it small, or bound for this host
        mta.send(ABORT)


def test_octets_that_are_no_utf_8_are_taken_as_they_are(target: Target) -> None:
    with target.connect() as mta:
        mta.send(MAIL, b"<\xff\xfe@example.com>\0")
        mta.send(RCPT, b"<\xff\xfe@example.org>\0")
        mta.send(HEADER, b"Subject\0 \xff\xfe\0")
        assert mta.ask(END_OF_HEADERS) == CONTINUE
        assert mta.ask(END_OF_MESSAGE) == ACCEPT


def test_header_name_of_8_bits_is_answered_at_the_end_of_headers_and_nothing_of_it_is_kept(
    target: Target,
) -> None:
    """The MTA does not wait for an answer to a header; it waited for ever for the next one, then."""
    head = head_of(OVER)
    head.insert(-2, (HEADER, b"X-Gr\xf6\xdfe\0 v\0"))
    with target.connect() as mta:
        mta.say(head[:-1])

        if target.is_archive:
            assert mta.ask(END_OF_HEADERS) == CONTINUE
            assert mta.ask(END_OF_MESSAGE) in (CONTINUE, ACCEPT)
        else:
            assert mta.ask(END_OF_HEADERS) == TEMPFAIL
    log = target.new_log_text()
    assert "crashed" in log
    assert "Traceback" not in log
    assert list(target.spool.iterdir()) == []
    target.serve_large()
