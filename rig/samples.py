"""The samples of mail, read without sendmail and S3: a table of what is wrong, in seconds.

`python -m rig.samples [NAME…]` takes names or their beginnings; `--dump` prints what the recipients read.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

from rig.promises.delivered import Delivered, Download
from rig.promises.expectations import Sample, faults, samples
from rig.promises.notices import read_notice
from woomera_milter import config
from woomera_milter.clock import Deadline
from woomera_milter.message.encoding import wire
from woomera_milter.message.envelope import Envelope
from woomera_milter.message.fields import HeaderField, parse_header_block
from woomera_milter.message.mime.raw_fields import in_utf_8
from woomera_milter.message.spool import SpooledMessage
from woomera_milter.notice.header_edits import HeaderEdits
from woomera_milter.notice.notice import Composer
from woomera_milter.offload import announcement
from woomera_milter.offload.offload import Offload
from woomera_milter.offload.source import Origin
from woomera_milter.store.downloads import attachment_disposition, harmless_type
from woomera_milter.store.links import Signer
from woomera_milter.store.objects import Content, Store, StoredObject

FOLDER = Path(__file__).parents[1] / "tests" / "samples"
_ID = "4AO5OuKt012345-Zk3v9qXw"
_HOST = "https://bucket.example.com/"


class Shelf:
    """As much of a store and of a signer as offloading needs, in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, Download] = {}

    def put(
        self,
        key: str,
        content: Content | bytes,
        content_type: str,
        deadline: Deadline,
        now: datetime,
        *,
        file_name: str | None = None,
        with_md5: bool = True,
    ) -> StoredObject:
        """Store an object as the product's store does."""
        del with_md5
        octets = content if isinstance(content, bytes) else content.open(deadline).read()
        disposition = attachment_disposition(file_name) if file_name else ""
        served_as = harmless_type(content_type) if file_name else content_type
        self.objects[key] = Download(octets, served_as, disposition)
        return StoredObject(key, now + timedelta(days=30))

    def put_json(self, key: str, value: object, deadline: Deadline | None = None) -> None:
        """Store a document."""
        del deadline
        self.objects[key] = Download(json.dumps(value).encode(), "application/json", "")

    def ends_at(self, now: datetime, object_ends_at: datetime) -> datetime:
        """All links live for a week."""
        del object_ends_at
        return (now + timedelta(days=7)).replace(microsecond=0)

    def sign(self, key: str, ends_at: datetime) -> str:
        """Return a link whose path is the key as it is, unless that has characters no link has."""
        del ends_at
        return _HOST + "".join(
            it if (it.isalnum() and it.isascii()) or it in "/._-" else _percent(it) for it in key
        )

    def download(self, link: str) -> Download:
        """Return what a browser gets."""
        return next(it for key, it in self.objects.items() if self.sign(key, datetime.now(UTC)) == link)

    def ending_with(self, name: str) -> bytes | None:
        """Return the object of that file name."""
        return next((it.octets for key, it in self.objects.items() if key.endswith(f"/{name}")), None)


def _percent(character: str) -> str:
    return "".join(f"%{it:02X}" for it in character.encode())


@cache
def _configuration() -> config.Config:
    return config.validate(
        {
            "storage": {"bucket": "large-mail", "region": "us-east-1"},
            "notice": {"organization": "Example Ltd", "contact": "postmaster@example.com"},
        },
        "config.yaml",
    )


@cache
def _composer() -> Composer:
    return Composer(_configuration().notice)


def deliver(octets: bytes) -> Delivered:
    """Return what a message's recipients get, by the product's code without the MTA's and S3's part."""
    configuration = _configuration()
    shelf = Shelf()
    spooled = SpooledMessage(Path(tempfile.gettempdir()))
    try:
        spooled.write(octets)
        headers = in_utf_8(parse_header_block(octets), spooled)
        offloaded = Offload(configuration, cast(Store, shelf), cast(Signer, shelf)).run(
            _ID,
            spooled,
            Envelope("sender@example.com", ("recipient@example.org",)),
            headers,
            Origin("milter", "mail.example.com", "4AO5OuKt012345", datetime.now(UTC)),
            Deadline(60),
        )
    finally:
        spooled.close()
    edits = HeaderEdits(headers, "")
    notice = announcement.compose(_composer(), offloaded, edits.relayed_bytes)
    ours = {
        "MIME-Version": "1.0",
        "Content-Type": notice.content_type,
        "Content-Transfer-Encoding": "7bit",
        "X-Woomera-Id": _ID,
    }
    fields = [*edits.kept, *(HeaderField(name, f" {value}".encode()) for name, value in ours.items())]
    page = shelf.ending_with("index.html")
    return Delivered(
        read_notice(b"".join(map(wire, fields)) + b"\r\n" + notice.body),
        json.loads(shelf.ending_with("envelope.json") or b"{}"),
        page.decode() if page else None,
        shelf.download,
    )


def main() -> int:
    """Print a table of the samples; return how many are read wrongly."""
    parser = argparse.ArgumentParser(prog="python -m rig.samples", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a sample's name, or its beginning")
    parser.add_argument("--dump", action="store_true", help="print what the recipients read of each")
    options = parser.parse_args()
    chosen = [it for it in samples(FOLDER) if not options.names or it.name.startswith(tuple(options.names))]
    return min(run(chosen, dumps=options.dump), 99)


def run(chosen: Sequence[Sample], *, dumps: bool) -> int:
    """Read each; return how many are read wrongly."""
    started = time.monotonic()
    wrong = 0
    for sample in chosen:
        delivered = deliver(sample.octets)
        found = faults(sample, delivered)
        wrong += bool(found)
        print(f"{sample.name:<34} {sample.expected.get('kind', ''):<2} {'WRONG' if found else 'right'}")
        for fault in found:
            print(f"        {fault}")
        if dumps:
            _dump(delivered)
    print(
        f"{len(chosen) - wrong} of {len(chosen)} are right, in {time.monotonic() - started:.1f} s",
        file=sys.stderr,
    )
    return wrong


def _dump(delivered: Delivered) -> None:
    for title, text in (
        ("notice's text", delivered.notice.text),
        ("notice's HTML", "\n".join(delivered.notice_html.lines)),
        ("page", "\n".join(delivered.shown_page.lines)),
        ("sidecar", json.dumps(delivered.sidecar, ensure_ascii=False, indent=1)),
    ):
        print(f"----- {title}\n{text}")


if __name__ == "__main__":
    sys.exit(main())
