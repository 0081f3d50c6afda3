"""Every JSON document in the bucket: its fields, how it is read, and how it is written.

Other hosts wrote what is read, older versions, or somebody's hand: it is held against what it should be
before anything relies on it, and what is wrong with it is a DamagedError, which names it. docs/SCHEMA.md is
written from these classes.
"""

import json
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from woomera_milter.clock import Moment, MomentText
from woomera_milter.errors import DamagedError
from woomera_milter.store.tallies import DOCUMENTED, Amount, Tally

Value = TypeVar("Value")

_adapters: dict[type[Any], TypeAdapter[Any]] = {}

_LONGEST_EVERY_S = 366 * 24 * 3600
_LONGEST_LEASE_S = 1e9


class _Extensible(BaseModel):
    """Others' fields survive when it is written again."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)


class StoredAttachment(_Extensible, strict=True):
    """An attachment of a stored message."""

    name: str
    """Its safe file name."""
    content_type: str
    """What it is, by its own word."""
    size_bytes: int
    """Its length, decoded."""
    key: str | None
    """Where it lies, below storage.prefix; null where it is in the message alone."""


class Resending(_Extensible, strict=True):
    """One time that `woomera resend` sent the notice again."""

    at: Moment
    """When."""
    to: list[str]
    """Who has it."""


class Sidecar(_Extensible, strict=True):
    """What is known of a stored message."""

    id: str
    """Its id: of the milter, queue id and a random part; of the sweep, made of the archived key."""
    source: str = ""
    """Who stored it, `milter` or `sweep`."""
    host: str = ""
    """The host that did."""
    queue_id: str = ""
    """sendmail's there, of the milter's."""
    received_at: Moment
    """When it came; its key has the day of this."""
    envelope_sender: str
    """Of MAIL FROM (RFC 5321), without brackets; empty for a bounce."""
    recipients: list[str]
    """Of RCPT TO, Bcc among them."""
    recipients_refused: Annotated[int, Field(ge=0)] = 0
    """How many of them a filter refused; nobody knows which."""
    header_from: str
    """The field From, decoded."""
    subject: str
    """The field Subject, decoded."""
    date: str = ""
    """The field Date."""
    message_id: str = ""
    """The field Message-ID."""
    size_bytes: int
    """Of message.eml."""
    sha256: str = ""
    """Of message.eml, in hexadecimal digits."""
    attachments: list[StoredAttachment] = []
    """Its attachments, in their order."""
    protection: str | None = None
    """`signed`, `encrypted`, `smime` or null."""
    notice_headers: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = []
    """Name and value of the fields that a notice keeps, for `woomera resend`."""
    links_expire_at: Moment | None = None
    """When all of its links end."""
    resent: list[Resending] = []
    """The times that its notice was sent again."""
    announced: bool = True
    """False where its client was told to try again after it was stored; else it is missing, or true."""


class CopyRecord(_Extensible):
    """The envelope of an archived copy."""

    envelope_sender: str = ""
    """Of MAIL FROM, without brackets; of an mbox what its From_ line says."""
    recipients: list[str] = []
    """Of RCPT TO; none of what is imported, whose recipients stand in its header."""
    archived_at: str = ""
    """When the copy was made, a time (RFC 3339)."""
    host: str = ""
    """The host that made it."""
    source: str = ""
    """`archive-milter` or `import`."""
    added_bytes: Annotated[int, Field(ge=0)] | None = None
    """What the MTA, by its names, adds at most to its address fields; absent in older copies, and others."""

    @property
    def by_us(self) -> bool:
        """Whether archive-milter made the copy, so that it is in wire form."""
        return self.source == "archive-milter"


class Watermark(BaseModel):
    """How far sweeps have come."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    prefix: str
    """Below which they looked, from the bucket's root."""
    recent_until: Moment
    """Dealt with: copies of recent days that came before this."""
    all_until: Moment
    """Dealt with: copies of whatever day that came before this."""
    retry: bool
    """Whether some of those that came later failed."""


