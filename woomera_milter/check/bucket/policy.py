"""What `woomera check` says of the bucket's policy: does it end links early, or for some networks?

A link has its signer's rights, of which a Deny of the bucket takes away (IAM User Guide, "Policy evaluation
logic"). A link that is tried from this host, now, shows neither what its age nor what another network does to
it (S3 User Guide, "Limiting presigned URL capabilities").
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from woomera_milter import config
from woomera_milter.check.finding import Finding, passed, unseen, warning
from woomera_milter.config.values import format_duration
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import Bucket, code_of
from woomera_milter.store.keys import MESSAGES

_SUBJECT = "policy"
_ACTION = "s3:getobject"
_AGE = "s3:signatureage"
"""In milliseconds."""
_AUTHENTICATION = "s3:authtype"
_NETWORKS = {
    "aws:sourceip": "aws:SourceIp",
    "aws:vpcsourceip": "aws:VpcSourceIp",
    "aws:sourcevpc": "aws:SourceVpc",
    "aws:sourcevpce": "aws:SourceVpce",
    "aws:sourcevpcarn": "aws:SourceVpcArn",
}
Condition = tuple[str, str, tuple[str, ...]]
"""Operator and key, in lower case, and values."""


def look(bucket: Bucket, configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of the bucket's policy."""
    try:
        statements = bucket.policy_statements()
    except WoomeraError as error:
        if code_of(error) != "NoSuchBucketPolicy":
            yield unseen(_SUBJECT, error, "s3:GetBucketPolicy")
            return
        statements = []
    yield from judge(statements, configuration)


def judge(statements: Iterable[Mapping[str, Any]], configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of these statements."""
    storage, links = configuration.storage, configuration.links
    message = f"arn:aws:s3:::{storage.bucket}/{storage.prefix}{MESSAGES}2026/11/24/id/message.eml"
    denied = [_conditions(it) for it in statements if it.get("Effect") == "Deny" and _is_about(it, message)]
    found = [finding for conditions in denied for finding in _troubles(conditions, links)]
    yield from dict.fromkeys(found)
    if not found:
        yield passed(_SUBJECT, "no Deny of the bucket's ends links early, or by network")


def _troubles(conditions: list[Condition], links: config.Links) -> Iterator[Finding]:
    is_presigned = links.kind == "presigned"
    for operator, key, values in conditions:
        if key in _NETWORKS:
            yield warning(
                _SUBJECT,
                f"opens objects to some networks alone ({_NETWORKS[key]}): elsewhere links are dead",
                "take messages/ out of that Deny for s3:GetObject, or see that all recipients are there",
            )
        elif key == _AGE and is_presigned and operator.startswith("numericgreaterthan"):
            ages = [timedelta(milliseconds=float(it)) for it in values if re.fullmatch(r"\d{1,15}", it)]
            if ages and min(ages) < links.expires:
                yield warning(
                    _SUBJECT,
                    f"ends links after {_span(min(ages))} (s3:signatureAge), while links.expires says "
                    f"{format_duration(links.expires)}",
                    "take messages/ out of that Deny for s3:GetObject, or set links.expires to that",
                )
        elif key == _AUTHENTICATION and is_presigned and _denies_queries(operator, values):
            yield warning(
                _SUBJECT,
                "refuses all that is signed in its address (s3:authType): no link opens",
                "take messages/ out of that Deny for s3:GetObject",
            )


def _span(age: timedelta) -> str:
    return format_duration(timedelta(seconds=int(age.total_seconds())))


def _denies_queries(operator: str, values: Iterable[str]) -> bool:
    is_named = "REST-QUERY-STRING" in values
    return is_named == (not operator.startswith("stringnot"))


def _is_about(statement: Mapping[str, Any], message: str) -> bool:
    """Tell whether it is about reading messages, by its Action or NotAction, Resource or NotResource."""
    return _matches(statement, "Action", _ACTION, lowered=True) and _matches(statement, "Resource", message)


def _matches(statement: Mapping[str, Any], name: str, value: str, *, lowered: bool = False) -> bool:
    def is_among(patterns: Any) -> bool:
        return any(_is_like(it.lower() if lowered else it, value) for it in _texts(patterns))

    if name in statement:
        return is_among(statement[name])
    return f"Not{name}" in statement and not is_among(statement[f"Not{name}"])


def _is_like(pattern: str, value: str) -> bool:
    """`*` stands for any characters, `?` for one; the partition of an ARN may be another than aws."""
    pattern = re.sub(r"\Aarn:[a-z-]+:", "arn:aws:", pattern)
    if "${" in pattern:  # a variable, which the request fills
        pattern = re.sub(r"\$\{[^}]*\}", "*", pattern)
    parts = [re.escape(it) for it in pattern.split("*")]
    return bool(re.fullmatch(".*".join(parts).replace(r"\?", "."), value, re.DOTALL))


def _conditions(statement: Mapping[str, Any]) -> list[Condition]:
    found = statement.get("Condition")
    return [
        (operator.lower().rpartition(":")[2], key.lower(), tuple(_texts(values)))
        for operator, keys in (found.items() if isinstance(found, dict) else ())
        for key, values in (keys.items() if isinstance(keys, dict) else ())
    ]


def _texts(values: Any) -> list[str]:
    return [str(it) for it in (values if isinstance(values, list) else [values])]
