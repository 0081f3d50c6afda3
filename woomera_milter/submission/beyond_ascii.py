"""Addresses beyond ASCII (RFC 6531): the form in which each goes out, and whether a server takes it.

A domain has an ASCII form, which every server takes. A local-part has none, and needs SMTPUTF8, which Amazon
SES has neither by SMTP nor by its API (SES API v2 reference, Destination).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from woomera_milter.submission.answers import Answer, ReplyKind
from woomera_milter.text.address_forms import with_ascii_domain

MAX_LOCAL_PART_OCTETS = 64  # RFC 5321 section 4.5.3.1.1

# RFC 5321 section 4.1.2, but that dots may come doubled or last in a local-part, as they do; RFC 6531
# section 3.3 adds what is beyond ASCII. U+FFFD stands where octets were none of UTF-8.
_BEYOND_ASCII = r"[^\x00-\xa0\s\ufffd\ud800-\udfff]"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]"
_MAILBOX = re.compile(
    rf'(?:(?:{_ATEXT}|{_BEYOND_ASCII}){{1,64}}|"(?:[ !#-\[\]-~]|{_BEYOND_ASCII}|\\[ -~]){{1,64}}")'
    r"@(?:[A-Za-z0-9._-]{1,255}|\[[!-Z^-~]{1,255}\])"
)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A transaction's addresses: `recipients` in the form that goes out, by the one that they are known by.

    `refused` are those whom this server cannot serve.
    """

    envelope_sender: str
    recipients: Mapping[str, str]
    refused: dict[str, Answer]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether any address that goes out has no ASCII form."""
        return not "".join([self.envelope_sender, *self.recipients.values()]).isascii()


def form_of(address: str) -> str | None:
    """Return the form in which the address goes out, ASCII where there is one; None where SMTP has none."""
    form = with_ascii_domain(address)
    if form is None or not _MAILBOX.fullmatch(form):
        return None
    local_part = form.rpartition("@")[0].strip('"')
    return form if len(local_part.encode()) <= MAX_LOCAL_PART_OCTETS else None


def needs_smtputf8(address: str) -> bool:
    """Tell whether the address has no ASCII form."""
    return not (form_of(address) or "").isascii()


def outgoing(
    envelope_sender: str, recipients: Sequence[str], server: str, *, takes_smtputf8: bool = False
) -> Outgoing:
    """Return what `server` is told of these addresses, each of which has a form, or is the null sender."""
    sender = form_of(envelope_sender) or ""
    forms = {it: form_of(it) or it for it in recipients}
    if takes_smtputf8:
        return Outgoing(sender, forms, {})
    if not sender.isascii():
        answer = _refusal("the sender's address", server, "set sweep.sender")
        return Outgoing(sender, {}, dict.fromkeys(recipients, answer))
    answer = _refusal("the address", server, "set mail.host to a server that does, or forward it by hand")
    refused = {it: answer for it, form in forms.items() if not form.isascii()}
    return Outgoing(sender, {it: form for it, form in forms.items() if it not in refused}, refused)


def _refusal(what: str, server: str, remedy: str) -> Answer:
    problem = f"{what} has characters beyond ASCII before its @, and {server} does not take SMTPUTF8"
    return Answer.of(ReplyKind.REFUSED, f"{problem}; {remedy}")
