"""What `woomera check` says of the bucket: where it is, whose clock is right, and who may read it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from woomera_milter import config
from woomera_milter.check.bucket import lifecycle, policy, probe
from woomera_milter.check.finding import Finding, failed, failure, is_denied, passed, unseen, warning
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import Bucket, BucketGreeting, code_of
from woomera_milter.store.s3_store import S3Store

WORST_SKEW = timedelta(minutes=15)
"""S3 refuses requests whose time is further off (RequestTimeTooSkewed)."""
LARGE_SKEW = timedelta(minutes=1)


def look(bucket: Bucket, configuration: config.Config, host: str, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of the bucket; puts probes there and deletes them."""
    greeting = bucket.greet()
    yield from _clock(greeting, now)
    yield from _region(greeting, bucket.region)
    if greeting.refusal and not is_denied(greeting.refusal):
        yield failed("bucket", greeting.refusal)
        return
    yield from probe.look(bucket, S3Store(configuration.storage, 1), configuration, host)
    yield from _overridden_encryption(bucket, configuration.storage)
    yield _public_access(bucket)
    yield from policy.look(bucket, configuration)
    yield from lifecycle.look(bucket, configuration, now)


def _clock(greeting: BucketGreeting, now: datetime) -> Iterator[Finding]:
    if greeting.server_time is None:
        return
    skew = abs(greeting.server_time - now)
    detail = f"{skew.total_seconds():.0f} s off S3's"
    remedy = "let chrony or systemd-timesyncd set it"
    if skew > WORST_SKEW:
        yield failure("clock", f"{detail}: S3 refuses what this host signs", remedy)
    elif skew > LARGE_SKEW:
        yield warning("clock", f"{detail}: links begin or end by that much too early or too late", remedy)
    else:
        yield passed("clock", "agrees with S3's")


def _region(greeting: BucketGreeting, region: str) -> Iterator[Finding]:
    if greeting.region is None:
        return
    if greeting.region != region:
        yield failure(
            "region",
            f"the bucket is in {greeting.region}, and storage.region says {region}: links would not work",
            f"set storage.region: {greeting.region}",
        )
    else:
        yield passed("region", f"the bucket is in {region}")


def _overridden_encryption(bucket: Bucket, storage: config.Storage) -> Iterator[Finding]:
    """A header of ours wins over the bucket's own key (S3 User Guide, "Default encryption")."""
    if storage.encryption in ("bucket", "none") or storage.kms_key_id:
        return
    subject = "default encryption"
    try:
        algorithm, key = bucket.default_encryption()
    except WoomeraError as error:
        if code_of(error) != "ServerSideEncryptionConfigurationNotFoundError":
            yield unseen(subject, error, "s3:GetEncryptionConfiguration")
        return
    if algorithm.startswith("aws:kms") and (key or storage.encryption != algorithm):
        yield warning(
            subject,
            f"the bucket has a KMS key of its own, which storage.encryption: {storage.encryption} overrides",
            "set storage.encryption: bucket, unless that is meant",
        )


def _public_access(bucket: Bucket) -> Finding:
    subject = "public access"
    remedy = "turn on all of Block Public Access for the bucket"
    try:
        settings = bucket.public_access_block()
    except WoomeraError as error:
        if code_of(error) == "NoSuchPublicAccessBlockConfiguration":
            return warning(subject, "Block Public Access is not set on the bucket", remedy)
        return unseen(subject, error, "s3:GetBucketPublicAccessBlock")
    if off := sorted(name for name, is_on in settings.items() if not is_on):
        return warning(subject, f"Block Public Access leaves {', '.join(off)} off", remedy)
    return passed(subject, "Block Public Access is on")
