"""What a single value of config.yaml may be: sizes, spans of time, numbers, text and secrets.

Each parser takes what YAML gave (or the finished value, so that models can be built in code) and
returns the finished value, or raises ValueError with one sentence: "VALUE is not ...; REMEDY".
Numbers, dates and truth words reach the parsers as the text that was written (yaml_file.py sees to
that): a password 0123 stays one, and messages show values as the file has them.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, SecretStr

KB = 1024
MB = 1024 * KB
GB = 1024 * MB

_SIZE_UNITS = {"GB": GB, "MB": MB, "KB": KB, "B": 1, "": 1}
_DURATION_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_TRUTH = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_MAX_TEXT_CHARS = 200
_MAX_SHOWN_CHARS = 80
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories: control, format, surrogate, line breaks


class Unquoted(str):
    """Text that stood in the file without quotes, where YAML takes yes, no, on and off for truth values."""

    __slots__ = ()


def shown(value: object) -> str:
    """`value` as a message may show it: on one line, not too long, containers by their kind only."""
    match value:
        case None:
            return "an empty value"
        case bool():
            return str(value).lower()
        case list() | tuple():
            return "a list"
        case dict():
            return "a section"
    text = str(value)
    if len(text) > _MAX_SHOWN_CHARS:
        text = f"{text[:_MAX_SHOWN_CHARS]}..."
    if text and text.isprintable() and " " not in text:
        return text
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text) + '"'


def wrong(value: object, what: str, remedy: str) -> ValueError:
    """The error that says that `value` is not `what`."""
    return ValueError(f"{shown(value)} is not {what}; {remedy}")


def parse_string(value: object, what: str, remedy: str) -> str:
    """`value` if it is one line of text, not empty; `what` and `remedy` are for the error if it is not."""
    if isinstance(value, Unquoted) and value.lower() in _TRUTH:
        raise ValueError(f'{value} without quotes is a yes or no, not {what}; write "{value}" in quotes')
    if not isinstance(value, str) or not value:
        raise wrong(value, what, remedy)
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise ValueError(f"{shown(value)} has a line break or another control character in it; remove it")
    if len(value) > _MAX_TEXT_CHARS:
        raise ValueError(f"{shown(value)} is longer than {_MAX_TEXT_CHARS} characters; shorten it")
    return str(value)


def parse_size(value: object) -> int:
    """A size in bytes from `10MB`, `1.5GB`, `512`. 1 KB is 1024 bytes, as SES counts."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6}(?= ?[KMG]))?) ?([KMG]?B|)", str(value), re.IGNORECASE)
    if match is None:
        raise wrong(value, "a size", "write a number and B, KB, MB or GB, such as 10MB")
    return int(float(match[1]) * _SIZE_UNITS[match[2].upper()])


def format_size(size_bytes: int) -> str:
    """The shortest exact way to write a size in config.yaml: `10MB`, `10238KB`, `1000B`."""
    unit = next(unit for unit, factor in _SIZE_UNITS.items() if size_bytes % factor == 0)
    return f"{size_bytes // _SIZE_UNITS[unit]}{unit}" if size_bytes else "0"


def parse_duration(value: object) -> timedelta:
    """A span of time from `30s`, `5m`, `12h`, `7d`."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"([0-9]{1,6})([smhd]?)", str(value))
    if match is None:
        raise wrong(
            value, "a span of time", "write a whole number and s, m, h or d, such as 30s, 5m, 12h or 7d"
        )
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{value} has no unit; write {value}s, {value}m, {value}h or {value}d")
    return int(number) * _DURATION_UNITS[unit]


def format_duration(duration: timedelta) -> str:
    """The shortest exact way to write a span of whole seconds in config.yaml: `7d`, `36h`, `0s`."""
    unit = next((unit for unit, span in _DURATION_UNITS.items() if duration and not duration % span), "s")
    return f"{duration // _DURATION_UNITS[unit]}{unit}"


def _parse_positive_duration(value: object) -> timedelta:
    duration = parse_duration(value)
    if duration <= timedelta(0):
        raise ValueError(f"{shown(value)} is no time at all; use 1s or more")
    return duration


def _parse_days(value: object) -> timedelta:
    duration = parse_duration(value)
    if not duration or duration % timedelta(days=1):
        raise wrong(
            value, "a number of whole days, which is what S3 lifecycles count", "write 30d, for example"
        )
    return duration


def _parse_truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    truth = _TRUTH.get(str(value).lower())
    if truth is None:
        raise wrong(value, "true or false", "write one of them")
    return truth


def whole_number(low: int, high: int) -> BeforeValidator:
    """The validator of a whole number from `low` to `high`."""

    def parse(value: object) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", str(value)) or not low <= int(str(value)) <= high:
            raise wrong(value, f"a whole number from {low} to {high}", "write one, without a unit")
        return int(str(value))

    return BeforeValidator(parse)


def matching(pattern: str, what: str, remedy: str) -> BeforeValidator:
    """The validator of a text that `pattern` (ASCII only) describes whole."""

    def parse(value: object) -> str:
        text = parse_string(value, what, remedy)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise wrong(value, what, remedy)
        return text

    return BeforeValidator(parse)


def none_is_empty(parse: Callable[[object], str]) -> Callable[[object], str]:
    """`parse` for a text that may be empty: `KEY:` without a value is null in YAML."""
    return lambda value: "" if value is None or value == "" else parse(value)


def _parse_line(value: object) -> str:
    return parse_string(value, "text", "write it in quotes")


def parse_secret(value: object) -> SecretStr:
    """A password or key. No message about it shows any of it."""
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str) or (isinstance(value, Unquoted) and value.lower() in _TRUTH):
        raise ValueError("the value is not text; write it in quotes, or null for none")
    if not value:
        raise ValueError("the value is empty; write null for none")
    if value != value.strip() or not value.isprintable():
        raise ValueError("the value has a space at an end or a control character in it; remove that")
    return SecretStr(str(value))


def _parse_password(value: object) -> SecretStr:
    """smtplib sends user name and password in ASCII only."""
    secret = parse_secret(value)
    if not secret.get_secret_value().isascii():
        raise ValueError(
            "the value has a character beyond ASCII in it, which Woomera's login cannot send; "
            "choose another password"
        )
    return secret


def _parse_access_key_id(value: object) -> str:
    """No secret, but where a person swapped the two keys it is one: so messages do not show it either."""
    key_id = parse_secret(value).get_secret_value()
    if key_id.startswith("ASIA"):
        raise ValueError(
            "this is a temporary key, which needs a session token that has no place here; "
            "use profile, the AWS default chain or the keys of an IAM user"
        )
    if not re.fullmatch(r"[\w.@-]{3,128}", key_id, re.ASCII):
        raise ValueError("this cannot be an access key id; see whether it and secret_access_key are swapped")
    return key_id


Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
PositiveDuration = Annotated[timedelta, BeforeValidator(_parse_positive_duration)]
Days = Annotated[timedelta, BeforeValidator(_parse_days)]
Truth = Annotated[bool, BeforeValidator(_parse_truth)]
Count = Annotated[int, whole_number(1, 1000)]
Line = Annotated[str, BeforeValidator(none_is_empty(_parse_line))]
Name = Annotated[str, matching(r"\S+", "a name", "write it without spaces, or null for none")]
UserName = Annotated[str, matching(r"[!-~]+", "a name", "write it in ASCII without spaces, or null for none")]
Secret = Annotated[SecretStr, BeforeValidator(parse_secret)]
Password = Annotated[SecretStr, BeforeValidator(_parse_password)]
AccessKeyId = Annotated[str, BeforeValidator(_parse_access_key_id)]
