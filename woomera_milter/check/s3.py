"""What `woomera check` says of the bucket: what its server verifies, who may read it, how long it keeps mail.

The probe is an object among the messages, since that is where the least rights allow one, and it has the
same name each time, since those rights do not allow to delete it: so one small object stays for each host,
until the lifecycle deletes it. `woomera list` does not see it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from woomera_milter import config
from woomera_milter.check.finding import Finding, failed, failure, passed, warning
from woomera_milter.config.values import format_duration
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import Bucket, BucketGreeting, code_of
from woomera_milter.store.keys import MESSAGES, PROCESSED, probe_key

PROBE = b"Put here by `woomera check`. It may be deleted at any time.\n"
WORST_SKEW = timedelta(minutes=15)
"""S3 refuses requests whose time is further off (RequestTimeTooSkewed)."""
LARGE_SKEW = timedelta(minutes=1)

_DENIED = frozenset({"AccessDenied", "403"})
_UNKNOWN_TO_THE_SERVER = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})
_REFUSED_CONDITION = frozenset({"PreconditionFailed", "412"})
_REFUSED_DIGEST = frozenset({"BadDigest", "InvalidDigest", "400"})


def look(bucket: Bucket, configuration: config.Config, host: str, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of the bucket; puts a probe there and deletes it."""
    greeting = bucket.greet()
    yield from _clock(greeting, now)
    yield from _region(greeting, bucket.region)
    if greeting.refusal and code_of(greeting.refusal) not in _DENIED:
        yield failed("bucket", greeting.refusal)
        return
    yield from _probe(bucket, probe_key(host))
    yield _listing(bucket)
    yield _public_access(bucket)
    yield from _lifecycle(bucket, configuration)


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


def _probe(bucket: Bucket, key: str) -> Iterator[Finding]:
    try:
        encryption = bucket.put(key, PROBE)
    except WoomeraError as error:
        yield failed("store", error)
        return
    yield passed("store", f"{bucket.name_of(MESSAGES)} takes messages")
    if encryption:
        yield passed("encryption", f"what is stored is encrypted with {encryption}")
    else:
        remedy = "set storage.encryption: AES256, or see that the disks of that server are encrypted"
        yield warning("encryption", "the server does not say that it encrypts what it stores", remedy)
    yield _digest(bucket, key)
    yield _condition(bucket, key)
    yield _reading(bucket, key)
    yield _deleting(bucket, key)


def _digest(bucket: Bucket, key: str) -> Finding:
    try:
        bucket.put_damaged(key, PROBE)
    except WoomeraError as error:
        if code_of(error) in _REFUSED_DIGEST:
            return passed("digest", "damage on the way to S3 is noticed and refused")
        return failed("digest", error)
    return failure(
        "digest", "the server takes what was damaged on the way", "use an S3 server that verifies Content-MD5"
    )


def _condition(bucket: Bucket, key: str) -> Finding:
    try:
        bucket.put_if_absent(key, PROBE)
    except WoomeraError as error:
        code = code_of(error)
        if code in _REFUSED_CONDITION:
            return passed("conditional writes", "honoured: sweeps on several hosts do not notify twice")
        if code not in _UNKNOWN_TO_THE_SERVER:
            return failed("conditional writes", error)
    return warning(
        "conditional writes",
        "the server ignores If-None-Match: sweeps on two hosts may notify people twice",
        "run `woomera sweep --single-host`, on one host",
    )


def _reading(bucket: Bucket, key: str) -> Finding:
    detail = "sweep, list and resend can read what is stored"
    return _allowed("read", lambda: bucket.get(key), "s3:GetObject", detail)


def _listing(bucket: Bucket) -> Finding:
    detail = "sweep, list and resend can list what is stored"
    return _allowed("list", lambda: bucket.list_one(MESSAGES), "s3:ListBucket", detail)


def _allowed(subject: str, operation: Callable[[], object], right: str, detail: str) -> Finding:
    try:
        operation()
    except WoomeraError as error:
        if code_of(error) not in _DENIED:
            return failed(subject, error)
        return warning(
            subject,
            f"{right} is missing: sweep, list and resend will fail",
            f"grant {right} to these credentials",
        )
    return passed(subject, detail)


