"""How config.yaml names things outside it: addresses, sockets, hosts, buckets, folders, time zones.

The parsers keep the contract of values.py.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator

from woomera_milter.config.values import matching, none_is_empty, parse_string, shown, whole_number, wrong

_LABEL = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"  # with the underscore that container networks use
_HOST = rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*"
_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]+"
_ADDRESS = rf"(?=.{{1,64}}@){_ATOM}(\.{_ATOM})*@{_HOST}"
_RESERVED_BUCKETS = r"^xn--|^sthree-|^amzn-s3-demo-|-s3alias$|--ol-s3$|\.mrap$|--x-s3$|--table-s3$"
_OWN_FIELD = re.compile(
    r"from|sender|to|cc|bcc|reply-to|subject|date|message-id|references|in-reply-to|mime-version|content-.*"
    r"|received|return-path|resent-.*|dkim-signature|auto-submitted|x-woomera-id"
)
_FIELD_NAME, _FIELD_TEXT = re.compile(r"[!-9;-~]{1,76}"), re.compile(r"[!-~](?:[ -~]{0,898}[!-~])?")
_MOST_HEADER_BYTES = 1024  # what a notice has room for
_TAG, _TAG_KEY, _TAG_VALUE, _MOST_TAGS = re.compile(r"[\w +\-=.:/@]+"), 128, 256, 10
_MAX_UNIX_SOCKET_OCTETS = 107  # sun_path of unix(7) is 108 with its final NUL


OWN_FOLDERS = ("messages/", "processed/", "sweep/", "stats/", "reports/")
"""Below storage.prefix, for what Woomera itself stores: store/keys.py says what is in each."""


LANGUAGES = (
    *("ar", "bg", "cs", "da", "de", "el", "en", "es", "fi", "fr", "he", "hu", "it", "ja", "ko", "nb", "nl"),
    *("pl", "pt", "ro", "ru", "sv", "tr", "uk", "zh-Hans", "zh-Hant"),
)
"""Those that notices can speak, by their tags (BCP 47): English, and the folders of woomera_milter/locale."""


def is_loopback(host: str) -> bool:
    """Whether only this very host can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_ip_address(host: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    return _is_ip_address(host, 6) or re.fullmatch(_HOST, host, re.ASCII) is not None


def _parse_language(value: object) -> str:
    what, remedy = "a language", f"write one of {', '.join(LANGUAGES)}"
    text = parse_string(value, what, remedy)
    found = next((it for it in LANGUAGES if it.lower() == text.lower().replace("_", "-")), None)
    if found is None:
        raise wrong(value, what, remedy)
    return found


def _parse_mail_host(value: object) -> str:
    what, remedy = "a host name", "write it alone, such as localhost, without smtp://, port or brackets"
    text = parse_string(value, what, remedy)
    if not _is_host(text):
        raise wrong(value, what, remedy)
    return text


def parse_email(value: object) -> str:
    """One address that SES takes: ASCII, no display name (RFC 5321 section 4.1.2, as a Dot-string)."""
    what, remedy = "an e-mail address", "write one such as postmaster@example.com"
    text = parse_string(value, what, remedy)
    if not text.isascii():
        raise ValueError(f"{shown(value)} is not all ASCII, which SES wants; write the domain as xn--...")
    if re.search(r"[<>, ]", text):
        raise wrong(value, "one bare e-mail address", "write the address alone, one an entry")
    if not re.fullmatch(_ADDRESS, text, re.ASCII):
        raise wrong(value, what, remedy)
    return text


def parse_socket(value: object) -> str:
    """A milter socket as libmilter takes it: unix:/path, inet:port@host, inet6:port@host."""
    what, remedy = "a socket", "write unix:/run/woomera/milter.sock or inet:8894@127.0.0.1"
    text = parse_string(value, what, remedy)
    kind, _, address = text.partition(":")
    if kind == "unix":
        if not address.startswith("/"):
            raise ValueError(f"{shown(text)} has no absolute path; write unix:/run/woomera/milter.sock")
        if len(os.fsencode(address)) > _MAX_UNIX_SOCKET_OCTETS:
            raise ValueError(
                f"{shown(text)} is longer than {_MAX_UNIX_SOCKET_OCTETS} octets, a socket's most; shorten it"
            )
        return text
    port, _, host = address.partition("@")
    if kind not in ("inet", "inet6") or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise wrong(value, what, f"write unix:{shown(text)}" if text.startswith("/") else remedy)
    if not host:
        raise ValueError(f"{text} would listen on every interface; write {text.rstrip('@')}@127.0.0.1")
    if not _is_host(host.strip("[]")):
        raise wrong(value, what, remedy)
    return text


def socket_host(socket: str) -> str | None:
    """The host that a socket listens on; None for a unix socket."""
    return socket.partition("@")[2].strip("[]") if socket.startswith("inet") else None


def parse_bucket(value: object) -> str:
    """A bucket's name by S3's rules (S3 User Guide, "General purpose bucket naming rules")."""
    what = "a bucket's name"
    text = parse_string(value, what, "write the name of your bucket")
    if "/" in text or ":" in text:
        raise wrong(value, what, "write the name alone, and a folder of it into storage.prefix")
    if text != text.lower() or "_" in text:
        raise wrong(value, what, "use small letters, digits, hyphens and dots")
    if (
        not re.fullmatch(r"(?=.{3,63}\Z)[a-z0-9]([a-z0-9.-]*[a-z0-9])", text)
        or ".." in text
        or _is_ip_address(text, 4)
    ):
        raise wrong(value, what, "use 3 to 63 of a-z, 0-9, hyphen and dot, and no IP address")
    if reserved := re.search(_RESERVED_BUCKETS, text):
        raise ValueError(
            f"{text} has {reserved[0]}, which S3 keeps for itself; write the name of your bucket"
        )
    return text


def parse_endpoint(value: object) -> str:
    """The URL of an S3 or SES server: scheme, host and port, no more."""
    what, remedy = "the URL of a server", "write https:// and the host, such as https://s3.example.com"
    text = parse_string(value, what, remedy)
    if "@" in text:
        raise ValueError("the URL has a user name or password in it; use profile or the access keys for that")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise wrong(value, what, remedy) from error
    if url.scheme not in ("http", "https") or not _is_host(url.hostname or "") or port == 0:
        raise wrong(value, what, remedy)
    server = f"{url.scheme}://{url.netloc}"
    if text not in (server, f"{server}/"):
        raise ValueError(f"{shown(value)} has more than a host; write {server}")
    return server


def _parse_prefix(value: object) -> str:
    """The beginning of S3 keys: folders that each end with a slash."""
    what = "a prefix"
    text = parse_string(value, what, "write one such as archive/")
    if not re.fullmatch(r"[\w!.*'()=/-]+", text, re.ASCII):
        raise wrong(value, what, "use letters, digits, hyphens, dots and slashes")
    proper = "".join(f"{folder}/" for folder in text.split("/") if folder not in ("", ".", ".."))
    if text != proper:
        raise wrong(value, what, f"write {proper or 'one such as archive/'}")
    return text


def _parse_folder(value: object) -> str:
    """A prefix for copies of mail, so not empty, and apart from what Woomera itself stores."""
    prefix = _parse_prefix(value)
    if prefix.startswith(OWN_FOLDERS):
        raise ValueError(f"{prefix} is in a folder that Woomera keeps for itself; write one such as archive/")
    return prefix


def parse_path(value: object) -> Path:
    """An absolute path: whatever the folder that the daemon was started in."""
    text = parse_string(str(value) if isinstance(value, Path) else value, "a path", "write it from / on")
    if not text.startswith("/"):
        raise wrong(value, "an absolute path", "write it from / on")
    return Path(text)


def _existing(is_usable: Callable[[Path], bool], what: str, remedy: str) -> BeforeValidator:
    def parse(value: object) -> Path:
        path = parse_path(value)
        if not is_usable(path):
            raise wrong(value, what, remedy)
        return path

    return BeforeValidator(parse)


def _is_readable_folder(path: Path) -> bool:
    return os.access(path, os.R_OK | os.X_OK) and path.is_dir()


def _is_readable_file(path: Path) -> bool:
    return os.access(path, os.R_OK) and path.is_file()


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK) and path.is_file()


