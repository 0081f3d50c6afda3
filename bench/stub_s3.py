"""A stub of S3 that only lists: `python -m bench.stub_s3 PORT OBJECTS OVER_LIMIT`.

A million objects would take a real test server an hour to load. It answers ListObjectsV2 with made-up
entries, 1,000 a page, and any other GET with 404 NoSuchKey, as S3 would for claims that nobody has made.
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 1000
SMALL_BYTES = 40_000
LARGE_BYTES = 12_000_000
PREFIX = "archive/flat/"

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_ENTRY = (
    "<Contents><Key>{prefix}{number:09d}.eml</Key><LastModified>2026-11-24T09:00:00.000Z</LastModified>"
    "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>{size_bytes}</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)


def page(start: int, objects: int, over_limit: int) -> bytes:
    """Return one page of the listing, from object `start` on."""
    every = objects // over_limit
    end = min(start + PAGE, objects)
    entries = "".join(
        _ENTRY.format(prefix=PREFIX, number=it, size_bytes=SMALL_BYTES if it % every else LARGE_BYTES)
        for it in range(start, end)
    )
    more = end < objects
    token = f"<NextContinuationToken>{end}</NextContinuationToken>" if more else ""
    truncated = str(more).lower()
    body = (
        f"{_HEAD}<ListBucketResult><Name>large-mail</Name><Prefix>archive/</Prefix>"
        f"<KeyCount>{end - start}</KeyCount><MaxKeys>{PAGE}</MaxKeys><EncodingType>url</EncodingType>"
        f"<IsTruncated>{truncated}</IsTruncated>{token}{entries}</ListBucketResult>"
    )
    return body.encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    objects = 0
    over_limit = 0

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if "list-type" in query:
            start = int(query.get("continuation-token", ["0"])[0])
            self._answer(200, page(start, self.objects, self.over_limit))
        else:
            self._answer(404, f"{_HEAD}<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve on 127.0.0.1."""
    port, _Handler.objects, _Handler.over_limit = (int(word) for word in sys.argv[1:4])
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
