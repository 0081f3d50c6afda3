"""Addresses, sockets, buckets, servers and time zones: what they may be called in config.yaml."""

from zoneinfo import ZoneInfo

import pytest

from tests.unit.config.config_cases import MINIMAL, problems_of
from woomera_milter import config


@pytest.mark.parametrize(
    "socket",
    [
        "unix:/run/woomera/milter.sock",
        "inet:8894@127.0.0.1",
        "inet:8894@localhost",
        "inet6:8894@::1",
        "inet6:8894@[::1]",
        "inet:65535@mail.example.com",
    ],
)
def test_the_sockets_that_libmilter_knows_are_taken(socket: str) -> None:
    assert config.validate({**MINIMAL, "milter": {"socket": socket}}, "config.yaml").milter.socket == socket


@pytest.mark.parametrize(
    "socket",
    [
        "milter.sock",
        "unix:",
        f"unix:/{'a' * 107}",
        "local:/run/a.sock",
        "inet:0@127.0.0.1",
        "inet:65536@127.0.0.1",
        "inet:smtp@127.0.0.1",
        "inet:8894@",
        "inet:8894@two words",
        "8894",
    ],
)
def test_other_sockets_are_refused(socket: str) -> None:
    [problem] = problems_of({**MINIMAL, "milter": {"socket": socket}})
    assert problem.startswith("config.yaml: milter.socket: ")


@pytest.mark.parametrize(
    "bucket", ["abc", "a" * 63, "example-large-mail", "mail.example.com", "a--b", "1.2.3.example", "111"]
)
def test_the_buckets_that_s3_allows_are_taken(bucket: str) -> None:
    assert config.validate({"storage": {"bucket": bucket}}, "config.yaml").storage.bucket == bucket


@pytest.mark.parametrize(
    "bucket",
    [
        "ab",
        "a" * 64,
        "-abc",
        "abc-",
        ".abc",
        "a..b",
        "Abc",
        "a_b",
        "10.0.0.1",
        "xn--abc",
        "abc-s3alias",
        "arn:aws:s3:::abc",
    ],
)
def test_the_buckets_that_s3_refuses_are_refused(bucket: str) -> None:
    [problem] = problems_of({"storage": {"bucket": bucket}})
    assert problem.startswith(f"config.yaml: storage.bucket: {bucket} ")


@pytest.mark.parametrize(
    "address",
    ["postmaster@example.com", "first.last+tag@mail.example.com", "root@localhost", "o'neil@example.com"],
)
def test_plain_addresses_are_taken(address: str) -> None:
    assert (
        config.validate({**MINIMAL, "notice": {"contact": address}}, "config.yaml").notice.contact == address
    )


@pytest.mark.parametrize(
    "address",
    [
        "example.com",
        "@example.com",
        "a@",
        "a b@example.com",
        "a..b@example.com",
        ".a@example.com",
        "a@example..com",
        "a@-example.com",
        f"{'a' * 65}@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "ä@example.com",
        "<a@b.c>",
    ],
    ids=repr,
)
def test_addresses_that_cannot_be_right_are_refused(address: str) -> None:
    [problem] = problems_of({**MINIMAL, "notice": {"contact": address}})
    assert problem.startswith("config.yaml: notice.contact: ")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://s3.example.com",
        "https://",
        "https://[::1",
        "https://s3.example.com:port",
        "https://s3.example.com:0",
        "https://s3.example.com/bucket",
        "https://s3.example.com?x",
        "https://s3 example.com",
        "//s3.example.com",
    ],
)
def test_what_is_more_or_less_than_the_url_of_a_server_is_refused(url: str) -> None:
    [problem] = problems_of({**MINIMAL, "mail": {"endpoint_url": url}})
    assert problem.startswith("config.yaml: mail.endpoint_url: ")


def test_the_final_slash_of_an_endpoint_is_dropped() -> None:
    loaded = config.validate({**MINIMAL, "mail": {"endpoint_url": "http://127.0.0.1:4566/"}}, "config.yaml")
    assert loaded.mail.endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize("name", ["Europe", "../etc/passwd", "/etc/localtime", "Mars/Olympus", "utc+1"])
def test_unknown_time_zones_are_refused(name: str) -> None:
    [problem] = problems_of({**MINIMAL, "report": {"timezone": name}})
    assert problem.startswith(f"config.yaml: report.timezone: {name} is not a time zone; ")


def test_a_time_zone_is_one_that_times_can_be_shown_in() -> None:
    loaded = config.validate({**MINIMAL, "report": {"timezone": "Europe/Berlin"}}, "config.yaml")
    assert loaded.report.timezone == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (["X-A: b"], "a mapping of header fields"),
        ({"X-A": "b\r\nBcc: eve@example.org"}, "on one line"),
        ({"X A": "b"}, "on one line"),
        ({"X-A": ""}, "on one line"),
        ({"X-A": "é"}, "in ASCII"),
        ({"X-Woomera-ID": "1"}, "a field of your own"),
        ({"content-type": "text/html"}, "a field of your own"),
        ({"X-A": "1", "x-a": "2"}, "there once"),
        ({"X-A": "b" * 500, "X-B": "c" * 520}, "within 1024 characters"),
    ],
)
def test_headers_that_a_mail_cannot_have_are_refused(headers: object, words: str) -> None:
    (problem,) = problems_of(MINIMAL | {"mail": {"headers": headers}})
    assert "mail.headers" in problem
    assert words in problem


def test_headers_are_taken_as_they_are() -> None:
    headers = {"X-SES-CONFIGURATION-SET": "notices", "X-Number": 7}
    taken = config.validate(MINIMAL | {"mail": {"headers": headers}}, "config.yaml").mail.headers
    assert taken == {"X-SES-CONFIGURATION-SET": "notices", "X-Number": "7"}
