"""Who gets the notice: every recipient, by whatever way, and nobody learns of a hidden one."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rig.jobs import run_argv
from rig.lab import Lab
from rig.mail import messages
from rig.mta.filters import RecipientFilter
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.promises.bucket import Bucket
from rig.promises.checker import Aftermath, Sent, check, comparable
from rig.promises.notices import WOOMERA_ID, header_fields
from rig.promises.stored import check_nothing_else_stored
from rig.servers.s3 import Juicefs
from rig.servers.ses import Transaction
from rig.trial import Plain, Trial, hand_over
from tests.sendmail.cases import OVER_BYTES
from tests.sendmail.conftest import SMALL_LIMIT, MakeTrial
from woomera_milter.errors import EX_CONFIG

SENDER, RECIPIENT, HIDDEN = "sender@example.com", "recipient@example.org", "hidden@example.net"
LOCAL_USER = "daemon"
ALIASES = {"root": "ops@example.org", "staff": LOCAL_USER}
# A mailer without $u in its arguments would be taken for one that speaks SMTP.
_TO_A_FILE = "dd of=../mailbox-$u oflag=append conv=notrunc status=none"
LOCAL_MAILBOX = f"""\
define(`LOCAL_MAILER_PATH', `/bin/dd')dnl
define(`LOCAL_MAILER_ARGS', `{_TO_A_FILE}')dnl
define(`LOCAL_MAILER_FLAGS', `lsDFMPhn9')dnl
MAILER_DEFINITIONS
Mfax, P=/bin/dd, F=lsDFMPhn9, S=EnvFromL/HdrFromL, R=EnvToL/HdrToL, A={_TO_A_FILE}
LOCAL_RULE_0
R$* < @ fax.example $* > $*\t$#fax $@ fax $: $1
divert(0)dnl
"""
"""Mail for users of this host, and for the fax machine, goes to a file for each in sendmail's folder."""


@pytest.fixture(scope="module")
def local_lab(s3: Juicefs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("local-lab")
    with Lab(folder, s3, configuration=SMALL_LIMIT, aliases=ALIASES, extra_mc=LOCAL_MAILBOX) as lab:
        yield lab


@pytest.fixture(scope="module")
def local_plain() -> Iterator[Plain]:
    with Plain(ALIASES, extra_mc=LOCAL_MAILBOX) as plain:
        yield plain


@pytest.fixture
def local_trial(local_lab: Lab, bucket: Bucket, local_plain: Plain) -> Trial:
    for sendmail in (local_lab.sendmail, local_plain.sendmail):
        for mailbox in mailboxes(sendmail):
            mailbox.unlink()
    return Trial(local_lab, bucket, local_plain)


def mailboxes(sendmail: Sendmail) -> list[Path]:
    return sorted(sendmail.folder.glob("mailbox-*"))


def delivered_here(sendmail: Sendmail) -> list[Transaction]:
    """What the mailboxes of this host got, in a form that can be compared with another sendmail's."""
    return [
        Transaction(SENDER, (path.name,), path.read_bytes().replace(b"\n", b"\r\n"), "250")
        for path in mailboxes(sendmail)
    ]


def over_limit(*, extra_headers: bytes = b"") -> bytes:
    return messages.message(OVER_BYTES, extra_headers=extra_headers)


@pytest.mark.parametrize("name", ["Bcc", "Resent-Bcc", "bcc", "BCC "])
def test_bcc_recipient_receives_the_notice_and_is_shown_to_nobody(trial: Trial, name: str) -> None:
    message = over_limit(extra_headers=f"{name}: {HIDDEN},\r\n\tanother@example.net\r\n".encode())

    found = trial.intercepts(Sent(message, SENDER, (RECIPIENT, HIDDEN)))

    assert HIDDEN.encode() not in found.notice.octets
    assert HIDDEN not in found.notice.text + found.notice.html
    assert HIDDEN.encode() not in trial.bucket.read(found.stored.folder + "message.eml")


def test_a_line_of_the_body_that_looks_like_bcc_stays(trial: Trial) -> None:
    message = over_limit() + b"Bcc: not a header\r\n"

    trial.intercepts(Sent(message, SENDER, (RECIPIENT,)))


def test_bcc_of_a_message_within_the_limit_is_sendmails_business(trial: Trial) -> None:
    message = messages.message(extra_headers=f"Bcc: {HIDDEN}\r\n".encode())

    trial.passes(Sent(message, SENDER, (RECIPIENT, HIDDEN)))


def test_60_recipients_get_one_notice_each_in_transactions_that_ses_takes(trial: Trial) -> None:
    recipients = tuple(f"recipient{number}@example.org" for number in range(60))

    found = trial.intercepts(Sent(over_limit(), SENDER, recipients))

    check_nothing_else_stored(trial.bucket, [found.stored])


def test_recipient_named_twice_gets_one_notice(trial: Trial) -> None:
    sent = Sent(over_limit(), SENDER, (RECIPIENT, "other@example.org", RECIPIENT))

    trial.intercepts(sent)


def test_recipient_that_sendmail_refuses_does_not_keep_the_others_from_theirs(trial: Trial) -> None:
    trial.intercepts(Sent(over_limit(), SENDER, ("no.such.user", RECIPIENT)))


def test_recipient_whom_a_later_filter_refuses_is_not_written_to_by_resend(make_trial: MakeTrial) -> None:
    with RecipientFilter(refused="refused@example.org") as later:
        lab = make_trial(filters_after=[later.socket]).lab
        sent = Sent(over_limit(), SENDER, ("refused@example.org", RECIPIENT))
        exchange = hand_over(lab.sendmail, sent)

    assert exchange.ok
    assert [reply.code for reply in exchange.recipients] == [550, 250]
    assert [it.recipients for it in lab.ses.accepted] == [(RECIPIENT,)]
    (sidecar,) = run_argv(lab.milter.command_line("list", "--json")).document
    assert sidecar["recipients_refused"] == 1
    assert "(1 of them refused)" in run_argv(lab.milter.command_line("list")).stdout
    to_all = run_argv(lab.milter.command_line("resend", sidecar["id"], "--dry-run"))
    assert to_all.status == EX_CONFIG
    assert "1 of the 2 recipients" in to_all.stderr
    assert "give --to and one of" in to_all.stderr
    to_one = run_argv(lab.milter.command_line("resend", sidecar["id"], "--dry-run", "--to", RECIPIENT))
    assert f"would go to {RECIPIENT}" in to_one.stdout


@pytest.mark.parametrize("message", [messages.message(), over_limit()], ids=["small", "over"])
def test_success_notification_is_the_same_with_and_without_us(
    trial: Trial, plain: Plain, message: bytes
) -> None:
    sent = Sent(message, SENDER, (RECIPIENT,))
    small = Sent(messages.message(), SENDER, (RECIPIENT,))
    without_us = plain.relays(small, mail_parameters="RET=HDRS ENVID=rig", rcpt_parameters="NOTIFY=SUCCESS")

    exchange = hand_over(
        trial.lab.sendmail, sent, mail_parameters="RET=HDRS ENVID=rig", rcpt_parameters="NOTIFY=SUCCESS"
    )

    aftermath = trial.aftermath(exchange)
    mail = [it for it in aftermath.accepted if it.envelope_sender != MAILER_DAEMON]
    check(sent, Aftermath(exchange, mail, aftermath.refused, aftermath.queue_ids), trial.bucket, trial.limits)
    assert report(aftermath.accepted) == report(without_us)


def report(transactions: Sequence[Transaction]) -> tuple[tuple[str, ...], bytes]:
    """Who gets the delivery status notification, and what it says (RFC 3464), without the mail's headers."""
    own = [it for it in comparable(transactions) if it[0] == MAILER_DAEMON]
    assert len(own) == 1
    _, recipients, octets, _ = own[0]
    return recipients, octets[: octets.index(b"Content-Type: text/rfc822-headers")]


def test_over_limit_mail_for_a_user_of_this_host_is_delivered_untouched(local_trial: Trial) -> None:
    sent = Sent(over_limit(), SENDER, (LOCAL_USER,))

    local_trial.passes(sent)

    assert_delivered_alike(local_trial)


def test_over_limit_mail_for_an_alias_of_a_user_of_this_host_is_delivered_untouched(
    local_trial: Trial,
) -> None:
    local_trial.passes(Sent(over_limit(), SENDER, ("staff", LOCAL_USER)))

    assert_delivered_alike(local_trial)


def test_over_limit_mail_for_a_mailer_that_is_not_the_relays_is_delivered_untouched(
    local_trial: Trial,
) -> None:
    local_trial.passes(Sent(over_limit(), SENDER, ("5551234@fax.example",)))

    assert_delivered_alike(local_trial)


def assert_delivered_alike(trial: Trial) -> None:
    """The mailbox of this host holds what it would hold without us, and the bucket nothing."""
    assert trial.plain is not None
    assert comparable(delivered_here(trial.lab.sendmail)) == comparable(delivered_here(trial.plain.sendmail))
    check_nothing_else_stored(trial.bucket, [])


def test_over_limit_mail_for_an_alias_that_leads_outside_is_intercepted(local_trial: Trial) -> None:
    local_trial.intercepts(Sent(over_limit(), SENDER, ("root",)), relayed_to=["ops@example.org"])


@pytest.mark.parametrize("local", [LOCAL_USER, "staff", "5551234@fax.example"])
def test_recipients_here_and_outside_all_get_the_notice(local_trial: Trial, local: str) -> None:
    found = local_trial.intercepts(Sent(over_limit(), SENDER, (local, RECIPIENT)), relayed_to=[RECIPIENT])

    here = delivered_here(local_trial.lab.sendmail)[0].message
    assert dict(header_fields(here))[WOOMERA_ID].strip().decode() == found.notice.id
    assert len(here) < 100 * 1024


def test_with_an_empty_list_of_mailers_mail_for_this_host_is_intercepted_too(make_trial: MakeTrial) -> None:
    trial = make_trial({"milter": {"mailers": []}}, extra_mc=LOCAL_MAILBOX)

    exchange = hand_over(trial.lab.sendmail, Sent(over_limit(), SENDER, (LOCAL_USER,)))

    assert exchange.ok
    here = delivered_here(trial.lab.sendmail)[0].message
    woomera_id = dict(header_fields(here))[WOOMERA_ID].strip().decode()
    assert [key for key in trial.bucket.list_keys() if f"/{woomera_id}/message.eml" in key]