def _deleting(bucket: Bucket, key: str) -> Finding:
    try:
        bucket.delete(key)
    except WoomeraError as error:
        if code_of(error) not in _DENIED:
            return failed("delete", error)
        return passed("delete", f"not allowed, and not needed; {key} stays until the lifecycle deletes it")
    return passed("delete", "the probe has been deleted")


def _public_access(bucket: Bucket) -> Finding:
    subject = "public access"
    remedy = "turn on all of Block Public Access for the bucket"
    try:
        settings = bucket.public_access_block()
    except WoomeraError as error:
        if code_of(error) == "NoSuchPublicAccessBlockConfiguration":
            return warning(subject, "Block Public Access is not set on the bucket", remedy)
        return _unseen(subject, error, "s3:GetBucketPublicAccessBlock")
    if off := sorted(name for name, is_on in settings.items() if not is_on):
        return warning(subject, f"Block Public Access leaves {', '.join(off)} off", remedy)
    return passed(subject, "Block Public Access is on")


def _lifecycle(bucket: Bucket, configuration: config.Config) -> Iterator[Finding]:
    try:
        yield from lifecycle(bucket.lifecycle_rules(), configuration)
    except WoomeraError as error:
        if code_of(error) == "NoSuchLifecycleConfiguration":
            yield from lifecycle([], configuration)
        else:
            yield _unseen("lifecycle", error, "s3:GetLifecycleConfiguration")


def lifecycle(rules: Sequence[Mapping[str, Any]], configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of these rules (S3 API reference, LifecycleRule)."""
    storage = configuration.storage
    yield _retention(_expires(rules, storage.prefix + MESSAGES), storage.retention)
    yield from _records(rules, storage.prefix, configuration.archive.prefix)
    if any("AbortIncompleteMultipartUpload" in it for it in _enabled(rules)):
        yield passed("incomplete uploads", "are cleared away")
    else:
        yield warning(
            "incomplete uploads",
            "of other programs stay in the bucket, unseen and paid for",
            "add a lifecycle rule with AbortIncompleteMultipartUpload, 7 days",
        )


def _retention(expires: timedelta | None, retention: timedelta) -> Finding:
    wanted = format_duration(retention)
    if expires is None:
        return warning(
            "lifecycle",
            "no rule deletes messages: they stay, and are paid for, for ever",
            f"add a lifecycle rule that expires messages/ after {wanted} (storage.retention)",
        )
    found = format_duration(expires)
    if expires != retention:
        return warning(
            "lifecycle",
            f"deletes messages after {found}, and storage.retention says {wanted}",
            "make them agree: links end when the message is deleted",
        )
    return passed("lifecycle", f"deletes messages after {found}, as storage.retention says")


def _records(rules: Sequence[Mapping[str, Any]], root: str, archive: str) -> Iterator[Finding]:
    """A sweep knows by processed/ whom it has notified: that has to outlive the copies, and is younger."""
    copies, records = _expires(rules, f"{root}{archive}"), _expires(rules, root + PROCESSED)
    if records is not None and (copies is None or records < copies):
        yield failure(
            "lifecycle",
            f"deletes {root}{PROCESSED} before {root}{archive}: sweeps would notify people again",
            f"keep {root}{PROCESSED} longer, or for ever",
        )


def _expires(rules: Sequence[Mapping[str, Any]], prefix: str) -> timedelta | None:
    """Return after how long objects below `prefix` are deleted; None: never.

    Rules for some of the objects there only (of a tag or a size) are left out.
    """
    days = [
        rule["Expiration"]["Days"]
        for rule in _enabled(rules)
        if prefix.startswith(_prefix(rule)) and rule.get("Expiration", {}).get("Days")
    ]
    return timedelta(days=min(days)) if days else None


def _enabled(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def _prefix(rule: Mapping[str, Any]) -> str:
    """Return the prefix of a rule for all objects below it, else one that nothing begins with."""
    selection = rule.get("Filter", rule)
    others = selection.keys() - {"Prefix"} if "Filter" in rule else set()
    return "\0" if others else str(selection.get("Prefix", ""))


def _unseen(subject: str, error: WoomeraError, right: str) -> Finding:
    code = code_of(error)
    if code in _DENIED:
        return warning(
            subject, f"cannot be seen: {right} is missing", f"grant {right}, or look at it yourself"
        )
    if code in _UNKNOWN_TO_THE_SERVER:
        return warning(subject, f"cannot be seen: the server answers {code}", "look at it yourself")
    return failed(subject, error)
