"""A stand-in for the API of Amazon SES, version 2: SendEmail with raw messages, and the errors it knows."""

import asyncio
import json
from base64 import b64decode
from dataclasses import dataclass, field

from rig.background import BackgroundServer


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

    @property
    def endpoint_url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak HTTP/1.1 until the client leaves."""
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
            body = await reader.readexactly(int(fields["content-length"]))
            assert head.startswith("POST /v2/email/outbound-emails ")
            answer = self._answer(json.loads(body))
            if isinstance(answer, LostReply):
                return
            writer.write(_response(answer))
            await writer.drain()

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


def _response(error: ApiError | None) -> bytes:
    if error is None:
        status, extra, body = "200 OK", "", b'{"MessageId": "rig"}'
    else:
        status, extra = f"{error.status} Refused", f"x-amzn-ErrorType: {error.code}\r\n"
        body = json.dumps({"message": error.message}).encode()
    head = (
        f"HTTP/1.1 {status}\r\n{extra}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
