"""Messages sent through a lab, each held against the promises by what the whole lab shows of it."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from rig.lab import Lab
from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from rig.mta.smtp import Exchange, Reply, SmtpClient
from rig.promises.bucket import Bucket
from rig.promises.checker import Aftermath, Interception, Limits, Sent, check
from rig.promises.notices import require
from rig.running import Running
from rig.servers.ses import Ses, Transaction
from woomera_milter import config


class Plain(Running):
    """A sendmail without the milter and an SES of its own: what would have been relayed without us."""

    def __init__(self, aliases: Mapping[str, str] | None = None, **sendmail_settings: Any) -> None:
        """Take what the lab's sendmail has but for the milter: the two are compared."""
        self.ses = Ses()
        self.sendmail = Sendmail(Settings(relay_port=self.ses.port, **sendmail_settings), aliases)

    def relays(self, sent: Sent, **parameters: str) -> list[Transaction]:
        """Return what it hands to SES of this message, refused too; `parameters` as for SmtpClient.send."""
        self.ses.clear()
        hand_over(self.sendmail, sent, **parameters)
        if self.sendmail.queue_ids():
            self.sendmail.flush_queue()
        return [*self.ses.accepted, *self.ses.refused]

    def _start(self, stack: ExitStack) -> None:
        stack.callback(self.sendmail.close)
        stack.enter_context(self.ses)
        self.sendmail.start()


class Trial:
    """Sends messages through `lab`, one after the other, and holds what comes of each against the promises.

    `passes`, `intercepts` and `refuses` say what should happen. A test that talks SMTP itself calls `judge`
    with what it heard.
    """

    def __init__(self, lab: Lab, bucket: Bucket, plain: Plain | None = None) -> None:
        """Start with an empty bucket and an SES that has heard nothing."""
        self.lab = lab
        self.bucket = bucket
        self.plain = plain
        self.limits = _limits_of(lab)
        bucket.clear()
        lab.ses.clear()

    def passes(self, sent: Sent, **parameters: str) -> None:
        """Send what should be relayed as if we were not there; `parameters` as for SmtpClient.send."""
        without_us = None if self.plain is None else self.plain.relays(sent, **parameters)
        exchange = hand_over(self.lab.sendmail, sent, **parameters)
        require(exchange.ok, f"a message that should pass was answered {exchange.last}")
        check(
            sent, self.aftermath(exchange), self.bucket, self.limits, without_us=without_us, intercepted=False
        )
        self.lab.ses.clear()

    def intercepts(
        self,
        sent: Sent,
        *,
        stored: bytes | None = None,
        relayed_to: Sequence[str] | None = None,
        **parameters: str,
    ) -> Interception:
        """Send what should be replaced by a notice; `stored` and `relayed_to` as for `checker.check`."""
        exchange = hand_over(self.lab.sendmail, sent, **parameters)
        require(exchange.ok, f"a message that should be intercepted was answered {exchange.last}")
        aftermath = self.aftermath(exchange)
        found = check(
            sent,
            aftermath,
            self.bucket,
            self.limits,
            intercepted=True,
            stored=stored,
            relayed_to=relayed_to,
        )
        assert found is not None
        self.lab.ses.clear()
        return found

    def refuses(self, sent: Sent, **parameters: str) -> Reply:
        """Send what should be refused, so that the client keeps it; return the refusal."""
        exchange = hand_over(self.lab.sendmail, sent, **parameters)
        require(not exchange.ok, "a message that should be refused was taken")
        self.judge(sent, exchange)
        return exchange.last

    def judge(self, sent: Sent, exchange: Exchange | None) -> Interception | None:
        """Check the message, which must be all that SES got since it was cleared; clear it for the next.

        What should have happened follows from the reply and the message's size; `exchange` None: the
        connection broke before a reply came.
        """
        found = check(sent, self.aftermath(exchange), self.bucket, self.limits)
        self.lab.ses.clear()
        return found

    def aftermath(self, exchange: Exchange | None) -> Aftermath:
        """Flush the queue, then return what SES got since it was last cleared, and what is left."""
        sendmail, ses = self.lab.sendmail, self.lab.ses
        if sendmail.queue_ids():
            sendmail.flush_queue()
        return Aftermath(exchange, ses.accepted, ses.refused, sendmail.queue_ids())


def hand_over(sendmail: Sendmail, sent: Sent, **parameters: str) -> Exchange:
    """Send one message on a connection of its own; `parameters` as for SmtpClient.send."""
    with SmtpClient(sendmail.smtp_port) as client:
        return client.send(
            sent.message, sender=sent.envelope_sender, recipients=sent.recipients, **parameters
        )


def _limits_of(lab: Lab) -> Limits:
    configuration = config.load(lab.milter.config_path)
    return Limits(configuration.limit, configuration.milter.allowance)
