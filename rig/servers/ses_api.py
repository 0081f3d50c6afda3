"""A stand-in for the API of Amazon SES, version 2: sends raw messages, tells of account and identities."""

import asyncio
import json
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from rig.servers.background import BackgroundServer


@dataclass(frozen=True, slots=True)
class ApiError:
    """An answer that refuses; `code` is as in the API reference."""

    code: str
    message: str = ""
    status: int = 400


@dataclass(frozen=True, slots=True)
class LostReply:
    """The message is taken, and the connection breaks."""


@dataclass(frozen=True, slots=True)
class SentEmail:
    """A call that was taken; `sender` is None where it named none."""

    sender: str | None
    recipients: tuple[str, ...]
    message: bytes = field(repr=False)


class SesApi(BackgroundServer):
    """Takes what comes, once it has given the `answers` that a test put there."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1")
        self.answers: list[ApiError | LostReply] = []
        self.calls = 0
        self.bad_recipients: frozenset[str] = frozenset()
        """One of them makes it refuse the whole call, as SES does."""
        self.sent: list[SentEmail] = []
        self.account: dict[str, Any] = {
            "SendingEnabled": True,
            "ProductionAccessEnabled": True,
            "SendQuota": {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 200.0},
        }
        """What GetAccount tells."""
        self.verified: frozenset[str] = frozenset()
        """The identities that GetEmailIdentity knows."""
        self.denied: frozenset[str] = frozenset()
        """The operations for which the caller has no right."""
        self.visible: frozenset[str] | None = None
        """The identities for which the caller has the right of GetEmailIdentity; None: all."""

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak HTTP/1.1 until the client leaves."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields.get("content-length", "0")))
            method, path, _ = head.split(" ", 2)
            if method == "GET":
                writer.write(self._look(path.removeprefix("/v2/email/")))
                continue
            assert (method, path) == ("POST", "/v2/email/outbound-emails")
            answer = self._answer(json.loads(body))
            if isinstance(answer, LostReply):
                return
            writer.write(_refused(answer) if answer else _response("200 OK", {"MessageId": "rig"}))
            await writer.drain()

    def _look(self, path: str) -> bytes:
        """Answer GetAccount or GetEmailIdentity."""
        kind, _, identity = path.partition("/")
        operation = {"account": "GetAccount", "identities": "GetEmailIdentity"}[kind]
        if operation in self.denied or not self._may_see(unquote(identity)):
            return _refused(ApiError("AccessDeniedException", "no", status=403))
        if operation == "GetAccount":
            return _response("200 OK", self.account)
        if unquote(identity) not in self.verified:
            return _refused(ApiError("NotFoundException", "no such identity", status=404))
        return _response("200 OK", {"VerifiedForSendingStatus": True})

    def _may_see(self, identity: str) -> bool:
        return not identity or self.visible is None or identity in self.visible

    def _answer(self, request: dict[str, object]) -> ApiError | LostReply | None:
        self.calls += 1
        email = _email(request)
        answer = self.answers.pop(0) if self.answers else None
        if not self.bad_recipients.isdisjoint(email.recipients):
            answer = ApiError("BadRequestException", "Illegal address")
        if not isinstance(answer, ApiError):
            self.sent.append(email)
        return answer


def _email(request: dict[str, object]) -> SentEmail:
    match request:
        case {"Destination": {"ToAddresses": list(to)}, "Content": {"Raw": {"Data": str(data)}}}:
            sender = request.get("FromEmailAddress")
            return SentEmail(str(sender) if sender else None, tuple(to), b64decode(data))
        case _:
            raise AssertionError(f"not a raw message for named recipients: {sorted(request)}")


def _refused(error: ApiError) -> bytes:
    return _response(
        f"{error.status} Refused", {"message": error.message}, f"x-amzn-ErrorType: {error.code}\r\n"
    )


def _response(status: str, document: dict[str, Any], extra: str = "") -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status}\r\n{extra}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
