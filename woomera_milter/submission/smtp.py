"""Mail submission by SMTP (RFC 5321, RFC 3207, RFC 4954)."""

import smtplib
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from woomera_milter import config
from woomera_milter.errors import PermanentError, Reason, TemporaryError, WoomeraError, in_words
from woomera_milter.submission import beyond_ascii
from woomera_milter.submission.answers import (
    DATA_TIMEOUT_S,
    REPLY_TIMEOUT_S,
    Answer,
    DeferredError,
    NoReplyError,
    ReplyKind,
)
from woomera_milter.text.charsets import decode

CONNECT_TIMEOUT_S = 60
GREET_TIMEOUT_S = 15

# RFC 5321 section 4.2.1: the first digit says it all. What is no reply at all is tried again.
_KINDS = {2: ReplyKind.ACCEPTED, 5: ReplyKind.REFUSED}


class Smtp:
    """A server, and the connections to it that wait for the next message."""

    def __init__(self, mail: config.Mail) -> None:
        self.name = f"{mail.host}:{mail.port}"
        self._mail = mail
        self._idle: deque[smtplib.SMTP] = deque()

    def deliver(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
    ) -> dict[str, Answer]:
        """Make one transaction, on a connection of earlier where one is still alive."""
        connection = self._idle_connection() or self._connect()
        try:
            answers = self._transact(connection, envelope_sender, recipients, message, may_send)
        except (NoReplyError, WoomeraError):
            connection.close()
            raise
        except OSError as error:  # smtplib's own are OSErrors too
            connection.close()
            raise DeferredError("the connection broke before the message was sent") from error
        self._idle.append(connection)
        return answers

    def close(self) -> None:
        """Say QUIT on idle connections."""
        while self._idle:
            connection = self._idle.pop()
            try:
                connection.quit()
            except OSError:
                connection.close()

    def _idle_connection(self) -> smtplib.SMTP | None:
        """Return a connection that is still alive, and clear of whatever was said on it."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            try:
                if connection.rset()[0] == 250:
                    return connection
            except OSError:
                pass  # the server hung up, as servers do after a while
            connection.close()

    def _connect(self) -> smtplib.SMTP:
        mail = self._mail
        try:
            connection = smtplib.SMTP(mail.host, mail.port, timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise self._explained(error) from error
        try:
            if mail.starttls:
                connection.starttls(context=ssl.create_default_context())
            if mail.username is not None and mail.password is not None:
                connection.login(mail.username, mail.password.get_secret_value())
            connection.ehlo_or_helo_if_needed()
        except OSError as error:
            connection.close()
            raise self._explained(error) from error
        _wait(connection, REPLY_TIMEOUT_S)
        return connection

    def _explained(self, error: OSError) -> Exception:
        """Tell who has to do what about a connection that could not be set up."""
        match error:
            case smtplib.SMTPResponseException() if 400 <= error.smtp_code < 500:
                return DeferredError(_reply(error.smtp_code, error.smtp_error).text)
            case smtplib.SMTPAuthenticationError():
                return self._permanent("refuses the login", "correct mail.username and mail.password")
            case smtplib.SMTPResponseException():
                text = _reply(error.smtp_code, error.smtp_error).text
                return self._permanent(f"does not serve us: {text}", "see mail.host and mail.port")
            case ssl.SSLCertVerificationError():
                return self._permanent(
                    f"shows a certificate that cannot be trusted: {error.verify_message}",
                    "write the name in its certificate as mail.host, or make this host trust its issuer",
                )
            case smtplib.SMTPServerDisconnected():
                problem = "it hung up"
            case smtplib.SMTPException():  # an extension or a mechanism is missing
                problem = f"cannot do what mail asks for: {str(error).rstrip('.')}"
                return self._permanent(problem, "see mail.starttls, mail.username and mail.port")
            case _:
                problem = in_words(error)
        return TemporaryError(
            f"connecting to {self.name} failed: {problem}",
            remedy="see whether the mail server runs, and whether mail.host and mail.port are right",
            reason=Reason.MAIL,
        )

    def _permanent(self, problem: str, remedy: str) -> PermanentError:
        return PermanentError(f"{self.name} {problem}", remedy=remedy, reason=Reason.MAIL)

    def _transact(
        self,
        connection: smtplib.SMTP,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
    ) -> dict[str, Answer]:
        takes_smtputf8 = connection.has_extn("smtputf8")
        outgoing = beyond_ascii.outgoing(
            envelope_sender, recipients, self.name, takes_smtputf8=takes_smtputf8
        )
        if not outgoing.recipients:
            return outgoing.refused
        connection.command_encoding = "utf-8"  # which smtplib forgets at each RSET
        parameters = " SMTPUTF8" if outgoing.needs_smtputf8 else ""
        code, text = connection.docmd("MAIL", f"FROM:<{outgoing.envelope_sender}>{parameters}")
        mail = _reply(code, text)
        if code == 530:  # STARTTLS or AUTH is wanted first (RFC 3207 section 4, RFC 4954 section 6)
            remedy = "set mail.starttls, mail.username and mail.password"
            raise self._permanent(f"does not serve us: {mail.text}", remedy)
        if mail.kind is not ReplyKind.ACCEPTED:
            return outgoing.refused | dict.fromkeys(outgoing.recipients, mail)
        forms = dict.fromkeys(outgoing.recipients.values())
        heard = {form: _reply(*connection.docmd("RCPT", f"TO:<{form}>")) for form in forms}
        answers = outgoing.refused | {it: heard[form] for it, form in outgoing.recipients.items()}
        taken = [it for it, rcpt in answers.items() if rcpt.kind is ReplyKind.ACCEPTED]
        if taken:
            try:
                may_send()
            except WoomeraError:
                connection.rset()
                raise
            answers |= dict.fromkeys(taken, _data(connection, message))
        return answers


@dataclass(frozen=True, slots=True)
class ServerGreeting:
    """What a server says of itself: its extensions by EHLO keyword in lower case, with their parameters.

    They are those that it offers once the connection is encrypted, where it can be. `certificate_problem`
    is empty unless its certificate cannot be trusted.
    """

    extensions: Mapping[str, str]
    encrypted: bool
    certificate_problem: str = ""


def greet(host: str, port: int) -> ServerGreeting:
    """Say EHLO, STARTTLS where that is offered, and QUIT. Raise TemporaryError where that fails."""
    try:
        with smtplib.SMTP(host, port, timeout=GREET_TIMEOUT_S) as connection:
            connection.ehlo_or_helo_if_needed()
            extensions = dict(connection.esmtp_features)
            if "starttls" not in extensions:
                return ServerGreeting(extensions, encrypted=False)
            try:
                connection.starttls(context=ssl.create_default_context())
            except ssl.SSLCertVerificationError as error:
                return ServerGreeting(extensions, encrypted=False, certificate_problem=error.verify_message)
            connection.ehlo()
            return ServerGreeting(dict(connection.esmtp_features), encrypted=True)
    except OSError as error:  # smtplib's own are OSErrors too
        raise _not_a_mail_server(host, port, error) from error


def log_in(host: str, port: int, user: str, password: str) -> Answer | None:
    """Try a login, and send nothing else. Raise TemporaryError where the connection fails.

    None where it would go in clear, or to a server that cannot be trusted, or that knows of no logins.
    """
    try:
        with smtplib.SMTP(host, port, timeout=GREET_TIMEOUT_S) as connection:
            connection.ehlo_or_helo_if_needed()
            if not connection.has_extn("starttls"):
                return None
            try:
                connection.starttls(context=ssl.create_default_context())
            except ssl.SSLCertVerificationError:
                return None
            connection.ehlo()
            if not connection.has_extn("auth"):
                return None
            try:
                return _reply(*connection.login(user, password))
            except smtplib.SMTPResponseException as error:
                return _reply(error.smtp_code, error.smtp_error)
    except OSError as error:  # smtplib's own are OSErrors too
        raise _not_a_mail_server(host, port, error) from error


def _not_a_mail_server(host: str, port: int, error: OSError) -> TemporaryError:
    return TemporaryError(
        f"{host}:{port} does not answer as a mail server: {in_words(error)}",
        remedy="see whether it runs, and whether a firewall or security group lets this host reach it",
        reason=Reason.MAIL,
    )


def _data(connection: smtplib.SMTP, message: bytes) -> Answer:
    _wait(connection, DATA_TIMEOUT_S)
    code, text = connection.docmd("DATA")
    if code // 100 in (4, 5):
        return _reply(code, text)
    if code != 354:
        raise smtplib.SMTPDataError(code, text)
    # RFC 5321 section 4.5.2: a dot is put before each line that begins with one.
    stuffed = (b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:]
    connection.send(stuffed + (b".\r\n" if message.endswith(b"\r\n") else b"\r\n.\r\n"))
    _wait(connection, REPLY_TIMEOUT_S)
    try:
        code, text = connection.getreply()
    except OSError as error:
        raise NoReplyError from error
    if code // 100 not in (2, 4, 5):
        raise NoReplyError
    return _reply(code, text)


def _wait(connection: smtplib.SMTP, timeout_s: float) -> None:
    """Have the connection wait so long for a reply, or for all of what is sent to be taken."""
    if connection.sock:
        connection.sock.settimeout(timeout_s)


def _reply(code: int, text: bytes | str) -> Answer:
    words = text if isinstance(text, str) else decode(text)
    return Answer.of(_KINDS.get(code // 100, ReplyKind.DEFERRED), f"{code} {words}")
