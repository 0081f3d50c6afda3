"""Copies of the archive milter, and the bucket to which `woomera archive` moves them."""

from datetime import UTC, datetime, timedelta

from rig.archive_lab import Archiving, Kept
from rig.lab import BUCKET
from rig.mail.messages import RECIPIENT, SENDER
from rig.servers.s3 import Juicefs
from woomera_milter.archive.spool import ArchiveSpool
from woomera_milter.message.envelope import Envelope

MOMENT = datetime(2026, 11, 24, 9, 30, 15, 250, tzinfo=UTC)
KILLS = 8


class Objects:
    """The bucket, read with a client of the server's own."""

    def __init__(self, s3: Juicefs) -> None:
        self.client = s3.client()

    def all(self) -> dict[str, bytes]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        listed = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        keys = [key for key in listed if not key.startswith("stats/")]
        return {key: self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def messages(self) -> list[bytes]:
        return sorted(octets for key, octets in self.all().items() if key.endswith(".eml"))


def keep(archiving: Archiving, *texts: bytes, first: int = 0) -> list[Kept]:
    """Put copies into the spool, as the archive milter does; each second one, from second `first` on."""
    spool = ArchiveSpool(archiving.spool, min_free_bytes=0)
    for number, text in enumerate(texts):
        with spool.begin(0) as draft:
            draft.write(text)
            moment = MOMENT + timedelta(seconds=first + number)
            draft.keep(
                Envelope(SENDER, (RECIPIENT, "bcc@example.org")), "mail.example.com", "6AO00001", moment
            )
    return archiving.kept()


def count_copies(archiving: Archiving) -> int:
    return len(list(archiving.spool.glob("[!.]*.eml")))
