"""The one checker of the promises: tests, demo and chaos hold what happened to a message against it.

A trial of a message runs like this (`rig.trial.Trial` does it):

    sent = Sent(message, "sender@example.com", ("recipient@example.org",))
    exchange = client.send(...)                     # what the client heard; None: the connection broke
    sendmail.flush_queue()
    aftermath = Aftermath(exchange, ses.accepted, ses.refused, sendmail.queue_ids())
    interception = check(sent, aftermath, bucket, Limits(limit_bytes), without_us=...)

`check` raises BrokenPromise, whose text is the sentence for the failed test. Where the message was
intercepted it returns what it found: the notice, and what is stored.

What is *not* its business: which reply a failure gets, and whether objects of an attempt that failed stay in
the bucket (they may: the lifecycle removes them).
"""

import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

from rig.mail.messages import MB, measured_size
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.mta.smtp import Exchange
from rig.promises.bucket import Bucket
from rig.promises.notices import (
    WOOMERA_ID,
    BrokenPromise,
    Notice,
    check_kept_headers,
    check_markup,
    header_fields,
    read_notice,
    require,
)
from rig.promises.stored import StoredMessage, as_stored, check_stored
from rig.servers.ses import Transaction

__all__ = ["Aftermath", "BrokenPromise", "Interception", "Limits", "Sent", "check", "comparable"]

_QUEUE_ID = re.compile(rb"\b[0-9A-Za-x]{8}\d{6,7}\b")
_DATE = re.compile(rb"\w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d (?:GMT|[+-]\d{4}(?: \(\w+\))?)")
_STAMP = re.compile(rb"\b\d{12}\.QUEUE-ID\b|QUEUE-ID\.\d{10}\b")


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as the client handed it over."""

    message: bytes = field(repr=False)
    envelope_sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What came of one message, once sendmail's queue had been flushed. `exchange` None: no reply came."""

    exchange: Exchange | None
    accepted: Sequence[Transaction]
    refused: Sequence[Transaction]
    queue_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Limits:
    """`limit` and `milter.allowance` of the configuration; `is_over` is the contract's definition."""

    limit_bytes: int = 10 * MB
    allowance_bytes: int = 2048

    def is_over(self, message: bytes) -> bool:
        """Tell whether the message is over the limit by its measured size."""
        return measured_size(message) + self.allowance_bytes > self.limit_bytes


@dataclass(frozen=True, slots=True)
class Interception:
    """What a message was replaced by, and what is stored of it."""

    notice: Notice
    stored: StoredMessage


def check(
    sent: Sent,
    aftermath: Aftermath,
    bucket: Bucket,
    limits: Limits,
    *,
    without_us: Sequence[Transaction] | None = None,
    intercepted: bool | None = None,
    stored: bytes | None = None,
    relayed_to: Sequence[str] | None = None,
    without_page: Container[str] = (),
) -> Interception | None:
    """Hold one message's aftermath against promises 1 to 6; raise BrokenPromise.

    `without_us`: what a sendmail without the milter handed to SES of the same message; where it is not given,
    what passes is held to reaching SES with its body unchanged. `intercepted`: what should have happened, if
    the message's size alone does not tell (mail that stays on the host, say). `stored`: what the .eml must
    be, where the milter protocol does not show us all octets. `relayed_to`: the recipients that SES should
    see, where aliases lead elsewhere or mailboxes are on the host. `without_page`: ids of the messages whose
    page the milter has logged as missing, though S3 may hold it: its reply may have been lost.
    """
    if aftermath.exchange is None and not aftermath.accepted:
        return None  # no reply: the client keeps the message and sends it again
    if aftermath.exchange is not None and not aftermath.exchange.ok:
        _check_kept_by_client(aftermath)
        return None
    require(not aftermath.queue_ids, f"mail is left in the queue: {aftermath.queue_ids}")
    if intercepted is None:
        intercepted = limits.is_over(sent.message)
    if without_us is None or intercepted:
        _check_one_each(sent, aftermath, relayed_to)
    if intercepted:
        octets = stored or as_stored(sent.message)
        return _check_intercepted(sent, aftermath, bucket, limits, octets, without_page)
    _check_unmarked(aftermath)
    if without_us is None:
        _check_body(sent, aftermath)
    else:
        _check_same(aftermath, without_us)
    return None


