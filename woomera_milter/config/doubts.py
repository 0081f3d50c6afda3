"""What works in config.yaml and is probably not meant: allowed, but worth a warning."""

import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from woomera_milter.config.models import Config
from woomera_milter.config.names import is_loopback, socket_host
from woomera_milter.config.rules import s3_urls
from woomera_milter.config.values import MB, format_size

MAX_SES_BYTES = 40 * MB  # SES quotas: SMTP and API v2, after base64
SENDMAIL_END_OF_MESSAGE_TIMEOUT = timedelta(minutes=5)  # sendmail's default for E: in a filter's T=
LONGEST_HAND_OVER = timedelta(minutes=15)  # RFC 5321 section 4.5.3.2: DATA, the message, the reply to it
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_EXAMPLES = frozenset({"example.com", "example.net", "example.org"})  # RFC 2606 section 3: nobody's
_WORLD_WRITABLE = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108  (named to warn of them)  # nosec B108


def warnings(config: Config, path: Path) -> list[str]:
    """What works and is probably not meant, in the form of the errors of `load`; `path` is the config's."""
    found = (*_readable_by_others(config, path), *_doubtful_links(config), *_doubtful_milters(config))
    found += (*_doubtful_prefixes(config), *_doubtful_lease(config))
    return [f"{path}: {warning}" for warning in found]


def examples(config: Config, path: Path) -> list[str]:
    """The addresses that are nobody's, such as the sample's, in the form of `warnings`.

    They are for `woomera check`, not for each command: a host on which Woomera is tried has them by right.
    """
    addresses = (
        ("notice.contact", config.notice.contact),
        ("sweep.sender", config.sweep.sender),
        ("report.sender", config.report.sender),
        *(("report.to", address) for address in config.report.to),
    )
    return [
        f"{path}: {key}: {address} is an example, and nobody's; write one of yours"
        for key, address in addresses
        if address and address.rpartition("@")[2].lower() in _EXAMPLES
    ]


def _readable_by_others(config: Config, path: Path) -> Iterator[str]:
    mode = path.stat().st_mode
    remedy = f"chmod o-rwx {path}, and chgrp it to the group that Woomera runs as"
    secrets = (config.storage.secret_access_key, config.links.secret_access_key, config.mail.password)
    if mode & stat.S_IROTH and any(secrets):
        yield f"holds secrets, and every user of this host can read it; {remedy}"
    if mode & stat.S_IWOTH:
        yield f"every user of this host can change it; {remedy}"
    key_file = config.links.cloudfront.private_key_file
    if key_file is not None and key_file.stat().st_mode & stat.S_IROTH:
        yield f"links.cloudfront.private_key_file: every user can read {key_file}; chmod o-rwx {key_file}"
    templates = config.notice.templates
    if templates is not None and templates.stat().st_mode & stat.S_IWOTH:
        yield (
            f"notice.templates: every user can put templates, which run as Woomera, into {templates}; "
            f"chmod o-w {templates}"
        )


def _doubtful_links(config: Config) -> Iterator[str]:
    links, storage = config.links, config.storage
    if links.expires > storage.retention:
        yield (
            "links.expires: longer than storage.retention, so links end when the bucket deletes the message; "
            "make storage.retention longer, or links.expires shorter"
        )
    for key, url in s3_urls(config):
        if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
            yield f"{key}: {url} carries mail unencrypted; use https://"
    if links.kind == "presigned" and links.endpoint_url is None and storage.endpoint_url is not None:
        host = urlsplit(storage.endpoint_url).hostname or ""
        if not host.endswith(_AWS_DOMAINS):
            yield (
                f"links.endpoint_url: null makes links to AWS, while {storage.endpoint_url} stores the mail; "
                "write the URL at which recipients reach that server"
            )


def _doubtful_milters(config: Config) -> Iterator[str]:
    if config.limit > MAX_SES_BYTES:
        largest = format_size(MAX_SES_BYTES)
        yield f"limit: {format_size(config.limit)} is more than SES takes; use {largest} or less with SES"
    for key, socket in (("milter.socket", config.milter.socket), ("archive.socket", config.archive.socket)):
        host = socket_host(socket)
        if host is not None and not is_loopback(host):
            yield f"{key}: {socket} is open to other hosts, and milters ask no password; use 127.0.0.1"
        if socket.removeprefix("unix:").startswith(_WORLD_WRITABLE):
            yield f"{key}: sendmail refuses {socket}, as others may write there; use a folder below /run"
    if config.milter.deadline >= SENDMAIL_END_OF_MESSAGE_TIMEOUT:
        yield (
            "milter.deadline: sendmail gives a filter up after 5m unless told otherwise; "
            "use less, or raise E: in the filter's T= well above it"
        )


def _doubtful_prefixes(config: Config) -> Iterator[str]:
    swept, archived, root = config.sweep.prefix, config.archive.prefix, config.storage.prefix
    for key, prefix in (("sweep.prefix", swept), ("archive.prefix", archived)):
        if root and prefix.startswith(root):
            yield f"{key}: it counts from storage.prefix, so {root}{prefix} is meant; leave {root} out if not"
    if not archived.startswith(swept):
        yield (
            f"archive.prefix: {archived} is not inside sweep.prefix, {swept}, so sweeps miss what archive "
            "stores; use the same for both"
        )


def _doubtful_lease(config: Config) -> Iterator[str]:
    if config.mail.via == "smtp" and config.sweep.lease < LONGEST_HAND_OVER:
        yield (
            "sweep.lease: a mail server may take up to 15m over a message, and after the lease another "
            "sweep sends the same notice; use 15m or more"
        )
