"""What `woomera check` says of the bucket's lifecycle: what becomes of a large object below messages/.

Rules select by prefix, tags and size, delete by age or by date, and archive; where the bucket keeps versions,
what is deleted is not gone (S3 User Guide, "Managing the lifecycle of objects"; S3 API, LifecycleRule).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from woomera_milter import config
from woomera_milter.check.finding import Finding, failure, passed, unseen, warning
from woomera_milter.config.values import format_duration
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import Bucket, code_of
from woomera_milter.store.keys import MESSAGES, PROCESSED

_RECORD_BYTES = 1024
_DAY = timedelta(days=1)
_ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Classes out of which nothing can be read before it is restored (GLACIER_IR is none of them)."""
Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Object:
    """What the rules are held against, as it would be stored now."""

    key: str
    size_bytes: int
    tags: Mapping[str, str]


def look(bucket: Bucket, configuration: config.Config, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of the bucket's lifecycle."""
    try:
        rules = bucket.lifecycle_rules()
    except WoomeraError as error:
        if code_of(error) != "NoSuchLifecycleConfiguration":
            yield unseen("lifecycle", error, "s3:GetLifecycleConfiguration")
            return
        rules = []
    yield from judge(rules, configuration, now)
    try:
        keeps_versions = bucket.keeps_versions()
    except WoomeraError as error:
        yield unseen("versions", error, "s3:GetBucketVersioning")
        return
    if keeps_versions:
        yield versions(rules, configuration)


def judge(rules: Sequence[Rule], configuration: config.Config, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of these rules, in a bucket that keeps no versions."""
    storage = configuration.storage
    message = _message(configuration)
    expires = _first(_for(message, rules), "Expiration", now)
    yield _retention(expires, storage.retention)
    yield from _archived(_for(message, rules), expires, configuration, now)
    yield from _records(rules, configuration, now)
    if any("AbortIncompleteMultipartUpload" in it for it in _enabled(rules)):
        yield passed("incomplete uploads", "are cleared away")
    else:
        yield warning(
            "incomplete uploads",
            "of other programs stay in the bucket, unseen and paid for",
            "add a lifecycle rule with AbortIncompleteMultipartUpload, 7 days",
        )


def versions(rules: Sequence[Rule], configuration: config.Config) -> Finding:
    """Say whether what the lifecycle deletes is gone, in a bucket that keeps versions."""
    if any("NoncurrentVersionExpiration" in it for it in _for(_message(configuration), rules)):
        return passed("versions", "of deleted messages are deleted, too")
    return warning(
        "versions",
        "the bucket keeps versions: deleted messages are hidden, and stay, and are paid for",
        "add NoncurrentVersionExpiration, 1 day, to the lifecycle rule of messages/",
    )


def _message(configuration: config.Config) -> _Object:
    storage = configuration.storage
    return _Object(f"{storage.prefix}{MESSAGES}2026/", configuration.limit + 1, storage.tags)


def _retention(expires: timedelta | None, retention: timedelta) -> Finding:
    wanted = format_duration(retention)
    if expires is None:
        return warning(
            "lifecycle",
            "no rule deletes large messages: they stay, and are paid for, for ever",
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


def _archived(
    rules: Iterable[Rule], expires: timedelta | None, configuration: config.Config, now: datetime
) -> Iterator[Finding]:
    """An object in an archive class is there, and cannot be had (403, InvalidObjectState)."""
    moves = [move for rule in rules for move in rule.get("Transitions", [])]
    spans = [_span(it, now) for it in moves if it.get("StorageClass") in _ARCHIVES]
    after = min((span for span in spans if span is not None), default=None)
    if after is None or (expires is not None and expires <= after):
        return
    links, remedy = configuration.links.expires, "take messages/ out of that lifecycle rule"
    detail = f"moves messages into an archive class after {format_duration(after)}"
    if after < links:
        yield failure("lifecycle", f"{detail}, while links live {format_duration(links)}: they die", remedy)
    else:
        yield warning("lifecycle", f"{detail}: `woomera resend` cannot read them from then on", remedy)


def _records(rules: Sequence[Rule], configuration: config.Config, now: datetime) -> Iterator[Finding]:
    """A sweep knows by processed/ whom it has notified: that has to outlive the copies, and is younger."""
    storage, archive = configuration.storage, configuration.storage.prefix + configuration.archive.prefix
    processed = storage.prefix + PROCESSED
    copy = _Object(archive, configuration.limit + 1, storage.tags)
    record = _Object(processed, _RECORD_BYTES, storage.tags)
    copies, records = (_first(_for(it, rules), "Expiration", now) for it in (copy, record))
    if records is not None and (copies is None or records < copies):
        yield failure(
            "lifecycle",
            f"deletes {processed} before {archive}: sweeps would notify people again",
            f"keep {processed} longer, or for ever",
        )


def _first(rules: Iterable[Rule], action: str, now: datetime) -> timedelta | None:
    """Return after how long the first of these actions befalls an object that is stored now; None: never."""
    spans = [_span(rule.get(action, {}), now) for rule in rules]
    return min((span for span in spans if span is not None), default=None)


def _span(action: Mapping[str, Any], now: datetime) -> timedelta | None:
    """Return the time until an action in whole days; a date that is past befalls everything at once."""
    if action.get("Days") is not None:
        return timedelta(days=int(action["Days"]))
    date = action.get("Date")
    return max((date.astimezone(UTC) - now) // _DAY * _DAY, timedelta()) if date else None


def _for(stored: _Object, rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in _enabled(rules) if _selects(rule, stored)]


def _enabled(rules: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in rules if rule.get("Status") == "Enabled"]


def _selects(rule: Rule, stored: _Object) -> bool:
    chosen = rule.get("Filter", rule)
    chosen = chosen.get("And", chosen)
    tags = [*chosen.get("Tags", []), *([chosen["Tag"]] if "Tag" in chosen else [])]
    return (
        stored.key.startswith(chosen.get("Prefix", ""))
        and all(stored.tags.get(it["Key"]) == it["Value"] for it in tags)
        and chosen.get("ObjectSizeGreaterThan", -1) < stored.size_bytes
        and stored.size_bytes < chosen.get("ObjectSizeLessThan", stored.size_bytes + 1)
    )
