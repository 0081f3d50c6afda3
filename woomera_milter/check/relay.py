"""What `woomera check` says of the relay: its EHLO, and what sizes it really takes."""

from collections.abc import Iterator

from woomera_milter import config
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.check.sendmail import ses_region
from woomera_milter.check.sendmail_cf import SmartHost
from woomera_milter.config.doubts import MAX_SES_BYTES
from woomera_milter.config.names import is_loopback
from woomera_milter.config.values import format_size
from woomera_milter.errors import TemporaryError
from woomera_milter.submission import smtp


def look(relay: SmartHost, limit_bytes: int) -> Iterator[Finding]:
    """Yield what is to be said of the relay of sendmail.cf."""
    greeting = smtp.greet(relay.host, relay.port)
    # SES's last line is "250 Ok", which smtplib takes for an extension, too.
    offers = sorted(" ".join([name, *words.split()]).upper() for name, words in greeting.extensions.items())
    said = ", ".join(it for it in offers if it != "OK") or "nothing"
    yield passed("relay", f"{relay.host}:{relay.port} answers, and offers {said}")
    yield encryption(relay, greeting)
    yield limit(relay, greeting, limit_bytes)


def mail_host(mail: config.Mail) -> Finding:
    """Say whether the server of mail.host answers, by which sweep, resend and report send."""
    try:
        smtp.greet(mail.host, mail.port)
    except TemporaryError as error:
        remedy = "see whether it runs, and whether mail.host and mail.port are right"
        return failure("mail.host", error.problem, remedy, temporary=True)
    return passed("mail.host", f"{mail.host}:{mail.port} takes the mail of sweep, resend and report")


def encryption(relay: SmartHost, greeting: smtp.ServerGreeting) -> Finding:
    """Say whether mail goes to the relay in a way that others cannot read."""
    subject = "encryption"
    if greeting.certificate_problem:
        return failure(
            subject,
            f"the certificate of {relay.host} cannot be trusted: {greeting.certificate_problem}",
            "name the host as its certificate does in SMART_HOST, or make this host trust its issuer",
        )
    if greeting.encrypted:
        return passed(subject, "mail to the relay is encrypted, and its certificate holds")
    if is_loopback(relay.host):
        return passed(subject, "none, and none is needed on this very host")
    return warning(
        subject,
        f"{relay.host} offers no STARTTLS: mail goes in clear",
        "use another port or relay, and have the map access ask for TLS: TLS_Srv:HOST VERIFY:112",
    )


def limit(relay: SmartHost, greeting: smtp.ServerGreeting, limit_bytes: int) -> Finding:
    """Say whether `limit` is the relay's own.

    SIZE is the largest message in octets; where it is 0 or missing, nobody says (RFC 1870 section 4).
    """
    subject, ours = "limit", format_size(limit_bytes)
    words = greeting.extensions.get("size", "")
    most = int(words) if words.isdigit() else 0
    announced = format_size(most)
    if most == limit_bytes:
        return passed(subject, f"{ours}, as the relay announces")
    if 0 < most < limit_bytes:
        return failure(
            subject,
            f"{ours}, while the relay refuses what is above {announced}: mail between the two is lost",
            f"set limit: {announced}",
        )
    if most:
        return warning(
            subject,
            f"{ours}, while the relay takes up to {announced}: mail in between is intercepted needlessly",
            f"set limit: {announced}, unless recipients' servers take less",
        )
    if not ses_region(relay.host):
        return warning(
            subject,
            f"{ours}; the relay does not announce its own",
            "ask those who run it, and set limit to it",
        )
    if limit_bytes >= MAX_SES_BYTES:
        return passed(subject, f"{ours}, as AWS documents for SES by SMTP")
    return warning(
        subject,
        f"{ours}, while AWS documents {format_size(MAX_SES_BYTES)} for SES by SMTP: mail in between would "
        "mostly arrive by itself, and `woomera sweep` would tell people of mail that did arrive",
        "see whether SES takes a message of 15 MB past Woomera (`sendmail -Am`, as root); if it does, set "
        f"limit: {format_size(MAX_SES_BYTES)}",
    )
