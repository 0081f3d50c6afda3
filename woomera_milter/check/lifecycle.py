"""What `woomera check` says of the bucket's lifecycle: how long mail and the sweep's records stay."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from woomera_milter import config
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.check.s3_rights import unseen
from woomera_milter.config.values import format_duration
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import Bucket, code_of
from woomera_milter.store.keys import MESSAGES, PROCESSED


def look(bucket: Bucket, configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of the bucket's lifecycle."""
    try:
        yield from judge(bucket.lifecycle_rules(), configuration)
    except WoomeraError as error:
        if code_of(error) == "NoSuchLifecycleConfiguration":
            yield from judge([], configuration)
        else:
            yield unseen("lifecycle", error, "s3:GetLifecycleConfiguration")


def judge(rules: Sequence[Mapping[str, Any]], configuration: config.Config) -> Iterator[Finding]:
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
