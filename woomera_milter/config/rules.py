"""What must hold between the keys of config.yaml, and what is allowed but deserves a warning.

Each rule names all keys that it looked at, so that no rule blames a key for another that is
broken in itself; the first of them is the one that the message names.
"""

import re
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from woomera_milter.config.models import Config, Links, Storage
from woomera_milter.config.names import is_loopback, socket_host
from woomera_milter.config.values import KB, MB, format_size, shown

MAX_PRESIGNED = timedelta(days=7)  # SigV4's X-Amz-Expires: 604,800 s at most
MAX_NOTICE_BYTES = 100 * KB
MAX_INCLUDED_TEXT_BYTES = 64 * KB
MAX_SES_BYTES = 40 * MB  # SES quotas: SMTP and API v2, after base64
SENDMAIL_END_OF_MESSAGE_TIMEOUT = timedelta(minutes=5)  # sendmail's default for E: in a filter's T=
MAX_LEASE = timedelta(days=7)  # notifier.py tries for as long; claims.py would not read one of 1e9 s
MAX_RELAY_REPLY = timedelta(minutes=10)  # RFC 5321 section 4.5.3.2.6: the reply to a message
DEFAULT_MARK = " (the default)"
_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]+"
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_EXAMPLES = frozenset({"example.com", "example.net", "example.org"})  # RFC 2606 section 3: nobody's
_WORLD_WRITABLE = ("/tmp/", "/var/tmp/", "/dev/shm/")  # noqa: S108  (named to warn of them)  # nosec B108

Written = Callable[[str], str]
"""Gives a key's value as it stands in the file, or its default and DEFAULT_MARK."""


class Contradiction(NamedTuple):
    """A sentence, remedy included, that says what does not fit together, and the keys that it is about."""

    sentence: str
    keys: tuple[str, ...]


def contradictions(config: Config, written: Written) -> Iterator[Contradiction]:
    """All that cannot work, though each value may be right by itself."""
    yield from _sizes(config, written)
    yield from _storage(config, written)
    yield from _endpoints(config, written)
    yield from _signers(config)
    yield from _link_ends(config, written)
    yield from _cloudfront(config)
    yield from _mail(config, written)
    yield from _ses_api(config, written)
    yield from _shared_by_milters(config, written)
    if config.sweep.lease > MAX_LEASE:
        yield Contradiction(
            f"{written('sweep.lease')} is longer than the 7 days for which sweeps try; use 15m",
            ("sweep.lease",),
        )
    if config.report.to and config.report.sender is None:
        yield Contradiction(
            "missing, while report.to has addresses; write the address that reports come from",
            ("report.sender", "report.to"),
        )


def _sizes(config: Config, written: Written) -> Iterator[Contradiction]:
    limit, allowance = config.limit, config.milter.allowance
    if limit < MAX_NOTICE_BYTES:
        yield Contradiction(
            f"{written('limit')} is less than a notice itself may have, {format_size(MAX_NOTICE_BYTES)}; "
            "use the size above which the relay refuses mail, such as 10MB",
            ("limit",),
        )
    elif allowance >= limit:
        yield Contradiction(
            f"{written('milter.allowance')} leaves nothing of limit, {written('limit')}; use 2KB",
            ("milter.allowance", "limit"),
        )
    elif "min_size" in config.archive.model_fields_set and config.archive.min_size > largest_min_size(config):
        yield Contradiction(
            f"{written('archive.min_size')} is more than half of limit less milter.allowance, and would "
            f"miss mail; use {_round(largest_min_size(config))} or less",
            ("archive.min_size", "limit", "milter.allowance"),
        )
    if config.notice.include_text > MAX_INCLUDED_TEXT_BYTES:
        largest = format_size(MAX_INCLUDED_TEXT_BYTES)
        yield Contradiction(
            f"{written('notice.include_text')} makes notices too large; use {largest} or less",
            ("notice.include_text",),
        )


def largest_min_size(config: Config) -> int:
    """The largest archive.min_size, in bytes, that surely keeps all that is over the limit.

    {msg_size} counts line ends as one octet, so on the wire a message has at most twice as many.
    """
    return (config.limit - config.milter.allowance) // 2


