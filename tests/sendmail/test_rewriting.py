"""Promise 1: what sendmail adds to address fields behind the milter is counted, and no more than that."""

from collections.abc import Iterator

import pytest

from rig.mail.messages import FILL, RECIPIENT, SENDER, filled
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import HOST_NAME, Settings
from rig.mta.smtp import send
from rig.promises.checker import Sent
from rig.promises.notices import read_notice
from rig.servers.ses import Ses
from rig.trial import Trial, hand_over
from tests.sendmail.cases import ALLOWANCE_BYTES, SMALL_LIMIT_BYTES
from tests.sendmail.conftest import MakeTrial
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.rewriting import ADDRESS_FIELDS, most_added_bytes

MASQUERADE = "example.com"  # of the shipped sendmail.mc
LONG_NAME = f"{'h' * 60}.{'k' * 60}.{'m' * 60}.example.org"
TRACE_BYTES = (
    2048  # what milter.allowance is for: Received and, where they are missing, Date, From, Message-ID
)

ENTRIES = {
    "a local name": (b"user%d", b","),
    "a letter": (b"a", b","),
    "at localhost": (b"user%d@localhost", b","),
    "at this host": (b"user%d@" + HOST_NAME.encode(), b","),
    "at a host without a dot": (b"user%d@mail", b","),
    "no space behind the comma": (b"user%d@example.org", b","),
    "a space behind the comma": (b"user%d@example.org", b", "),
    "folded as by a mail program": (b'"Doe, Jane" <user%d@example.org>', b",\r\n "),
    "an address that fills a line": (b"x" * 64 + b"%d@example.org", b","),
    "a name with a dot": (b"J. Doe <user%d@example.org>", b","),
    "a comment": (b"user%d@example.org(Jane)", b","),
    "blanks between names": (b"user%d", b" "),
    "a group": (b"g:user%d;", b","),
    "an angle that is not closed": (b"<user%d", b","),
    "a quote that is not closed": (b'"user%d@example.org', b","),
    "an address twice": (b"<a>@example.org", b","),
    "quotes within words": (b'@rig.example.com"q"[1.2.3.4]<a>', b","),
    "an escape": (b"\\(c)Jane Doe @rig.example.com::g:<user%d", b","),
    "8 bits": (b"J\xc3\xbcrgen <user%d@example.org>", b","),
}


def field_of(name: str, entry: bytes, separator: bytes, count: int = 100) -> bytes:
    entries = [entry % number if b"%d" in entry else entry for number in range(count)]
    return name.encode() + b": " + separator.join(entries) + b"\r\n"


def message_with(field: bytes) -> bytes:
    sender = b"" if field.lower().startswith(b"from:") else b"From: sender@example.com\r\n"
    return sender + field + b"Subject: Names\r\n\r\nText.\r\n"


@pytest.fixture(scope="module", params=[HOST_NAME, LONG_NAME], ids=["a short name", "a name of 195 octets"])
def relayed(request: pytest.FixtureRequest) -> Iterator[tuple[Sendmail, Ses, str]]:
    """A sendmail that calls itself so, and the stand-in for SES behind it."""
    extra_mc = f"define(`confDOMAIN_NAME', `{request.param}')dnl\n"
    with Ses() as ses:
        sendmail = Sendmail(Settings(relay_port=ses.port, max_headers_length=1_000_000, extra_mc=extra_mc))
        try:
            sendmail.start()
            yield sendmail, ses, request.param
        finally:
            sendmail.close()


@pytest.mark.parametrize("entry", ENTRIES)
def test_sendmail_adds_no_more_to_any_address_field_than_is_counted(
    relayed: tuple[Sendmail, Ses, str], entry: str
) -> None:
    sendmail, ses, own_name = relayed
    for name in sorted(ADDRESS_FIELDS):
        field = field_of(name.title(), *ENTRIES[entry])
        sent = message_with(field)
        ses.clear()
        exchange = send(sendmail.smtp_port, sent, sender=SENDER, recipients=[RECIPIENT])
        assert exchange.ok, (name, exchange.last)

        added_bytes = len(ses.transactions[0].message) - len(sent)  # whether SES took it or not
        counted_bytes = most_added_bytes(parse_header_block(sent), [own_name, MASQUERADE])
        assert added_bytes <= counted_bytes + TRACE_BYTES, name
        if name in ("to", "cc"):  # beside which sendmail adds but a short trace: the same, told closely
            assert added_bytes <= counted_bytes + 250 + 4 * len(own_name), name


@pytest.mark.parametrize(
    "entry", ["no space behind the comma", "a space behind the comma", "folded as by a mail program"]
)
def test_ordinary_addresses_cost_a_few_octets_each(entry: str) -> None:
    headers = parse_header_block(message_with(field_of("To", *ENTRIES[entry], count=1000)))

    assert most_added_bytes(headers, [HOST_NAME, MASQUERADE]) <= 8 * 1000


def within_the_limit(field: bytes, room_bytes: int) -> Sent:
    """A message that leaves so much room below the limit, as long as nobody writes its fields anew."""
    template = message_with(field).replace(b"Text.", FILL)
    return Sent(filled(template, SMALL_LIMIT_BYTES - ALLOWANCE_BYTES - room_bytes), SENDER, (RECIPIENT,))


@pytest.mark.parametrize(
    "field",
    [field_of("To", b"u%d", b",", 130), field_of("Cc", b"user%d@example.org", b",", 1000)],
    ids=["130 local names", "1,000 addresses without a space"],
)
def test_message_that_would_grow_over_the_limit_behind_us_is_intercepted(trial: Trial, field: bytes) -> None:
    exchange = hand_over(trial.lab.sendmail, within_the_limit(field, room_bytes=2000))

    assert exchange.ok
    (notice,) = trial.lab.ses.transactions
    assert b"X-Woomera-Id: " in notice.message


def test_message_that_stays_within_the_limit_whatever_sendmail_adds_passes(trial: Trial) -> None:
    sent = within_the_limit(field_of("To", b"user%d@example.org", b", ", 100), room_bytes=1000)
    exchange = hand_over(trial.lab.sendmail, sent)

    assert exchange.ok
    (relayed,) = trial.lab.ses.transactions
    assert b"X-Woomera-Id: " not in relayed.message
    assert len(relayed.message) <= SMALL_LIMIT_BYTES


@pytest.fixture
def long_name_trial(make_trial: MakeTrial) -> Trial:
    return make_trial(max_headers_length=1_000_000, extra_mc=f"define(`confDOMAIN_NAME', `{LONG_NAME}')dnl\n")


@pytest.mark.parametrize(
    "field",
    [
        field_of("To", b"user%d", b",", 3000),
        field_of("To", b"user%d@localhost", b", ", 3000),
        field_of("Cc", "ü <user%d@example.org>".encode(), b",", 1300),
    ],
    ids=["3,000 names", "3,000 at localhost", "30 KB in 8 bits"],
)
def test_notice_is_small_whatever_sendmail_makes_of_its_address_fields(
    long_name_trial: Trial, field: bytes
) -> None:
    exchange = hand_over(long_name_trial.lab.sendmail, within_the_limit(field, room_bytes=-2000))

    assert exchange.ok
    (transaction,) = long_name_trial.lab.ses.accepted
    notice = read_notice(transaction.message)  # under 100 KB, among others
    name = field.partition(b":")[0].decode().lower()
    (shown,) = [value for each, value in notice.fields if each == name]
    assert b" more:;" in shown
    assert b"user0" in shown
