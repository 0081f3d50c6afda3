"""Mail submission by Amazon SES's API, version 2: SendEmail with a raw message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.parsers import ResponseParserError

from woomera_milter import aws, config
from woomera_milter.errors import PermanentError, Reason, TemporaryError
from woomera_milter.submission import beyond_ascii
from woomera_milter.submission.answers import Answer, NoReplyError, ReplyKind

CONNECT_TIMEOUT_S = 10
REPLY_TIMEOUT_S = 60

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")

# SES API v2 reference, SendEmail, and its common errors.
_THROTTLING = frozenset(
    {"TooManyRequestsException", "LimitExceededException", "Throttling", "ThrottlingException"}
)
_REFUSALS = frozenset({"MessageRejected", "MailFromDomainNotVerifiedException", "BadRequestException"})
_REMEDIES = {
    "AccessDeniedException": "grant ses:SendRawEmail for this sender's identity to these credentials",
    "AccountSuspendedException": "the account may not send; see the SES console",
    "SendingPausedException": "sending is paused for the account; see the SES console",
    "NoCredentialsError": "give storage a profile or keys, or the instance a role",
    "ProfileNotFound": "correct storage.profile",
}
_NO_RIGHT = frozenset({"AccessDeniedException", "AccessDenied"})
_DEFAULT_REMEDY = "see whether these credentials are right for SES in mail.region, and the clock of this host"


@dataclass(frozen=True, slots=True)
class Account:
    """What SES lets the account do. In the sandbox it sends to verified addresses only."""

    may_send: bool
    in_sandbox: bool
    sent_in_a_day: float
    most_in_a_day: float
    most_a_second: float


class Ses:
    """SES in one region."""

    def __init__(self, mail: config.Mail, storage: config.Storage) -> None:
        """Use the rights of `storage` where those are Amazon's, else the AWS default chain's.

        Raise PermanentError where they cannot be had.
        """
        region = mail.region or storage.region
        self.name = f"SES in {region}"
        try:
            self._client = self._connect(mail, storage, region)
        except BotoCoreError as error:
            raise self._permanent(error) from error

    def _connect(self, mail: config.Mail, storage: config.Storage, region: str | None) -> Any:
        if _is_amazon(storage.endpoint_url):
            session = aws.session(storage.profile, storage.access_key_id, storage.secret_access_key)
        else:
            session = aws.session(None, None, None)
        return session.client(
            "sesv2",
            region_name=region,
            endpoint_url=mail.endpoint_url,
            config=ClientConfig(
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=REPLY_TIMEOUT_S,
                # botocore would send again after a lost reply, and so send twice.
                retries={"total_max_attempts": 1, "mode": "standard"},
            ),
        )

    def deliver(
        self,
        envelope_sender: str,
        recipients: Sequence[str],
        message: bytes,
        may_send: Callable[[], object],
    ) -> dict[str, Answer]:
        """Make one call; for the null sender SES takes the address of From."""
        outgoing = beyond_ascii.outgoing(envelope_sender, recipients, self.name)
        if not outgoing.recipients:
            return outgoing.refused
        may_send()
        sender = {"FromEmailAddress": outgoing.envelope_sender} if envelope_sender else {}
        forms = list(dict.fromkeys(outgoing.recipients.values()))
        try:
            self._client.send_email(
                Destination={"ToAddresses": forms}, Content={"Raw": {"Data": message}}, **sender
            )
        except ClientError as error:
            answer = self._answer(error, len(recipients))
            return outgoing.refused | dict.fromkeys(outgoing.recipients, answer)
        except NotConnectedError as error:
            # TLS may break after the message too; only a refused certificate surely comes before it.
            if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise NoReplyError from error
            raise TemporaryError(
                f"connecting to {self.name} failed: {aws.in_words(error)}",
                remedy="see whether the network, mail.region and mail.endpoint_url are right",
                reason=Reason.MAIL,
            ) from error
        except (HTTPClientError, ResponseParserError) as error:
            raise NoReplyError from error
        except BotoCoreError as error:
            raise self._permanent(error) from error
        return outgoing.refused | dict.fromkeys(outgoing.recipients, Answer(ReplyKind.ACCEPTED, ""))

    def account(self) -> Account | None:
        """Return what the account may do; None where these credentials may not ask (ses:GetAccount)."""
        answer = self._look(self._client.get_account)
        if answer is None:
            return None
        quota = answer["SendQuota"]
        return Account(
            answer["SendingEnabled"],
            not answer["ProductionAccessEnabled"],
            quota["SentLast24Hours"],
            quota["Max24HourSend"],
            quota["MaxSendRate"],
        )

    def is_verified(self, identity: str) -> bool | None:
        """Tell whether SES sends for an identity; None where one may not ask (ses:GetEmailIdentity)."""
        answer = self._look(lambda: self._client.get_email_identity(EmailIdentity=identity))
        return None if answer is None else bool(answer.get("VerifiedForSendingStatus"))

    def _look(self, operation: Callable[[], Any]) -> Any:
        """Return the answer, empty where there is no such thing, None where the right is missing."""
        try:
            return operation()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _NO_RIGHT:
                return None
            if code == "NotFoundException":
                return {}
            raise self._permanent(error, "asking") from error
        except (NotConnectedError, HTTPClientError) as error:
            raise TemporaryError(
                f"connecting to {self.name} failed: {aws.in_words(error)}",
                remedy="see whether the network, mail.region and mail.endpoint_url are right",
                reason=Reason.MAIL,
            ) from error
        except BotoCoreError as error:
            raise self._permanent(error, "asking") from error

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def _answer(self, error: ClientError, recipient_count: int) -> Answer:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{code}: {error.response.get('Error', {}).get('Message', '')}"
        if code in _THROTTLING or status >= 500:
            return Answer.of(ReplyKind.DEFERRED, text)
        if code not in _REFUSALS:
            raise self._permanent(error) from error
        together = code == "BadRequestException" and recipient_count > 1
        return Answer.of(ReplyKind.REFUSED_TOGETHER if together else ReplyKind.REFUSED, text)

    def _permanent(self, error: Exception, attempted: str = "sending by") -> PermanentError:
        """Say what went wrong without AWS's own text, which may hold account numbers and addresses."""
        words = aws.in_words(error)
        remedy = _REMEDIES.get(
            words if isinstance(error, ClientError) else type(error).__name__, _DEFAULT_REMEDY
        )
        return PermanentError(f"{attempted} {self.name} failed: {words}", remedy=remedy, reason=Reason.MAIL)


def _is_amazon(endpoint_url: str | None) -> bool:
    return endpoint_url is None or (urlsplit(endpoint_url).hostname or "").endswith(_AMAZON)
