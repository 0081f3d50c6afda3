"""A stub of S3 with a month of a fleet in it: `python -m bench.stub_report PORT HOSTS SIDECARS`.

It lists and gives made-up snapshots (a host and day each, all of November 2026) and sidecars, each of these
beside a message that only the listing shows. Loading them into a real test server would take longer than the
benchmark.
"""

import json
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from woomera_milter.milter.counters import Amount, FailedMessage, Tally

DAYS = 30
_PAGE = 1000
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_AT = "2026-11-{day:02}T23:00:00.000Z"
_ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>" + _AT + "</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{size_bytes}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


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
    tally.recent_failures.append(FailedMessage("6AO00001S01234", "store", f"{day}T10:00:00Z"))
    about = {
        "source": "milter",
        "host": name[:8],
        "day": day,
        "started_at": "2026-11-01T00:00:00Z",
        "written_at": f"{day}T23:59:59Z",
        "every_s": 300,
        "stopped": False,
    }
    return json.dumps(about | tally.document(), indent=1).encode()


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
    listings: Sequence[tuple[str, int]] = ()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if "list-type" in query:
            start = int(query.get("continuation-token", ["0"])[0])
            self._answer("application/xml", _page(query.get("prefix", [""])[0], start, self.listings))
            return
        key = unquote(parts.path).partition("/large-mail/")[2]
        self._answer("application/json", _snapshot(key) if key.startswith("stats/") else _sidecar(key))

    def _answer(self, content_type: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"d41d8cd98f00b204e9800998ecf8427e"')
        self.send_header("Last-Modified", "Mon, 30 Nov 2026 23:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def _page(prefix: str, start: int, listings: Sequence[tuple[str, int]]) -> bytes:
    found = [it for it in listings if it[0].startswith(prefix)]
    end = min(start + _PAGE, len(found))
    entries = "".join(
        _ENTRY.format(key=key, size_bytes=size_bytes, day=1 + number * DAYS // len(found))
        for number, (key, size_bytes) in enumerate(found[start:end], start)
    )
    more = end < len(found)
    token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
    body = (
        f"{_HEAD}<ListBucketResult><Name>large-mail</Name><Prefix>{prefix}</Prefix>"
        f"<KeyCount>{end - start}</KeyCount><MaxKeys>{_PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
    )
    return body.encode()


def main() -> None:
    """Serve on 127.0.0.1."""
    port, hosts, sidecars = (int(word) for word in sys.argv[1:4])
    listings = [(key, 900) for key in snapshot_keys(hosts)]
    for key in sidecar_keys(sidecars):
        listings += [(key, 1000), (key.replace("envelope.json", "message.eml"), 11_000_000)]
    _Handler.listings = listings
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
