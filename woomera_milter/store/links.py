"""Presigned links, and when they really end.

A link that says "until Tuesday" works until Tuesday: its end is the earliest of what the
configuration wants, what SigV4 allows (7 days), the end of the signer's credentials, and
the day on which the lifecycle deletes the object (S3 User Guide, "Download and upload
objects with presigned URLs"). Of these CloudFront's links know the first and the last alone.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.config import Config as ClientConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    InvalidConfigError,
    PartialCredentialsError,
    ProfileNotFound,
)

from woomera_milter import aws, config
from woomera_milter.clock import rfc3339
from woomera_milter.errors import PermanentError, Reason, TemporaryError
from woomera_milter.store.cloudfront import CloudFrontSigner

if TYPE_CHECKING:
    from boto3 import Session
    from mypy_boto3_s3 import S3Client

SIGV4_LONGEST = timedelta(days=7)
CREDENTIALS_AGE_S = 900  # keys that were rotated sign on for so long; their links die with the old key

_REMEDY = (
    "sign with an IAM user's keys (links.profile, or links.access_key_id and links.secret_access_key), "
    "which live as long as the link says; a role's session ends after hours"
)
_SEE_WHY = (
    "see why the program of links.profile (or storage.profile), or the instance's role, gives no keys; "
    "where there is neither, set links.profile"
)
_CORRECT = "correct links.profile (or storage.profile), and what AWS's own files say of it"
_MISTAKES = (ConfigParseError, InvalidConfigError, PartialCredentialsError, ProfileNotFound)
_KEEP_LONGER = "let the bucket's lifecycle keep messages longer, or lower links.minimum"


class Signer:
    """Makes links that strangers can open. Safe to use from many threads at once."""

    def __init__(self, links: config.Links, storage: config.Storage) -> None:
        self._links = links
        self._storage = storage
        self._lock = threading.Lock()
        self._connection: tuple[Session, S3Client] | None = None
        self._connected_at = 0.0
        is_cloudfront = links.kind == "cloudfront"
        self._cloudfront = CloudFrontSigner(links.cloudfront, storage.prefix) if is_cloudfront else None

    def ends_at(self, now: datetime, object_ends_at: datetime) -> datetime:
        """Return when a link to an object that lives until `object_ends_at` will end, in whole seconds.

        Raise PermanentError where that is sooner than links.minimum, even with credentials read anew;
        TemporaryError where there are no credentials at the moment.
        """
        ends_at = self._end(now, object_ends_at)
        least = (now + self._links.minimum).replace(microsecond=0)
        if ends_at < least:
            self.forget_credentials()
            ends_at = self._end(now, object_ends_at)
        if ends_at < least:
            raise _error(
                f"a link would end at {rfc3339(ends_at)}, sooner than links.minimum allows",
                _KEEP_LONGER if object_ends_at <= ends_at + timedelta(seconds=1) else _REMEDY,
            )
        return ends_at

    def forget_credentials(self) -> None:
        """Read them anew for the next link."""
        with self._lock:
            self._connection = None

    def sign(self, key: str, ends_at: datetime) -> str:
        """Return a link to `key` (below storage.prefix) that works until `ends_at`.

        Raise TemporaryError where the clock was put back since then: S3 refuses a link of more than 7 days,
        and a shorter one would end sooner than is said.
        """
        if self._cloudfront:
            return self._cloudfront.sign(key, ends_at)
        _, client = self._connected()
        while True:
            signed_at = datetime.now(UTC).replace(microsecond=0)
            if ends_at - signed_at > SIGV4_LONGEST:
                raise TemporaryError(
                    "links: the clock was put back while they were made",
                    remedy="try again; see that the clock of this host is slewed, as chrony does",
                    reason=Reason.LINKS,
                )
            link = client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._storage.bucket, "Key": self._storage.prefix + key},
                ExpiresIn=int((ends_at - signed_at).total_seconds()),
            )
            # botocore reads the clock itself, a second later at times: the link would live too long by it.
            if f"X-Amz-Date={signed_at:%Y%m%dT%H%M%SZ}" in link:
                return link

    def _end(self, now: datetime, object_ends_at: datetime) -> datetime:
        ends = [now + self._links.expires, object_ends_at]
        if not self._cloudfront:
            ends.append(now + SIGV4_LONGEST)
            if (credentials_end := self._credentials_end()) is not None:
                ends.append(credentials_end)
        return min(ends).astimezone(UTC).replace(microsecond=0)

    def _credentials_end(self) -> datetime | None:
        """Return when the signing credentials end, or None for an IAM user's, which do not."""
        try:
            session, _ = self._connected()
            credentials = session.get_credentials()
            token = credentials.get_frozen_credentials().token if credentials else None
        except _MISTAKES as error:
            raise _error(f"the signing credentials cannot be had: {aws.in_words(error)}", _CORRECT) from error
        except (BotoCoreError, ClientError, OSError, RuntimeError, ValueError) as error:
            # botocore wraps neither STS's refusals, nor keys that come expired, nor a program that is
            # missing or prints bad JSON. What asks a server or a program for keys may get them later.
            raise _unavailable(f"the signing credentials cannot be had: {aws.in_words(error)}") from error
        if credentials is None:
            # An instance whose metadata service is away looks like one without a role.
            self.forget_credentials()  # the client would stay without them
            raise _unavailable("there are no credentials to sign with")
        # The end of temporary credentials is a private matter of botocore's, but there is no other source.
        expires_at: datetime | None = getattr(credentials, "_expiry_time", None)
        if token and expires_at is None:
            raise _error("the session token to sign with does not say when it ends")
        return expires_at

    def _connected(self) -> "tuple[Session, S3Client]":
        with self._lock:
            if self._connection is None or time.monotonic() - self._connected_at > CREDENTIALS_AGE_S:
                try:
                    self._connection = self._connect()
                except BotoCoreError:
                    if self._connection is None:
                        raise  # else the keys of before serve on, as long as they live
                self._connected_at = time.monotonic()
            return self._connection

    def _connect(self) -> "tuple[Session, S3Client]":
        links, storage = self._links, self._storage
        source = links if links.profile or links.access_key_id else storage
        session = aws.session(source.profile, source.access_key_id, source.secret_access_key)
        region = storage.region  # where the bucket is, whatever the region of a signer's own profile
        if region is None:
            keeper = aws.session(storage.profile, storage.access_key_id, storage.secret_access_key)
            region = keeper.region_name
        # A link must lead to a host that recipients reach: the region's own (the global one redirects,
        # and a signature does not survive that), never a VPC endpoint's or one from the environment.
        addressing: Literal["auto", "path", "virtual"] = "path" if "." in storage.bucket else "virtual"
        if links.endpoint_url:
            addressing = storage.addressing
        client = session.client(
            "s3",
            region_name=region,
            endpoint_url=links.endpoint_url,
            config=ClientConfig(  # type: ignore[call-arg]  # the stubs do not know all of its options
                signature_version="s3v4",
                ignore_configured_endpoint_urls=True,
                use_dualstack_endpoint=False,
                use_fips_endpoint=False,
                s3={"addressing_style": addressing, "us_east_1_regional_endpoint": "regional"},
            ),
        )
        return session, client


def _unavailable(problem: str) -> TemporaryError:
    return TemporaryError(f"links: {problem}", remedy=_SEE_WHY, reason=Reason.LINKS)


def _error(problem: str, remedy: str = _REMEDY) -> PermanentError:
    return PermanentError(f"links: {problem}", remedy=remedy, reason=Reason.LINKS)