def _round(size_bytes: int) -> str:
    """`size_bytes`, or a little less, as a person would write it."""
    return format_size(next(size_bytes // unit * unit for unit in (MB, KB, 1) if size_bytes >= unit))


def _storage(config: Config, written: Written) -> Iterator[Contradiction]:
    storage = config.storage
    if storage.kms_key_id is not None and storage.encryption != "aws:kms":
        yield Contradiction(
            f"has no effect with storage.encryption: {storage.encryption}; use aws:kms there, or null here",
            ("storage.kms_key_id", "storage.encryption"),
        )
    if storage.endpoint_url is not None:
        return
    if storage.addressing == "virtual" and "." in storage.bucket:
        yield Contradiction(
            f"virtual fails over TLS: S3's certificate does not fit the dots of {storage.bucket}; use auto",
            ("storage.addressing", "storage.bucket", "storage.endpoint_url"),
        )
    if storage.region is not None and not re.fullmatch(_REGION, storage.region):
        yield Contradiction(
            _no_aws_region(written("storage.region")), ("storage.region", "storage.endpoint_url")
        )


def _no_aws_region(region: str) -> str:
    zone = re.fullmatch(rf"({_REGION})[a-z]", region)
    remedy = f"write {zone[1]}, which that zone is in" if zone else "write it as AWS does, such as us-east-1"
    return f"{region} is not a region of AWS; {remedy}"


def _s3_urls(config: Config) -> Iterator[tuple[str, str]]:
    if config.storage.endpoint_url is not None:
        yield "storage.endpoint_url", config.storage.endpoint_url
    if config.links.endpoint_url is not None:
        yield "links.endpoint_url", config.links.endpoint_url


def _endpoints(config: Config, written: Written) -> Iterator[Contradiction]:
    in_front = f"://{config.storage.bucket}."
    for key, url in _s3_urls(config):
        if in_front in url:
            yield Contradiction(
                f"{written(key)} has the bucket in it, which is put there anyway; "
                f"write {url.replace(in_front, '://')}",
                (key, "storage.bucket"),
            )
        elif key == "links.endpoint_url" and ".vpce." in url:
            yield Contradiction(
                f"{written(key)} is a VPC endpoint, closed to recipients; use null for S3's own host",
                (key,),
            )


def _signers(config: Config) -> Iterator[Contradiction]:
    signers: tuple[tuple[str, Storage | Links], ...] = (("storage", config.storage), ("links", config.links))
    for section, signer in signers:
        key_id, secret = f"{section}.access_key_id", f"{section}.secret_access_key"
        yield from _pair(key_id, signer.access_key_id, secret, signer.secret_access_key)
        if signer.profile is not None and (signer.access_key_id or signer.secret_access_key):
            yield Contradiction(
                f"{shown(signer.profile)} stands beside access keys, and only one can sign; remove one",
                (f"{section}.profile", key_id, secret),
            )


def _pair(one: str, its_value: object, other: str, others_value: object) -> Iterator[Contradiction]:
    """Both of two keys or neither."""
    if (its_value is None) != (others_value is None):
        missing, there = (one, other) if its_value is None else (other, one)
        yield Contradiction(f"missing, while {there} is set; write both or neither", (missing, there))


def _link_ends(config: Config, written: Written) -> Iterator[Contradiction]:
    links = config.links
    if links.kind == "presigned" and links.expires > MAX_PRESIGNED:
        yield Contradiction(
            f"{written('links.expires')} is longer than the 7 days that S3's SigV4 allows; "
            "use 7d or less, or links.kind: cloudfront",
            ("links.expires", "links.kind"),
        )
    for key, end in (("links.expires", links.expires), ("storage.retention", config.storage.retention)):
        if links.minimum > end:
            longest = written(key).removesuffix(DEFAULT_MARK)
            yield Contradiction(
                f"{written('links.minimum')} is longer than {key}, {written(key)}, so no link could be sent; "
                f"use {longest} or less",
                ("links.minimum", key),
            )


def _cloudfront(config: Config) -> Iterator[Contradiction]:
    if config.links.kind != "cloudfront":
        return
    for name, remedy in (
        ("domain", "write the host name of the distribution"),
        ("key_pair_id", "write the id of a public key in its trusted key group"),
        ("private_key_file", "write the path of the private key that belongs to key_pair_id"),
    ):
        if getattr(config.links.cloudfront, name) is None:
            yield Contradiction(
                f"missing, and links.kind: cloudfront needs it; {remedy}",
                (f"links.cloudfront.{name}", "links.kind"),
            )


def _mail(config: Config, written: Written) -> Iterator[Contradiction]:
    mail = config.mail
    yield from _pair("mail.username", mail.username, "mail.password", mail.password)
    if mail.via != "smtp":
        return
    if mail.password is not None and not mail.starttls and not is_loopback(mail.host):
        yield Contradiction(
            f"{written('mail.starttls')} would send the password in clear to {mail.host}; use true",
            ("mail.starttls", "mail.password", "mail.host", "mail.via"),
        )
    if mail.username is None and mail.password is None and mail.host.endswith(".amazonaws.com"):
        yield Contradiction(
            f"missing, and {mail.host} takes no mail without it; write the SMTP credentials of SES",
            ("mail.username", "mail.password", "mail.host", "mail.via"),
        )
    if mail.port == 465:
        yield Contradiction(
            "465 expects TLS from the first octet on, which Woomera does not do; use 587 and starttls: true",
            ("mail.port", "mail.via"),
        )


def _ses_api(config: Config, written: Written) -> Iterator[Contradiction]:
    mail = config.mail
    if mail.via != "ses":
        return
    if mail.region is None and config.storage.region is None:
        yield Contradiction(
            "missing, and mail.via: ses needs it; write the region of SES, such as us-east-1",
            ("mail.region", "mail.via", "storage.region"),
        )
    if mail.region is not None and mail.endpoint_url is None and not re.fullmatch(_REGION, mail.region):
        yield Contradiction(_no_aws_region(written("mail.region")), ("mail.region", "mail.endpoint_url"))


def _shared_by_milters(config: Config, written: Written) -> Iterator[Contradiction]:
    for name, archives, milters in (
        ("socket", config.archive.socket, config.milter.socket),
        ("spool", config.archive.spool, config.milter.spool),
    ):
        if archives == milters:
            yield Contradiction(
                f"{written(f'archive.{name}')} is that of milter too; give each a {name} of its own",
                (f"archive.{name}", f"milter.{name}"),
            )


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
        *(("report.to", it) for it in config.report.to),
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
    for key, url in _s3_urls(config):
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
    if config.mail.via == "smtp" and config.sweep.lease <= MAX_RELAY_REPLY:
        yield (
            "sweep.lease: a mail server may take 10m over a reply, and after the lease another sweep sends "
            "the same notice; use 15m or more"
        )
