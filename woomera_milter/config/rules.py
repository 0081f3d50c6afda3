"""What must hold between the keys of config.yaml.

Each rule names all keys that it looked at, so that no rule blames a key for another that is
broken in itself; the first of them is the one that the message names.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from woomera_milter.config.models import Config, Links, Storage
from woomera_milter.config.names import is_loopback
from woomera_milter.config.values import KB, MB, format_size, shown

MAX_PRESIGNED = timedelta(days=7)  # SigV4's X-Amz-Expires: 604,800 s at most
MAX_NOTICE_BYTES = 100 * KB
MAX_INCLUDED_TEXT_BYTES = 64 * KB
MAX_LEASE = timedelta(days=7)  # notifier.py tries for as long; claims.py would not read one of 1e9 s
DEFAULT_MARK = " (the default)"
_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]+"

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
    yield from _languages(config)
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


def _languages(config: Config) -> Iterator[Contradiction]:
    tags = config.notice.languages
    if not tags:
        yield Contradiction("empty; write one language at least, such as en", ("notice.languages",))
    elif len(set(tags)) < len(tags):
        yield Contradiction("a language twice; write each once", ("notice.languages",))


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


def s3_urls(config: Config) -> Iterator[tuple[str, str]]:
    """Each key that holds the URL of an S3 server, and the URL."""
    if config.storage.endpoint_url is not None:
        yield "storage.endpoint_url", config.storage.endpoint_url
    if config.links.endpoint_url is not None:
        yield "links.endpoint_url", config.links.endpoint_url


def _endpoints(config: Config, written: Written) -> Iterator[Contradiction]:
    in_front = f"://{config.storage.bucket}."
    for key, url in s3_urls(config):
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