def comparable(transactions: Sequence[Transaction]) -> list[tuple[str, tuple[str, ...], bytes, str]]:
    """Return transactions without what differs from one run of sendmail to the next, in a fixed order.

    That is queue ids, dates and ids in header fields, which sendmail adds; of its own mail in the
    body as well.
    """
    return sorted(
        (it.envelope_sender, tuple(sorted(it.recipients)), _without_chance(it), it.reply[:3])
        for it in transactions
    )


def _without_chance(transaction: Transaction) -> bytes:
    message = transaction.message
    end = message.find(b"\r\n\r\n") if transaction.envelope_sender != MAILER_DAEMON else len(message)
    changeable = _QUEUE_ID.sub(b"QUEUE-ID", _DATE.sub(b"DATE", message[:end]))
    return _STAMP.sub(b"STAMP", changeable) + message[end:]


def _check_kept_by_client(aftermath: Aftermath) -> None:
    assert aftermath.exchange is not None
    heard = aftermath.exchange.last
    require(400 <= heard.code < 600, f"the client heard {heard}, neither an acceptance nor a refusal")
    reached = len(aftermath.accepted) + len(aftermath.refused)
    require(reached == 0, f"the client heard {heard}, yet {reached} messages were handed to SES")
    require(not aftermath.queue_ids, f"the client heard {heard}, yet mail is queued: {aftermath.queue_ids}")


def _check_one_each(sent: Sent, aftermath: Aftermath, relayed_to: Sequence[str] | None) -> None:
    require(not aftermath.refused, f"SES refused: {[it.reply for it in aftermath.refused]}")
    received = Counter(recipient for it in aftermath.accepted for recipient in it.recipients)
    expected = set(_taken(sent, aftermath) if relayed_to is None else relayed_to)
    require(
        received == Counter(expected),
        f"{sorted(expected)} should have received one message each; SES got {dict(received)}",
    )
    senders = {it.envelope_sender for it in aftermath.accepted}
    require(senders <= {sent.envelope_sender or MAILER_DAEMON}, f"the envelope sender became {senders}")


def _taken(sent: Sent, aftermath: Aftermath) -> list[str]:
    """Return the recipients that sendmail did not refuse."""
    if aftermath.exchange is None:
        return list(sent.recipients)
    replies = aftermath.exchange.recipients
    return [recipient for recipient, reply in zip(sent.recipients, replies, strict=True) if reply.ok]


def _check_unmarked(aftermath: Aftermath) -> None:
    for transaction in (*aftermath.accepted, *aftermath.refused):
        names = {name for name, _ in header_fields(transaction.message)}
        require(WOOMERA_ID not in names, "a message that should pass was marked with an X-Woomera-Id")


def _check_body(sent: Sent, aftermath: Aftermath) -> None:
    body = as_stored(sent.message).partition(b"\r\n\r\n")[2]
    unchanged = all(it.message.endswith(body) for it in aftermath.accepted)
    require(unchanged, "the body of a message that should pass was changed")


def _check_same(aftermath: Aftermath, without_us: Sequence[Transaction]) -> None:
    with_us = comparable([*aftermath.accepted, *aftermath.refused])
    for ours, plain in zip_longest(with_us, comparable(without_us)):
        if ours != plain:
            one, other = repr(ours), repr(plain)
            at = next((at for at, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), 0)
            raise BrokenPromise(
                "a message that should pass was not relayed as sendmail relays it without the milter: "
                f"...{one[max(0, at - 40) : at + 80]} instead of ...{other[at : at + 80]}"
            )


