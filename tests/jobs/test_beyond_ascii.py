"""Addresses beyond ASCII (RFC 6531): found however they are written, served where that can be."""

from collections.abc import Iterator

import pytest

from rig.jobs import Jobs, over_limit, text_of
from rig.servers.ses import Ses

JOERG, WANG, ANN = "jörg@example.org", "王@例子.公司", "ann@example.org"
BOOKS, BOOKS_IN_ASCII = "a@bücher.example", "a@xn--bcher-kva.example"
SENDER = "absender@straße.example"


@pytest.fixture
def relay() -> Iterator[Ses]:
    """A mail server that takes SMTPUTF8."""
    with Ses(smtputf8=True) as relay:
        yield relay


def use(jobs: Jobs, server: Ses, **sections: object) -> None:
    jobs.ses = server
    jobs.configure(mail={"host": server.host, "port": server.port}, **sections)


@pytest.fixture
def archived(jobs: Jobs) -> str:
    """A copy for recipients of all kinds; its key."""
    return jobs.archive("a", over_limit(), recipients=[JOERG, BOOKS, ANN], envelope_sender=SENDER)


def test_sweep_serves_whom_it_can_and_names_the_others_until_a_relay_takes_them(
    archived: str, jobs: Jobs, relay: Ses
) -> None:
    swept = jobs.run("sweep", "--json")

    [failed] = swept.document["failed"]
    assert (swept.status, failed["key"]) == (1, archived)
    assert f"{JOERG}: the address has characters beyond ASCII before its @" in failed["reason"]
    assert "does not take SMTPUTF8; set mail.host to a server that does" in failed["reason"]
    [sent] = jobs.ses.transactions
    assert sent.envelope_sender == "absender@xn--strae-oqa.example"
    assert sent.recipients == (BOOKS_IN_ASCII, ANN)

    use(jobs, relay)
    jobs.sweep()

    assert [it.recipients for it in relay.transactions] == [(JOERG,)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--recipient", "bücher"),
        ("--recipient", "A@BÜCHER.example"),
        ("--recipient", BOOKS_IN_ASCII),
        ("--recipient", "JÖRG@"),
        ("--recipient", "jo\u0308rg@example.org"),
        ("--sender", "STRAẞE"),
        ("--sender", "xn--strae-oqa.example"),
        ("--sender", "absender@straße.example", "--recipient", "jörg"),
    ],
)
def test_message_is_found_however_its_addresses_are_written(
    arguments: tuple[str, ...], archived: str, jobs: Jobs
) -> None:
    jobs.run("sweep")

    assert [it["recipients"] for it in jobs.run("list", "--json", *arguments).document] == [
        [JOERG, BOOKS, ANN]
    ]
    assert f"<{SENDER}> -> {JOERG}, {BOOKS}, {ANN}" in jobs.run("list", *arguments).stdout


def test_address_of_another_domain_finds_nothing(archived: str, jobs: Jobs) -> None:
    jobs.run("sweep")

    assert jobs.run("list", "--json", "--sender", "strasse.example").document == []


def test_resend_goes_to_one_recipient_in_whatever_form_he_is_named(
    archived: str, jobs: Jobs, relay: Ses
) -> None:
    jobs.run("sweep")
    jobs.ses.clear()
    [sidecar] = jobs.run("list", "--json").document

    assert jobs.run("resend", sidecar["id"], "--to", BOOKS_IN_ASCII).status == 0
    refused = jobs.run("resend", sidecar["id"], "--to", JOERG)
    [sent] = jobs.ses.transactions
    use(jobs, relay)
    resent = jobs.run("resend", sidecar["id"], "--to", "Jörg@example.org", "--json").document

    assert sent.recipients == (BOOKS_IN_ASCII,)
    assert refused.status == 1
    assert f"failed for {JOERG}: the address has characters beyond ASCII" in refused.stdout
    assert resent["to"] == [JOERG]
    assert [it.recipients for it in relay.transactions] == [(JOERG,)]
    [sidecar] = jobs.run("list", "--json").document
    assert [it["to"] for it in sidecar["resent"]] == [[BOOKS], [JOERG]]


@pytest.fixture
def by_joerg(jobs: Jobs) -> Jobs:
    """A copy whose sender SES does not take, and a sweep that has failed for it."""
    jobs.archive("a", over_limit(sender=JOERG), recipients=[ANN], envelope_sender=JOERG)
    [failed] = jobs.run("sweep", "--json").document["failed"]
    assert "the sender's address has characters beyond ASCII" in failed["reason"]
    assert failed["reason"].endswith("set sweep.sender")
    assert jobs.ses.transactions == []
    return jobs


def test_notice_of_a_sender_beyond_ascii_goes_out_from_another(by_joerg: Jobs) -> None:
    by_joerg.configure(sweep={"lease": "1s", "sender": "woomera@example.com"})

    by_joerg.sweep()

    [sent] = by_joerg.ses.accepted
    assert (sent.envelope_sender, sent.recipients) == ("woomera@example.com", (ANN,))
    [notice] = by_joerg.notices
    assert notice["From"] == "<woomera@example.com>"
    assert JOERG in text_of(notice)


def test_notice_of_a_sender_beyond_ascii_goes_out_where_the_relay_takes_it(
    by_joerg: Jobs, relay: Ses
) -> None:
    use(by_joerg, relay)

    by_joerg.sweep()

    [sent] = relay.accepted
    assert (sent.envelope_sender, sent.recipients) == (JOERG, (ANN,))


def test_recipients_in_a_header_of_utf_8_are_read(jobs: Jobs, relay: Ses) -> None:
    use(jobs, relay)
    jobs.put("archive/b.eml", over_limit(to=[f"王 <{WANG}>", BOOKS, BOOKS_IN_ASCII]))

    jobs.sweep()

    [sidecar] = jobs.run("list", "--json").document
    assert sidecar["recipients"] == [WANG, BOOKS]
    assert [it.recipients for it in relay.accepted] == [(BOOKS_IN_ASCII,), ("王@xn--fsqu00a.xn--55qx5d",)]
