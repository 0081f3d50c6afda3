"""S3's answers are validated at the door: what is missing or odd is harmless, or an error with a sentence."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from rig.servers.faults import FaultProxy, Rewrite
from rig.servers.s3 import Ministack
from tests.unit.store.stores import keys_of, store_at
from woomera_milter.errors import PermanentError, TemporaryError
from woomera_milter.store.answers import Continuation, http_date
from woomera_milter.store.claims import Claims
from woomera_milter.store.s3_store import S3Store

KEY = "sweep/watermark.json"
Edit = Callable[[bytes], bytes]


def without(name: str) -> Edit:
    """Take a header field, or an XML element, out of a reply."""
    pattern = rf"(?im)^{name}: .*\r\n|<{name}>.*?</{name}>".encode()
    return lambda reply: re.sub(pattern, b"", reply)


def saying(name: str, value: str) -> Edit:
    """Have a header field, or an XML element, say something else."""
    pattern = rf"(?im)(^{name}: |<{name}>)[^\r<]*".encode()
    return lambda reply: re.sub(pattern, rb"\g<1>" + value.encode(), reply)


def endless(reply: bytes) -> bytes:
    """Have each page of a listing lead to the same one."""
    more = b"<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"
    return re.sub(rb"<IsTruncated>.*?</IsTruncated>", more, without("NextContinuationToken")(reply))


@pytest.fixture
def proxy(ministack: Ministack) -> Iterator[FaultProxy]:
    with FaultProxy(ministack.port) as proxy:
        yield proxy


@pytest.fixture
def store(ministack: Ministack, proxy: FaultProxy) -> S3Store:
    """A bucket with a few documents, read by way of `proxy`."""
    store = store_at(proxy.endpoint_url, keys_of(ministack))
    for key in (KEY, "answers/1.json", "answers/2.json", "answers/3.json"):
        store.put_json(key, {"about": key})
    return store


# Documents.


@pytest.mark.parametrize(
    "edit",
    [without("Date"), saying("Date", "one of these days"), without("Last-Modified")],
    ids=["no Date", "odd Date", "no Last-Modified"],
)
def test_document_without_a_time_is_read_and_has_no_age(
    store: S3Store, proxy: FaultProxy, edit: Edit
) -> None:
    proxy.set(Rewrite(edit), applies_to="GET ")
    document = store.get_json(KEY)

    assert document is not None
    assert (document.value, document.age) == ({"about": KEY}, None)


def test_claim_without_an_age_is_an_error_with_a_sentence(store: S3Store, proxy: FaultProxy) -> None:
    claims = Claims(store, "host-1", timedelta(minutes=15))
    claims.take("archive/1.eml")
    proxy.set(Rewrite(without("Date")), applies_to="GET ")

    with pytest.raises(PermanentError, match="lacks Date or Last-Modified; use an S3 server"):
        claims.take("archive/1.eml")


def test_document_without_an_etag_is_read(store: S3Store, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(without("ETag")), applies_to="GET ")
    document = store.get_json(KEY)

    assert document is not None
    assert document.etag == ""


def test_write_that_is_answered_without_an_etag_is_an_error(store: S3Store, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(without("ETag")), applies_to="PUT ")

    with pytest.raises(PermanentError, match="the server's answer lacks ETag; use an S3 server"):
        store.create_json("created/1.json", {})


def test_time_that_is_none_is_an_error_that_may_pass(store: S3Store, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(saying("Last-Modified", "one of these days")), applies_to="GET ")

    with pytest.raises(TemporaryError, match="the answer is not one of AWS's API"):
        store.get_json(KEY)


def test_object_that_tells_no_last_change_tells_no_end(store: S3Store, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(without("Last-Modified")), applies_to="HEAD ")

    with pytest.raises(PermanentError, match="the server's answer lacks LastModified"):
        store.ends_at(KEY)


# Listings.


def listed(store: S3Store) -> list[str]:
    return [listed.key for page in store.pages("answers/", page_size=1) for listed in page.objects]


@pytest.mark.parametrize(
    "edit",
    [
        saying("LastModified", "2026-11-24T09:00:00"),
        saying("LastModified", "2026-11-24 09:00:00"),
        without("StorageClass"),
        lambda it: it if b"NextContinuationToken" not in it else without("IsTruncated")(it),
    ],
    ids=["no zone", "no zone, no T", "no class", "a token and no IsTruncated"],
)
def test_odd_listing_that_can_be_understood_is_read(store: S3Store, proxy: FaultProxy, edit: Edit) -> None:
    proxy.set(Rewrite(edit), applies_to="list-type=2")

    assert listed(store) == ["answers/1.json", "answers/2.json", "answers/3.json"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (saying("Date", "Tue, 24 Nov 2026 09:00:00 GMT"), datetime(2026, 11, 24, 9, tzinfo=UTC)),
        (without("Date"), None),
    ],
    ids=["a Date", "no Date"],
)
def test_listing_tells_the_time_by_the_servers_clock(
    store: S3Store, proxy: FaultProxy, edit: Edit, expected: datetime | None
) -> None:
    proxy.set(Rewrite(edit), applies_to="list-type=2")

    assert next(store.pages("answers/")).at == expected


def test_time_without_a_zone_is_one_of_utc(store: S3Store, proxy: FaultProxy) -> None:
    proxy.set(Rewrite(saying("LastModified", "2026-11-24T09:00:00")), applies_to="list-type=2")

    times = {it.modified_at for page in store.pages("answers/") for it in page.objects}
    assert times == {datetime(2026, 11, 24, 9, 0, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (without("Key"), "lacks something"),
        (without("Size"), "lacks Size"),
        (saying("Size", "large"), "has something that cannot be read"),
        (saying("Size", ""), "has something that cannot be read"),
        (saying("Size", "-1"), "has a Size that is none"),
        (saying("MaxKeys", "many"), "has something that cannot be read"),
        (without("LastModified"), "lacks LastModified"),
        (lambda it: without("NextContinuationToken")(without("IsTruncated")(it)), "lacks IsTruncated"),
        (without("NextContinuationToken"), "lacks NextContinuationToken"),
        (endless, "in circles"),
    ],
)
def test_listing_that_cannot_be_understood_is_an_error_with_a_sentence(
    store: S3Store, proxy: FaultProxy, edit: Edit, sentence: str
) -> None:
    proxy.set(Rewrite(edit), applies_to="list-type=2")

    with pytest.raises(
        PermanentError, match=rf"^listing s3://large-mail/answers/: .*{sentence}.*; use an S3"
    ):
        listed(store)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 100])
def test_circle_of_any_length_ends(length: int) -> None:
    continuation = Continuation("listing")

    def go_round() -> None:
        for number in range(4 * length + 4):
            continuation.after({"NextContinuationToken": str(number % length)})

    with pytest.raises(PermanentError, match="in circles"):
        go_round()


def test_long_listing_is_no_circle() -> None:
    continuation = Continuation("listing")

    tokens = [continuation.after({"NextContinuationToken": str(number)}) for number in range(1000)]
    assert tokens == [str(number) for number in range(1000)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tue, 24 Nov 2026 09:00:00 GMT", datetime(2026, 11, 24, 9, 0, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 09:00:00 -0000", datetime(2026, 11, 24, 9, 0, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 10:00:00 +0100", datetime(2026, 11, 24, 9, 0, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_http_dates_are_in_utc_or_none(text: str | None, expected: datetime | None) -> None:
    assert http_date(text) == expected
