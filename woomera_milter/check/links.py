"""What `woomera check` says of links: how long they live, and that they alone let strangers in."""

import contextlib
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit
from urllib.request import OpenerDirector

from woomera_milter import config
from woomera_milter.check.bucket.probe import PROBE
from woomera_milter.check.finding import Finding, failure, passed, warning
from woomera_milter.config.values import format_duration
from woomera_milter.errors import Reason, TemporaryError, WoomeraError, in_words
from woomera_milter.store.inspection import Bucket
from woomera_milter.store.keys import probe_key
from woomera_milter.store.links import Signer

TIMEOUT_S = 20
_SHORT_LIFE = timedelta(hours=1)
_MAX_ANSWER_BYTES = 64 * 1024


def look(bucket: Bucket, configuration: config.Config, host: str, now: datetime) -> Iterator[Finding]:
    """Yield what is to be said of links; opens one to a probe, as a stranger would."""
    links, storage = configuration.links, configuration.storage
    signer = Signer(links, storage)
    # Raises where links would end before links.minimum, which is what stops the milter, too.
    ends_at = signer.ends_at(now, now + storage.retention)
    yield _life(ends_at - now, links.expires)
    key = probe_key(host)
    try:
        bucket.put(key, PROBE)
    except WoomeraError:
        return  # what the bucket says of itself has told it
    try:
        yield from _doors(_stranger(storage.ca_bundle), signer.sign(key, min(ends_at, now + _SHORT_LIFE)))
    finally:
        with contextlib.suppress(WoomeraError):  # not allowed, as the least rights have it
            bucket.delete(key)


def _life(life: timedelta, expires: timedelta) -> Finding:
    wanted = format_duration(expires)
    if expires - life < timedelta(minutes=1):
        return passed("life of links", f"{wanted}, as links.expires says")
    return warning(
        "life of links",
        f"{life.total_seconds() / 3600:.0f} hours, while links.expires says {wanted}: "
        "the signing credentials or the lifecycle end before that",
        "sign with an IAM user's keys (links.profile, or links.access_key_id); see storage.retention",
    )


def _doors(stranger: OpenerDirector, link: str) -> Iterator[Finding]:
    yield _right_link(stranger, link)
    forged = re.sub(r"(Signature=)(.)", lambda found: found[1] + ("1" if found[2] == "0" else "0"), link)
    yield _closed(stranger, "wrong signature", forged, "a link whose signature is wrong")
    yield _closed(
        stranger, "no signature", link.partition("?")[0], "the address of a message without any signature"
    )


def _right_link(stranger: OpenerDirector, link: str) -> Finding:
    subject, host = "link", urlsplit(link).hostname
    status, body = _fetch(stranger, link)
    if status == 200 and body == PROBE:
        return passed(subject, f"a stranger can open one, at {host} (tried from this host, now)")
    if status >= 500:
        return _out_of_order(subject, status)
    code = re.search(rb"<Code>(\w{1,60})</Code>", body)
    said = f"{status} {code[1].decode()}" if code else str(status)
    remedy = (
        "set storage.region to the bucket's region, and see links.endpoint_url"
        if 300 <= status < 400
        else "grant s3:GetObject on messages/* (and kms:Decrypt for a key of your own) to what signs links"
    )
    return failure(subject, f"a stranger who opens one at {host} gets {said}", remedy)


def _closed(stranger: OpenerDirector, subject: str, url: str, what: str) -> Finding:
    status, _ = _fetch(stranger, url)
    if status >= 500:
        return _out_of_order(subject, status)
    if status >= 400:
        return passed(subject, f"{what} opens nothing ({status})")
    return failure(
        subject,
        f"{what} opens it: everybody can read the mail",
        "turn on Block Public Access, and take away bucket policies and ACLs for everybody",
    )


def _out_of_order(subject: str, status: int) -> Finding:
    return failure(subject, f"the server answers {status}", "try again later", temporary=True)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A signature is good for one host, so a redirect is the end of a link."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        """Follow none."""


def _stranger(ca_bundle: Path | None) -> OpenerDirector:
    """Return somebody without credentials, who also trusts the private authority of `ca_bundle`."""
    context = ssl.create_default_context()
    if ca_bundle:
        context.load_verify_locations(ca_bundle)
    return urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=context))


def _fetch(stranger: OpenerDirector, url: str) -> tuple[int, bytes]:
    """Return status and beginning of the body, as a stranger gets them.

    Raise TemporaryError, which does not hold the link, where nobody answers.
    """
    try:
        with stranger.open(url, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read(_MAX_ANSWER_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_MAX_ANSWER_BYTES)
    except (OSError, HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        problem = in_words(cause) if isinstance(cause, OSError) else "its answer is no HTTP"
        raise TemporaryError(
            f"opening a link at {urlsplit(url).hostname} failed: {problem}",
            remedy="see whether recipients can reach that host; links.endpoint_url names another",
            reason=Reason.LINKS,
        ) from error
