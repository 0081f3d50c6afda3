"""What `woomera check` says of Amazon SES: may the account send, how much, and for whom?"""

from collections.abc import Iterable, Iterator

from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.errors import WoomeraError
from woomera_milter.submission.ses import Account, Ses

_NEARLY_ALL = 0.9


def look(ses: Ses, senders: Iterable[str]) -> Iterator[Finding]:
    """Yield what is to be said of SES; `senders` are addresses and domains from which this host sends."""
    account = ses.account()
    if account is None:
        yield _unseen("account", "ses:GetAccount")
    else:
        yield from _account(account, ses.name)
    for sender in senders:
        yield _sender(ses, sender)


def look_aside(ses: Ses, senders: Iterable[str]) -> Iterator[Finding]:
    """Yield the same for a host that sends by SMTP, which needs no credentials for SES's API."""
    try:
        yield from look(ses, senders)
    except WoomeraError as error:
        yield warning("SES", f"cannot be seen: {error.problem}", error.remedy)


def _account(account: Account, name: str) -> Iterator[Finding]:
    if not account.may_send:
        yield failure(
            "account", f"{name} sends nothing for it", "see the SES console for why sending is paused"
        )
    if account.in_sandbox:
        yield warning(
            "sandbox",
            f"{name} delivers to verified addresses only, and refuses all other mail",
            "ask for production access in the SES console",
        )
    else:
        yield passed("sandbox", f"none: {name} delivers to everybody")
    yield _quota(account)


def _quota(account: Account) -> Finding:
    if account.most_in_a_day < 0:  # SES API v2, SendQuota: -1 is no limit at all
        return passed("quota", "sends any number of messages a day")
    detail = (
        f"{account.sent_in_a_day:,.0f} of {account.most_in_a_day:,.0f} messages sent in 24 hours, "
        f"{account.most_a_second:,.0f} a second at most"
    )
    if account.sent_in_a_day > _NEARLY_ALL * account.most_in_a_day:
        return warning("quota", detail, "ask for a higher quota: beyond it SES refuses all mail for hours")
    return passed("quota", detail)


def _sender(ses: Ses, sender: str) -> Finding:
    """A verified domain serves its addresses and subdomains, too (SES guide, "Verified identities").

    The right to ask may be granted for one of them alone.
    """
    is_unseen = False
    for identity in _identities(sender):
        is_verified = ses.is_verified(identity)
        if is_verified:
            return passed(sender, f"SES sends for it, as {identity} is verified")
        is_unseen |= is_verified is None
    if is_unseen:
        return _unseen(sender, "ses:GetEmailIdentity")
    return failure(
        sender,
        f"SES refuses mail from it: neither it nor its domain is verified ({ses.name})",
        "verify the domain in the SES console",
    )


def _identities(sender: str) -> Iterator[str]:
    """Yield the identities that would do: the address, its domain, and those that are above it."""
    if "@" in sender:
        yield sender
    labels = sender.rpartition("@")[2].split(".")
    yield from (".".join(labels[at:]) for at in range(len(labels) - 1))


def _unseen(subject: str, right: str) -> Finding:
    return warning(
        subject, f"cannot be seen: {right} is missing", f"grant {right}, or look at it in the SES console"
    )
