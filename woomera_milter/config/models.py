"""The sections and keys of config.yaml, with their defaults; config.yaml at the top explains each.

What one value may be is in values.py and names.py, what holds between keys in rules.py and doubts.py.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, model_validator

from woomera_milter.config.names import (
    AbsolutePath,
    Bucket,
    Domain,
    Email,
    Endpoint,
    ExistingFile,
    ExistingFolder,
    Folder,
    Headers,
    KeyPairId,
    Language,
    Mailer,
    MailHost,
    Port,
    Prefix,
    Program,
    Region,
    Socket,
    Tags,
    TimeZone,
)
from woomera_milter.config.values import (
    GB,
    KB,
    MB,
    AccessKeyId,
    Count,
    Days,
    Duration,
    Line,
    Name,
    Password,
    PositiveDuration,
    Secret,
    Size,
    Truth,
    UserName,
)


class Section(BaseModel):
    """A mapping of config.yaml whose keys are all known. Cannot change once it is read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_means_defaults(cls, data: Any) -> Any:
        """A section whose keys are all commented out is null in YAML."""
        return {} if data is None else data


class Storage(Section):
    """The bucket and how to reach it. `bucket` is the one key without a default.

    `region` None: the AWS default chain's (AWS_REGION, else the profile's). `encryption` "none" is an old
    name of "bucket".
    """

    bucket: Bucket
    region: Region | None = None
    prefix: Prefix = ""
    endpoint_url: Endpoint | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    encryption: Literal["bucket", "AES256", "aws:kms", "none"] = "bucket"
    kms_key_id: Name | None = None
    profile: Name | None = None
    access_key_id: AccessKeyId | None = None
    secret_access_key: Secret | None = None
    checksum: Literal["sha256", "md5"] = "sha256"
    ca_bundle: ExistingFile | None = None
    tags: Tags = {}
    acl: Literal["private", "bucket-owner-read", "bucket-owner-full-control"] | None = None
    retention: Days = timedelta(days=30)


class CloudFront(Section):
    """The distribution and the signer of `links.kind: cloudfront`."""

    domain: Domain | None = None
    key_pair_id: KeyPairId | None = None
    private_key_file: ExistingFile | None = None


class Links(Section):
    """What kind of links recipients get, how long they live and who signs them."""

    kind: Literal["presigned", "cloudfront"] = "presigned"
    expires: PositiveDuration = timedelta(days=7)
    minimum: Duration = timedelta(days=1)
    endpoint_url: Endpoint | None = None
    profile: Name | None = None
    access_key_id: AccessKeyId | None = None
    secret_access_key: Secret | None = None
    attachments: Truth = True
    max_attachments: Count = 100
    page: Truth = True
    cloudfront: CloudFront = CloudFront()


class Milter(Section):
    """The main milter. `sendmail` None: the program is looked up."""

    socket: Socket = "unix:/run/woomera/milter.sock"
    spool: AbsolutePath = Path("/var/spool/woomera")
    mailers: tuple[Mailer, ...] = ("relay", "esmtp", "smtp", "smtp8", "dsmtp")
    trust_msg_size: Truth = True
    allowance: Size = 2 * KB
    on_failure: Literal["tempfail", "pass", "reject"] = "tempfail"
    deadline: PositiveDuration = timedelta(seconds=60)
    max_concurrent: Count = 16
    stats_every: PositiveDuration = timedelta(minutes=5)
    sendmail: Program | None = None


class Notice(Section):
    """What recipients read. Empty `organization`, `contact` None: the notice does not name one."""

    organization: Line = ""
    contact: Email | None = None
    include_text: Size = 32 * KB
    formatted: Truth = True
    languages: tuple[Language, ...] = ("en",)
    subject_prefix: Line = ""
    copy_to_sender: Truth = False
    templates: ExistingFolder | None = None


class Mail(Section):
    """How sweep, resend and report send mail. `region` None: `storage.region`."""

    via: Literal["smtp", "ses"] = "smtp"
    host: MailHost = "localhost"
    port: Port = 25
    starttls: Truth = False
    username: UserName | None = None
    password: Password | None = None
    region: Region | None = None
    endpoint_url: Endpoint | None = None
    headers: Headers = {}


class Sweep(Section):
    """Where the sweep looks, and as whom it writes."""

    prefix: Folder = "archive/"
    sender: Email | None = None
    lease: PositiveDuration = timedelta(minutes=15)


class Archive(Section):
    """The archive milter and the mover of its copies."""

    socket: Socket = "unix:/run/woomera/archive.sock"
    spool: AbsolutePath = Path("/var/spool/woomera/archive")
    prefix: Folder = "archive/"
    min_size: Size = 4 * MB
    min_free: Size = GB


class Report(Section):
    """Who gets the report, how often, in which time zone. Without `to` none is sent."""

    sender: Email | None = None
    to: tuple[Email, ...] = ()
    period: Literal["day", "week", "month"] = "day"
    quiet: Literal["skip", "send"] = "skip"
    timezone: TimeZone = ZoneInfo("UTC")


class Config(Section):
    """The whole config.yaml. Sizes are bytes, spans of time timedeltas."""

    limit: Size = 10 * MB
    storage: Storage
    links: Links = Links()
    milter: Milter = Milter()
    notice: Notice = Notice()
    mail: Mail = Mail()
    sweep: Sweep = Sweep()
    archive: Archive = Archive()
    report: Report = Report()

    @model_validator(mode="before")
    @classmethod
    def _missing_storage_is_a_missing_bucket(cls, data: Any) -> Any:
        return {"storage": None, **data} if isinstance(data, dict) else data