def parse_timezone(value: object) -> ZoneInfo:
    """A zone of the IANA time zone database."""
    if isinstance(value, ZoneInfo):
        return value
    name = parse_string(value, "a time zone", "write one such as UTC or Europe/Berlin")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a folder
        near = difflib.get_close_matches(name, available_timezones(), n=1)
    raise wrong(
        value, "a time zone", f"did you mean {near[0]}?" if near else "write one such as Europe/Berlin"
    )


def _parse_tags(value: object) -> dict[str, str]:
    """Tags of objects (S3 User Guide, "Categorizing your storage using tags")."""
    remedy = "write each as KEY: VALUE, in quotes where it is no plain word"
    if not isinstance(value, dict):
        raise wrong(value, "a mapping of tags", remedy)
    tags = {str(key): "" if text is None else text for key, text in value.items()}
    for key, text in tags.items():
        whole = isinstance(text, str) and _TAG.fullmatch(f"{key}={text}")
        if not whole or len(key) > _TAG_KEY or len(text) > _TAG_VALUE:
            raise wrong(f"{key}: {text}", "a tag of S3's", remedy)
    if len(tags) > _MOST_TAGS:
        raise wrong(len(tags), "a number of tags", f"an object has {_MOST_TAGS} at most")
    return tags


def _parse_headers(value: object) -> dict[str, str]:
    """Header fields (RFC 5322 section 2.2) of one's own; those that a mail has anyway are Woomera's."""
    remedy = "write each as NAME: VALUE, such as X-SES-CONFIGURATION-SET: NAME"
    if not isinstance(value, dict):
        raise wrong(value, "a mapping of header fields", remedy)
    fields = {str(name): text if isinstance(text, str) else str(text) for name, text in value.items()}
    for name, text in fields.items():
        if not (_FIELD_NAME.fullmatch(name) and _FIELD_TEXT.fullmatch(text)):
            raise wrong(f"{name}: {text}", "a header field in ASCII, on one line", remedy)
        if _OWN_FIELD.fullmatch(name.lower()):
            raise wrong(name, "a field of your own", f"leave it to Woomera; {remedy}")
    if len({name.lower() for name in fields}) < len(fields):
        raise wrong(", ".join(fields), "a mapping of fields that are there once", "leave one of them out")
    if sum(len(name) + len(text) + 4 for name, text in fields.items()) > _MOST_HEADER_BYTES:
        raise wrong("all of them", f"within {_MOST_HEADER_BYTES} characters", "leave some out")
    return fields


