"""What the milter and its jobs do with the bucket, done once by their own code.

A message just above the limit is put with all the headers that the milter sends, and read back: a server that
refuses one of them, or a proxy that takes small bodies only, would not mind a small object of another make.

The probes lie among the messages, since that is where the least rights allow them, and have the same names
each time, since those rights do not allow to delete them: so small objects stay for each host, until the
lifecycle deletes them. `woomera list` does not see them.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from woomera_milter import config
from woomera_milter.check.finding import Finding, failed, failure, is_denied, is_unknown, passed, warning
from woomera_milter.clock import Deadline
from woomera_milter.config.doubts import MAX_SES_BYTES
from woomera_milter.config.values import format_size
from woomera_milter.errors import WoomeraError
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.store.inspection import Bucket, code_of
from woomera_milter.store.keys import probe_key, probe_record_key
from woomera_milter.store.objects import Store

PROBE = b"Put here by `woomera check`. It may be deleted at any time.\n"

_REFUSED_CONDITION = frozenset({"PreconditionFailed", "412"})
_REFUSED_DIGEST = frozenset({"BadDigest", "InvalidDigest", "400"})
_READABLE = "sweep, list and resend can read what is stored"
_LISTABLE = "sweep, list and resend can list what is stored"


def look(bucket: Bucket, store: Store, configuration: config.Config, host: str) -> Iterator[Finding]:
    """Yield what is to be said of storing, reading and listing; puts probes there and deletes them."""
    key, timeout_s = probe_key(host), configuration.milter.deadline.total_seconds()
    limit_bytes = min(configuration.limit, MAX_SES_BYTES)  # a larger one is told elsewhere
    with closing(_message(limit_bytes + 1)) as message:
        try:
            _put(store, key, message, timeout_s)
            store.put_json(probe_record_key(host), {"put by": "woomera check"}, Deadline(timeout_s))
        except WoomeraError as error:
            yield failed("store", error)
            return
        size = format_size(limit_bytes)
        yield passed("store", f"{bucket.name_of('messages/')} takes messages, such as one just above {size}")
        yield _reading(store, key, message.sha256, Deadline(timeout_s))
    yield _encryption(bucket.put(key, PROBE))  # what stays is small
    yield _digest(bucket, key)
    yield _condition(bucket, key)
    yield _listing(store, host)
    yield _deleting(bucket, key, probe_record_key(host))


def _message(size_bytes: int) -> SpooledMessage:
    message = SpooledMessage(Path(tempfile.gettempdir()))
    block = PROBE[:-1] + b"\r\n"
    while (missing := size_bytes - message.size_bytes) > 0:
        message.write((block * (missing // len(block) + 1))[: min(missing, 1 << 20)])
    return message


def _put(store: Store, key: str, message: SpooledMessage, timeout_s: float) -> None:
    """As `offload` puts a message."""
    name = "woomera-check.eml"
    store.put(key, message, "message/rfc822", Deadline(timeout_s), datetime.now(UTC), file_name=name)


def _reading(store: Store, key: str, sha256: bytes, deadline: Deadline) -> Finding:
    digest = hashlib.sha256()
    try:
        for chunk in store.read(key, deadline):
            digest.update(chunk)
    except WoomeraError as error:
        return _missing("read", error, "s3:GetObject")
    if digest.digest() == sha256:
        return passed("read", _READABLE)
    remedy = "see what server and proxies do to bodies"
    return failure("read", "what comes back is not what was stored", remedy)


def _encryption(encryption: str | None) -> Finding:
    if encryption:
        return passed("encryption", f"what is stored is encrypted with {encryption}")
    remedy = "see that the disks of that server are encrypted, or set storage.encryption: AES256"
    return warning("encryption", "the server does not say that it encrypts what it stores", remedy)


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
        if code_of(error) in _REFUSED_CONDITION:
            return passed("conditional writes", "honoured: sweeps on several hosts do not notify twice")
        if not is_unknown(error):
            return failed("conditional writes", error)
    return warning(
        "conditional writes",
        "the server ignores If-None-Match: sweeps on two hosts may notify people twice",
        "run `woomera sweep --single-host`, on one host",
    )


def _listing(store: Store, host: str) -> Finding:
    """Two objects, in pages of one: the way from page to page is what servers get wrong."""
    try:
        pages = list(store.pages(probe_key(host).removesuffix("txt"), page_size=1))
    except WoomeraError as error:
        return _missing("list", error, "s3:ListBucket")
    listed = {it.key for page in pages for it in page.objects}
    if {probe_key(host), probe_record_key(host)} <= listed:
        return passed("list", _LISTABLE)
    remedy = "use an S3 server whose listings go on from page to page (ListObjectsV2)"
    return failure(
        "list", "a listing in two pages lacks what was just stored: sweeps would miss mail", remedy
    )


def _missing(subject: str, error: WoomeraError, right: str) -> Finding:
    if not is_denied(error):
        return failed(subject, error)
    return warning(
        subject,
        f"{right} is missing: sweep, list and resend will fail",
        f"grant {right} to these credentials",
    )


def _deleting(bucket: Bucket, *keys: str) -> Finding:
    try:
        for key in keys:
            bucket.delete(key)
    except WoomeraError as error:
        if not is_denied(error):
            return failed("delete", error)
        detail = f"not allowed, and not needed; {' and '.join(keys)} stay until the lifecycle deletes them"
        return passed("delete", detail)
    return passed("delete", "the probes have been deleted")
