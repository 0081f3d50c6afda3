"""S3's answers, validated as they come in: what is missing or odd is harmless, or an error with a sentence.

Servers leave things out that S3 always says (measured: Date, ETag, Last-Modified, IsTruncated and
NextContinuationToken), and a listing that never ends would keep a sweep for ever.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from woomera_milter.errors import PermanentError, Reason


class Listed(NamedTuple):
    """An object as a listing shows it; the key is below storage.prefix."""

    key: str
    size_bytes: int
    modified_at: datetime
    storage_class: str


class ListingPage(NamedTuple):
    """What one request of a listing gives: `folders` only with a delimiter; `more`: whether more follow.

    `at` is the time by the server's clock, None where it does not tell.
    """

    objects: list[Listed]
    folders: list[str]
    more: bool
    at: datetime | None = None


def odd(attempted: str, what: str) -> PermanentError:
    """Return the error of an answer that does not say what S3's says."""
    return PermanentError(
        f"{attempted}: {what}",
        remedy="use an S3 server, and proxies before it, that answer as Amazon's API says",
        reason=Reason.STORE,
    )


def required(answer: Mapping[str, Any], name: str, attempted: str) -> Any:
    """Return what an answer says under `name`; raise PermanentError where it says nothing."""
    value = answer.get(name)
    if value is None:
        raise odd(attempted, f"the server's answer lacks {name}")
    return value


def http_date(text: str | None) -> datetime | None:
    """Read an HTTP date (RFC 9110 section 5.6.7), which is in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def age_of(answer: Mapping[str, Any]) -> timedelta | None:
    """Return how old an object is by the server's own clock; None where the server does not tell."""
    now = _server_time(answer)
    modified_at = answer.get("LastModified")
    return now - modified_at if now and modified_at else None


def _server_time(answer: Mapping[str, Any]) -> datetime | None:
    return http_date(answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date"))


def listing_page(answer: Mapping[str, Any], root: str, page_size: int, attempted: str) -> ListingPage:
    """Return a page of a listing, with keys below `root`; raise PermanentError where it is odd."""
    objects = [_listed(found, root, attempted) for found in answer.get("Contents", [])]
    folders = [_below(root, required(it, "Prefix", attempted)) for it in answer.get("CommonPrefixes", [])]
    more = answer.get("IsTruncated")
    if more is None:  # then a page that is not full, or that says how to go on, tells as much
        more = "NextContinuationToken" in answer
        if not more and len(objects) + len(folders) >= page_size:
            raise odd(attempted, "the server's answer lacks IsTruncated")
    return ListingPage(objects, folders, more, _server_time(answer))


def _listed(found: Mapping[str, Any], root: str, attempted: str) -> Listed:
    key, size_bytes, modified_at = (required(found, it, attempted) for it in ("Key", "Size", "LastModified"))
    if size_bytes < 0:
        raise odd(attempted, "the server's answer has a Size that is none")
    return Listed(_below(root, key), size_bytes, modified_at, found.get("StorageClass", "STANDARD"))


def _below(root: str, key: str) -> str:
    return key[len(root) :]


class Continuation:
    """Tells a listing that goes round in circles from a long one, however long both are.

    A token is held against one of before, which is replaced after 1, 2, 4, 8 ... pages (Brent's algorithm).
    """

    def __init__(self, attempted: str) -> None:
        self._attempted = attempted
        self._seen = ""
        self._pages = 0

    def after(self, answer: Mapping[str, Any]) -> str:
        """Return the token of the page that follows; raise PermanentError where no new one follows."""
        token: str = required(answer, "NextContinuationToken", self._attempted)
        if token == self._seen:
            raise odd(self._attempted, "the listing goes round in circles (NextContinuationToken)")
        self._pages += 1
        if self._pages & (self._pages - 1) == 0:
            self._seen = token
        return token