@dataclass(kw_only=True)
class _HostDay:
    """What all that hosts count has in common."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    host: str
    """The host."""
    day: date
    """The UTC day that it counts for."""
    written_at: Moment
    """When it was written last."""


@dataclass(kw_only=True)
class MilterDay(Tally, _HostDay):
    """What one milter process counted on a UTC day."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    source: Literal["milter"] = "milter"
    """What wrote it."""
    started_at: Moment | None = None
    """When the process began."""
    every_s: Annotated[int, Field(ge=0, le=_LONGEST_EVERY_S)]
    """It writes each so many seconds (milter.stats_every): one that misses three is silent."""
    stopped: bool
    """Whether this is its last word, since it was told to end."""


@dataclass(slots=True)
class Backlog(Amount):
    """Copies that wait on a host."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    oldest_at: Moment | None = None
    """Since when the oldest waits."""


@dataclass(kw_only=True)
class ArchiveDay(_HostDay):
    """What `woomera archive` did on a host on a UTC day."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    source: Literal["archive"] = "archive"
    """What wrote it."""
    archived: Amount
    """Copies moved to S3 on that day."""
    backlog: Backlog
    """Copies not moved yet, when this was written."""


class State(StrEnum):
    """Where claimed work stands."""

    CLAIMED = "claimed"
    HANDING_OVER = "handing-over"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Claim:
    """One run's hold on the notice of an archived object, or on a report, and what came of it."""

    __pydantic_config__: ClassVar[ConfigDict] = DOCUMENTED

    key: str
    """The archived object's key, from the bucket's root; the report's name."""
    token: str
    """Random, so that no two writes of it are the same."""
    host: str
    """The host whose work it is."""
    claimed_at: MomentText
    """When it was claimed."""
    lease_s: Annotated[float, Field(ge=0, le=_LONGEST_LEASE_S)]
    """So long after it was last written another run may take it over."""
    state: State = State.CLAIMED
    """Where the work stands."""
    may_repeat: bool = False
    """Nobody knows how an earlier hand-over ended, so the next mail may be a second one."""
    accepted: list[str] = field(default_factory=list)
    """Recipients whose mail is with the relay."""
    reason: str = ""
    """Why it failed."""
    first_failed_at: MomentText | Literal[""] = ""
    """When it failed first."""
    given_up_of: MomentText | Literal[""] = ""
    """When the copy was written that cannot be read as it is: it is tried again once it is another."""
    done_at: MomentText | Literal[""] = ""
    """When it was done."""
    mail: dict[str, Any] = field(default_factory=dict)
    """An account of the mail, for reports."""
    is_repeated: bool = False
    """It says once more, under the key of a copy, what the claim on its message says."""
    etag: Annotated[str, Field(exclude=True)] = field(default="", compare=False)
    work: Annotated[str, Field(exclude=True)] = field(default="", compare=False)


def parsed(octets: bytes) -> Any:
    """Return what a JSON document says, None where it is empty; raise ValueError where it is none.

    Numbers that JSON does not have (RFC 8259 section 6), and halves of characters, which cannot be written
    again (section 8.2), are refused.
    """
    try:
        value = json.loads(octets, parse_constant=_refuse) if octets.strip() else None
        if b"\\u" in octets:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Return what reads and writes documents of this class; it is costly to make."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def validated(kind: type[Value], value: object, name: str) -> Value:
    """Return the document called `name` as what it should be; raise DamagedError where it is not."""
    try:
        document: Value = adapter(kind).validate_python(value)
    except ValidationError as error:
        places = sorted({".".join(map(str, it["loc"])) or "all of it" for it in error.errors()})
        problem = f"{', '.join(places)[:200]} is not what it should be"
    else:
        return document
    raise DamagedError(f"reading {name}: {problem}")


def host_day(value: object, name: str) -> MilterDay | ArchiveDay:
    """Return what lies below stats/, by its `source`; raise DamagedError."""
    is_archive = isinstance(value, dict) and value.get("source") == "archive"
    return validated(ArchiveDay, value, name) if is_archive else validated(MilterDay, value, name)


def written(document: object) -> dict[str, Any]:
    """Return a document as it stands in JSON; what it was read without stays out."""
    value: dict[str, Any] = adapter(type(document)).dump_python(
        document, mode="json", by_alias=True, exclude_unset=True
    )
    return value