def _check_intercepted(
    sent: Sent,
    aftermath: Aftermath,
    bucket: Bucket,
    limits: Limits,
    octets: bytes,
    without_page: Container[str],
) -> Interception:
    notices = [read_notice(it.message) for it in aftermath.accepted]
    require(bool(notices), "no notice reached SES")
    notice = notices[0]
    for each in notices:
        same = (each.id, each.text, each.html) == (notice.id, notice.text, notice.html)
        require(same, "the recipients of one message got different notices")
        check_kept_headers(octets, each)
    stored = check_stored(
        bucket,
        notice.id,
        octets,
        queue_id="" if aftermath.exchange is None else aftermath.exchange.queue_id,
        envelope_sender=sent.envelope_sender,
        recipients=_taken(sent, aftermath),
    )
    _check_link(notice, stored, octets, is_page_linked=notice.id not in without_page)
    _check_facts(notice, stored, limits)
    return Interception(notice, stored)


def _check_link(notice: Notice, stored: StoredMessage, octets: bytes, *, is_page_linked: bool) -> None:
    """Open the links as a stranger does, with nothing but what stands in the notice."""
    links = {
        urllib.parse.unquote(urllib.parse.urlsplit(link).path).lstrip("/"): link for link in notice.links
    }
    by_key = {key: link for path, link in links.items() for key in stored.keys if path.endswith(f"/{key}")}
    page, message = stored.folder + "index.html", stored.folder + "message.eml"
    order = [page, message] if page in stored.keys and is_page_linked else [message]
    require(list(by_key)[: len(order)] == order, f"the notice's first links lead to {list(by_key)[:2]}")
    require(
        len(by_key) == len(notice.links),
        "a link of the notice does not lead to what is stored of the message",
    )
    sizes = {it["key"]: it["size_bytes"] for it in stored.sidecar["attachments"]}
    for key, link in by_key.items():
        _check_end(link, notice, stored)
        if key in sizes:
            _check_attachment_link(link, sizes[key])
    with urllib.request.urlopen(by_key[message], timeout=60) as reply:
        require(reply.read() == octets, "the link does not give the stored message")
        content_type, disposition = reply.headers["Content-Type"], reply.headers["Content-Disposition"] or ""
    require(content_type == "message/rfc822", f"the link's content type is {content_type}")
    is_file = disposition.startswith("attachment; filename") and ".eml" in disposition
    require(is_file, f"the link's content disposition is {disposition!r}")


def _check_attachment_link(link: str, size_bytes: int) -> None:
    with urllib.request.urlopen(link, timeout=60) as reply:
        length, disposition = len(reply.read()), reply.headers["Content-Disposition"] or ""
    require(length == size_bytes, f"the link of an attachment of {size_bytes} octets gives {length}")
    require(disposition.startswith("attachment; "), f"an attachment's content disposition is {disposition!r}")


def _check_end(link: str, notice: Notice, stored: StoredMessage) -> None:
    ends_at, named = stored.links_expire_at, notice.links_end_at
    about_same = named <= ends_at < named + timedelta(minutes=1)
    require(about_same, f"the notice says that the links end at {named}, the sidecar at {ends_at}")
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(link).query))
    signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    signed_end = signed_at + timedelta(seconds=int(query["X-Amz-Expires"]))
    require(signed_end == ends_at, f"the link works until {signed_end}, but the sidecar says {ends_at}")


def _check_facts(notice: Notice, stored: StoredMessage, limits: Limits) -> None:
    sidecar = stored.sidecar
    require(notice.names_size(sidecar["size_bytes"]), "the notice does not name the message's size")
    require(notice.names_size(limits.limit_bytes), "the notice does not name the limit")
    sender = sidecar["header_from"] or sidecar["envelope_sender"]
    require(_shown(sender) in notice.text, f"the notice does not name the sender {sender!r}")
    require("OPEN THE .EML" in notice.text.upper(), "the notice does not say how to open an .eml")
    for attachment in sidecar["attachments"]:
        name, size_bytes = attachment["name"], attachment["size_bytes"]
        require(_shown(name) in notice.text, f"the notice does not name the attachment {name!r}")
        require(notice.names_size(size_bytes), f"the notice does not name {name!r}'s size, {size_bytes}")
    check_markup(notice, {*notice.links, "mailto:postmaster@example.com"})


def _shown(text: str) -> str:
    """Return what must be seen of a sender's words: the notice may cut them, and breaks links in them."""
    return " ".join(text.split())[:200].partition("://")[0]
