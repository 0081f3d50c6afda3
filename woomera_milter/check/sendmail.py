"""What `woomera check` says of sendmail itself: does mail's way lead past our milter, and fit its links?"""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from woomera_milter import config
from woomera_milter.check import sendmail_cf
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.check.sendmail_cf import MailerLine, SendmailCf
from woomera_milter.config.names import is_loopback
from woomera_milter.config.values import format_duration, format_size

DEFAULT_CF = Path("/etc/mail/sendmail.cf")
SES_MAX_RECIPIENTS = 50  # SES quotas: "Maximum number of recipients per message"

# SES's own, dual-stack ones, and those of a VPC endpoint (AWS PrivateLink).
_SES_HOST = re.compile(
    r"(?:vpce-[a-z0-9-]+\.)?email-smtp(?:-fips)?\.([a-z0-9-]+)\."
    r"(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)",
    re.IGNORECASE,
)
_DEFAULT_PID_FILE = "/var/run/sendmail.pid"
_BUILD = "build sendmail.cf anew and restart sendmail"


def look(cf: SendmailCf, configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of the running sendmail.cf, its filters apart."""
    yield _running(cf)
    yield from _socket_is_reachable(cf, configuration.milter.socket)
    yield _sizes(cf, configuration.limit)
    yield _queue_return(cf, configuration.links.expires)
    yield from _relay(cf, configuration.milter.mailers)
    yield _submission(cf)


def ses_region(host: str) -> str | None:
    """Return the region of an SMTP endpoint of SES; None where `host` is another one."""
    found = _SES_HOST.fullmatch(host.rstrip("."))
    return found[1] if found else None


def _running(cf: SendmailCf) -> Finding:
    """sendmail reads its .cf when it starts, and writes its pid file anew each time."""
    pid_file = Path(cf.option("PidFile", _DEFAULT_PID_FILE))
    try:
        started_at = pid_file.stat().st_mtime
    except OSError:
        return warning(
            "sendmail.cf",
            f"whether sendmail runs with {cf.path} cannot be seen: no {pid_file} is in sight",
            "start sendmail, or name the file that it runs with by --sendmail-cf",
        )
    if started_at < cf.path.stat().st_mtime:
        return warning(
            "sendmail.cf",
            f"{cf.path} has changed since sendmail started, and means nothing yet",
            "restart it",
        )
    return passed("sendmail.cf", f"sendmail runs with {cf.path}")


def _socket_is_reachable(cf: SendmailCf, socket: str) -> Iterator[Finding]:
    """The milter's unix socket is open to its own user and root alone."""
    user = cf.option("RunAsUser")
    if user and socket.startswith("unix:"):
        yield warning(
            "RunAsUser",
            f"sendmail runs as {user}, and a unix socket is open to root and the milter's own user alone",
            f"have the milter run as {user} too, or use inet:8894@127.0.0.1",
        )


def _sizes(cf: SendmailCf, limit_bytes: int) -> Finding:
    subject, most = "MaxMessageSize", cf.max_message_bytes
    if most is None:
        return warning(
            subject,
            "sendmail takes messages of any size, so no spool is large enough for sure",
            f"define(`confMAX_MESSAGE_SIZE', `157286400') in sendmail.mc; {_BUILD}",
        )
    if most <= limit_bytes:
        return failure(
            subject,
            f"sendmail refuses what is above {format_size(most)} (552), so Woomera never sees mail over "
            f"limit, {format_size(limit_bytes)}",
            f"raise confMAX_MESSAGE_SIZE amply above it in sendmail.mc; {_BUILD}",
        )
    return passed(subject, f"sendmail takes messages up to {format_size(most)}")


def _queue_return(cf: SendmailCf, expires: timedelta) -> Finding:
    subject = "queue return"
    longest, links = format_duration(cf.queue_return), format_duration(expires)
    if cf.queue_return >= expires:
        return warning(
            subject,
            f"a notice may wait in the queue for {longest}, and its links live {links}",
            f"set confTO_QUEUERETURN below links.expires in sendmail.mc; {_BUILD}",
        )
    return passed(subject, f"a notice is returned after {longest} in the queue, while its links live {links}")


def _relay(cf: SendmailCf, mailers: tuple[str, ...]) -> Iterator[Finding]:
    relay = cf.smart_host
    if relay is None:
        yield warning(
            "smart host",
            "none: mail goes straight to its recipients' servers, whose limits all differ",
            "define(`SMART_HOST', `relay:[email-smtp.REGION.amazonaws.com]') if SES is to send",
        )
        return
    if mailers and relay.mailer not in mailers:
        yield failure(
            "smart host",
            f"mail for {relay.host} goes by the mailer {relay.mailer}, which milter.mailers does not name: "
            "it is not intercepted",
            f"add {relay.mailer} to milter.mailers",
        )
    else:
        yield passed("smart host", f"{relay.host}, port {relay.port}, by the mailer {relay.mailer}")
    if ses_region(relay.host):
        yield from _suits_ses(cf.mailers.get(relay.mailer))


def _suits_ses(mailer: MailerLine | None) -> Iterator[Finding]:
    most = mailer.max_recipients if mailer else None
    if mailer is None or "g" not in mailer.flags:
        yield warning(
            "bounces",
            "SES takes no null sender (501): where it refuses mail, the bounce ends as Qf... in the queue's "
            "folder, and the sender hears nothing",
            "take MODIFY_MAILER_FLAGS(`RELAY', `+g') and LOCAL_RULE_1 from our sendmail.mc; " + _BUILD,
        )
    if most is None or most > SES_MAX_RECIPIENTS:
        yield warning(
            "recipients",
            f"SES refuses mail for more than {SES_MAX_RECIPIENTS} recipients, and sendmail does not split it",
            f"define(`SMTP_MAILER_MAXRCPTS', `{SES_MAX_RECIPIENTS}') in sendmail.mc; {_BUILD}",
        )


def _submission(cf: SendmailCf) -> Finding:
    """The `sendmail` command hands mail to the daemon by SMTP, where the filters see it (op.me, 2.7.1)."""
    subject, path = "submission", cf.path.with_name("submit.cf")
    if not path.exists():
        return warning(
            subject,
            f"there is no {path}, so the sendmail command may send mail past the filters",
            "have a submit.cf built (FEATURE(`msp')), as distributions do",
        )
    host = sendmail_cf.load(path).submission_host
    if host is None or not is_loopback(host.host):
        return warning(
            subject,
            f"the sendmail command hands mail to {host.host if host else 'nobody known'}, past our filter",
            "use FEATURE(`msp', `[127.0.0.1]') in submit.mc, and build submit.cf anew",
        )
    ports = [daemon.port for daemon in cf.daemons]
    if host.port not in ports:
        return failure(
            subject,
            f"the sendmail command hands mail to port {host.port}, where sendmail does not listen",
            f"make submit.mc and DAEMON_OPTIONS agree; sendmail listens on {', '.join(map(str, ports))}",
        )
    return passed(subject, "mail of the sendmail command goes through the daemon and its filters")
