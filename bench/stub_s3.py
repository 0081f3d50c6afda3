"""A stub of S3 with made-up objects: loading them into a real test server would take longer than a benchmark.

`python -m bench.stub_s3 PORT archive OBJECTS OVER_LIMIT` lists archived copies, and has nothing else.
`python -m bench.stub_s3 PORT report HOSTS SIDECARS` has a month of a fleet: snapshots (a host and day each,
all of November 2026) and sidecars, each of these beside a message that only the listing shows.
"""

import json
import sys
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from woomera_milter.clock import moment
from woomera_milter.store.documents import written
from woomera_milter.store.tallies import Amount, FailedMessage, Tally

DAYS = 30
_PAGE = 1000
_SMALL_BYTES = 40_000
_LARGE_BYTES = 12_000_000
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOTHING = f"{_HEAD}<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".encode()
_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
_ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-{day:02}T23:00:00.000Z</LastModified>"
    f"<ETag>&quot;{_ETAG}&quot;</ETag><Size>{{size_bytes}}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


class _Entry(NamedTuple):
    key: str
    size_bytes: int
    day: int


class _Objects(Protocol):
    """What there is."""

    def listed(self, prefix: str, start: int) -> tuple[list[_Entry], bool]:
        """Return a page of what begins with `prefix`, from its entry `start` on, and whether more follows."""

    def read(self, key: str) -> bytes | None:
        """Return an object's octets; None where there is none of that key."""


class _Archive:
    """So many copies that their entries are made as they are asked for; of claims and the like, none."""

    def __init__(self, objects: int, over_limit: int) -> None:
        self._objects = objects
        self._every = objects // over_limit

    def listed(self, prefix: str, start: int) -> tuple[list[_Entry], bool]:
        end = min(start + _PAGE, self._objects)
        return [self._entry(number) for number in range(start, end)], end < self._objects

    def _entry(self, number: int) -> _Entry:
        size_bytes = _SMALL_BYTES if number % self._every else _LARGE_BYTES
        return _Entry(f"archive/flat/{number:09d}.eml", size_bytes, 24)

    def read(self, key: str) -> bytes | None:
        return None


class _Month:
    """Snapshots and sidecars."""

    def __init__(self, hosts: int, sidecars: int) -> None:
        self._keys = [(key, 900) for key in snapshot_keys(hosts)]
        for key in sidecar_keys(sidecars):
            self._keys += [(key, 1000), (key.replace("envelope.json", "message.eml"), 11_000_000)]

    def listed(self, prefix: str, start: int) -> tuple[list[_Entry], bool]:
        found = [entry for entry in self._keys if entry[0].startswith(prefix)]
        page = enumerate(found[start : start + _PAGE], start)
        entries = [_Entry(*entry, day=1 + number * DAYS // len(found)) for number, entry in page]
        return entries, start + _PAGE < len(found)

    def read(self, key: str) -> bytes | None:
        return _snapshot(key) if key.startswith("stats/") else _sidecar(key)


def snapshot_keys(hosts: int) -> list[str]:
    """Return the keys of all snapshots, in order."""
    start = "20261101T000000.000000Z"
    return [
        f"stats/2026-11-{day:02}/host-{host:03}-{start}.json"
        for day in range(1, DAYS + 1)
        for host in range(hosts)
    ]


def sidecar_keys(count: int) -> list[str]:
    """Return the keys of all sidecars, in order."""
    a_day = -(-count // DAYS)
    return [
        f"messages/2026/11/{number // a_day + 1:02}/6AO{number:06}/envelope.json" for number in range(count)
    ]


def _snapshot(key: str) -> bytes:
    _, day, name = key.split("/")
    tally = Tally(passed=Amount(9000, 400_000_000), intercepted=Amount(5, 90_000_000))
    tally.store_seconds["0.5"] = 5
    tally.failed["store"] = 1
    tally.recent_failures.append(FailedMessage("6AO00001S01234", "store", moment(f"{day}T10:00:00Z")))
    about = {
        "source": "milter",
        "host": name[:8],
        "day": day,
        "started_at": "2026-11-01T00:00:00Z",
        "written_at": f"{day}T23:59:59Z",
        "every_s": 300,
        "stopped": False,
    }
    return json.dumps(about | written(tally), indent=1).encode()


def _sidecar(key: str) -> bytes:
    _, _, _, day, message_id, _ = key.split("/")
    number = int(message_id[3:])
    return json.dumps(
        {
            "id": message_id,
            "source": "milter",
            "host": f"host-{number % 200:03}",
            "queue_id": message_id,
            "received_at": f"2026-11-{day}T22:59:58Z",
            "envelope_sender": f"sender-{number % 2000}@example.com",
            "recipients": ["one@example.org", "two@example.org"],
            "header_from": f"Sandra Sender <sender-{number % 2000}@example.com>",
            "subject": f"Drawings, part {number}",
            "date": f"Mon, {day} Nov 2026 22:59:58 +0000",
            "message_id": f"<{number}@example.com>",
            "size_bytes": 11_000_000 + number,
            "sha256": "0" * 64,
            "attachments": [
                {"name": "a.pdf", "content_type": "application/pdf", "size_bytes": 8_000_000, "key": None}
            ],
            "notice_headers": [["From", f"Sandra Sender <sender-{number % 2000}@example.com>"]],
            "protection": None,
            "links_expire_at": "2026-12-31T23:00:00Z",
            "resent": [],
        },
        indent=1,
    ).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    objects: _Objects

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if "list-type" in query:
            start = int(query.get("continuation-token", ["0"])[0])
            prefix = query.get("prefix", [""])[0]
            self._answer(200, "application/xml", _page(prefix, start, *self.objects.listed(prefix, start)))
            return
        body = self.objects.read(unquote(parts.path).partition("/large-mail/")[2])
        if body is None:
            self._answer(404, "application/xml", _NOTHING)
        else:
            self._answer(200, "application/json", body)

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{_ETAG}"')
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 23:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _page(prefix: str, start: int, entries: Sequence[_Entry], more: bool) -> bytes:
    token = f"<NextContinuationToken>{start + len(entries)}</NextContinuationToken>" if more else ""
    listed = "".join(_ENTRY.format(**entry._asdict()) for entry in entries)
    body = (
        f"{_HEAD}<ListBucketResult><Name>large-mail</Name><Prefix>{prefix}</Prefix>"
        f"<KeyCount>{len(entries)}</KeyCount><MaxKeys>{_PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{listed}</ListBucketResult>"
    )
    return body.encode()


def main() -> None:
    """Serve on 127.0.0.1."""
    port, kind, *numbers = sys.argv[1:]
    kinds: dict[str, Callable[[int, int], _Objects]] = {"archive": _Archive, "report": _Month}
    _Handler.objects = kinds[kind](*map(int, numbers))
    ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