Email = Annotated[str, BeforeValidator(parse_email)]
MailHost = Annotated[str, BeforeValidator(_parse_mail_host)]
Port = Annotated[int, whole_number(1, 65535)]
Socket = Annotated[str, BeforeValidator(parse_socket)]
Bucket = Annotated[str, BeforeValidator(parse_bucket)]
Endpoint = Annotated[str, BeforeValidator(parse_endpoint)]
Prefix = Annotated[str, BeforeValidator(none_is_empty(_parse_prefix))]
Folder = Annotated[str, BeforeValidator(_parse_folder)]
AbsolutePath = Annotated[Path, BeforeValidator(parse_path)]
TimeZone = Annotated[ZoneInfo, BeforeValidator(parse_timezone)]
Region = Annotated[str, matching(r"[a-z0-9-]+", "a region", "write its code, such as us-east-1")]
Mailer = Annotated[str, matching(r"[\w-]+", "the name of a sendmail mailer", "write one such as relay")]
Domain = Annotated[str, matching(_HOST, "a host name", "write it alone, such as files.example.com")]
Language = Annotated[str, BeforeValidator(_parse_language)]
KeyPairId = Annotated[
    str, matching(r"[A-Z0-9]{8,32}", "the id of a CloudFront public key", "write it as CloudFront shows it")
]
Headers = Annotated[dict[str, str], BeforeValidator(_parse_headers)]
Tags = Annotated[dict[str, str], BeforeValidator(_parse_tags)]
ExistingFolder = Annotated[
    Path,
    _existing(_is_readable_folder, "a folder that can be read", "make it, or correct the path or its mode"),
]
ExistingFile = Annotated[
    Path,
    _existing(_is_readable_file, "a file that can be read", "put it there, or correct the path or its mode"),
]
Program = Annotated[
    Path, _existing(_is_program, "a program that can be run", "write its path, or null to have it looked up")
]
