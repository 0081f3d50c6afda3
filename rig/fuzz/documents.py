"""JSON that lies in the bucket or on disk, written by other hosts, older versions, or anybody's hand.

Whatever it is, it gives a result, or one of our errors, which name it: never a traceback.
"""

import json
import re
import tempfile
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, cast

from rig.fuzz.engine import Target
from rig.fuzz.mutation import TEXTS
from rig.fuzz.notices import composer, configuration
from rig.fuzz.sweeps import KEY, bench
from rig.mail.messages import message
from rig.promises.notices import require
from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from woomera_milter.archive import journal
from woomera_milter.archive.shipper import Shipper
from woomera_milter.archive.spool import Copy
from woomera_milter.cli.stored import line_of
from woomera_milter.config import Report
from woomera_milter.errors import PermanentError, WoomeraError
from woomera_milter.report import report, view
from woomera_milter.report.figures import Statistics
from woomera_milter.report.period import Period
from woomera_milter.report.reader import Reader
from woomera_milter.store import sidecars
from woomera_milter.store.claims import Claims
from woomera_milter.store.documents import State
from woomera_milter.store.keys import claim_key
from woomera_milter.store.links import Signer
from woomera_milter.sweep import copies, watermark
from woomera_milter.sweep.processed_mail import ProcessedMail
from woomera_milter.sweep.resend import Resend

_ID = "4AO9Xk1S012345-0123456789abcdef"
_FOLDER = f"messages/2026/11/23/{_ID}/"
_RECORD_KEY = KEY.removesuffix(".eml") + ".json"
_NOW = datetime(2026, 11, 24, 0, 15, tzinfo=UTC)
_LEASE = timedelta(minutes=15)
_MESSAGE = message(2000)

_AMOUNT = {"count": 10, "bytes": 1000}
_MOMENT = "2026-11-23T10:00:00Z"
_SNAPSHOT = {
    "source": "milter",
    "host": "host-1",
    "day": "2026-11-23",
    "started_at": _MOMENT,
    "written_at": _MOMENT,
    "every_s": 300,
    "stopped": False,
    "passed": _AMOUNT,
    "intercepted": _AMOUNT,
    "failed": {"store": 1},
    "passed_over_limit": 0,
    "store_seconds": dict.fromkeys(("0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "more"), 1),
    "recent_failures": [{"queue_id": "6AO1", "reason": "store", "at": _MOMENT}],
}
_ARCHIVE_SNAPSHOT = {
    "source": "archive",
    "host": "host-1",
    "day": "2026-11-23",
    "written_at": _MOMENT,
    "archived": _AMOUNT,
    "backlog": _AMOUNT | {"oldest_at": _MOMENT},
}
_SIDECAR = {
    "id": _ID,
    "source": "milter",
    "host": "host-1",
    "queue_id": "4AO9Xk1S012345",
    "received_at": _MOMENT,
    "envelope_sender": "s@example.com",
    "recipients": ["a@example.org"],
    "header_from": "S <s@example.com>",
    "subject": "Figures",
    "date": "Tue, 24 Nov 2026 05:24:00 +0000",
    "message_id": "<1@example.com>",
    "size_bytes": 2000,
    "sha256": "0" * 64,
    "attachments": [{"name": "a.pdf", "content_type": "application/pdf", "size_bytes": 1, "key": None}],
    "protection": None,
    "notice_headers": [["From", " s@example.com"], ["Subject", " Figures"]],
    "links_expire_at": "2026-11-30T10:00:00Z",
    "resent": [{"at": _MOMENT, "to": ["a@example.org"]}],
}
_CLAIM = {
    "key": KEY,
    "token": "0" * 32,
    "host": "host-1",
    "claimed_at": _MOMENT,
    "lease_s": 0.0,
    "may_repeat": False,
    "accepted": ["a@example.org"],
    "reason": "",
    "first_failed_at": "",
    "done_at": "",
    "mail": {"id": _ID, "from": "s@example.com", "subject": "Figures", "date": ""},
}
_CLAIMS = [
    _CLAIM | {"state": "claimed"},
    _CLAIM | {"state": "handing-over"},
    _CLAIM | {"state": "failed", "reason": "S3", "first_failed_at": _MOMENT},
    _CLAIM | {"state": "done", "done_at": _MOMENT},
]
_RECORD = {
    "envelope_sender": "s@example.com",
    "recipients": ["a@example.org"],
    "archived_at": _MOMENT,
    "host": "host-1",
    "source": "archive-milter",
}
_WATERMARK = {"prefix": "archive/", "recent_until": _MOMENT, "all_until": _MOMENT, "retry": False}
_PROCESSED = {
    KEY: {
        "date": "Tue, 24 Nov 2026 05:24:00 +0000",
        "emailSent": "24-11-2026",
        "email": [{"from": "s@example.com", "to": ["a@example.org"], "subject": "Figures"}],
    }
}


def _bucket(objects: Mapping[str, bytes]) -> MemoryStore:
    store = MemoryStore()
    store.now = _NOW
    for key, octets in objects.items():
        store.put_octets(key, octets)
    return store


def _check(read: Callable[[bytes], Hashable], data: bytes) -> set[Hashable]:
    """Give what was read, or which of our errors was raised; whatever else is raised is a finding."""
    try:
        result = read(data)
    except WoomeraError as error:
        str(error).encode()
        result = type(error).__name__, error.reason, re.sub(r"\W.*", "", error.problem)
    try:
        kind = type(json.loads(data)).__name__
    except (ValueError, RecursionError):
        kind = ""
    return {(kind, result)}


@cache
def _resend() -> tuple[MemoryStore, Resend]:
    settings, store = configuration(), bench().store
    milter = settings.milter.model_copy(update={"spool": Path(bench().spool.name)})
    spooling = settings.model_copy(update={"milter": milter})
    signer = Signer(settings.links, settings.storage)
    return store, Resend(spooling, store, signer, composer(), Outbox())


def _sidecar(data: bytes) -> Hashable:
    store, resend = _resend()
    store.objects.clear()
    store.put_octets(f"{_FOLDER}envelope.json", data)
    store.put_octets(f"{_FOLDER}message.eml", _MESSAGE)
    damaged: list[PermanentError] = []
    listed = sidecars.newest_first(store, _NOW - timedelta(days=9), damaged.append)
    found = [it for it in listed if it.matches("s@", "a@")]
    for it in found:
        line_of(it.sidecar).encode()
    resend.run(_ID, None, dry_run=True)
    resent = resend.run(_ID, None, dry_run=False)
    return len(found), len(resent.accepted).bit_length()


def _claim(data: bytes) -> Hashable:
    outcome = bench().sweep({KEY: _MESSAGE, claim_key(KEY): data})
    claims = Claims(_bucket({claim_key(KEY): data}), "host-2", _LEASE)
    claim = claims.find(KEY)
    if claim and claim.state is State.DONE:
        ProcessedMail(_bucket({}), "processed.json").record(claim)
    return outcome.state, outcome.settled, claim and claim.state


def _record(data: bytes) -> Hashable:
    record = copies.record_of(_bucket({_RECORD_KEY: data}), KEY)
    outcome = bench().sweep({KEY: _MESSAGE, _RECORD_KEY: data})
    return outcome.state, record and (record.by_us, len(record.recipients).bit_length())


def _watermark(data: bytes) -> Hashable:
    store = _bucket({"sweep/watermark.json": data})
    before = watermark.load(store, "archive/")
    span = watermark.next_range(before, _NOW)
    watermark.save(store, watermark.advanced(before, "archive/", span, _NOW, [_NOW]))
    return before is None, span.is_full


def _processed(data: bytes) -> Hashable:
    store = _bucket({"processed.json": data})
    ledger = ProcessedMail(store, "processed.json")
    known = KEY in ledger, ledger.count.bit_length()
    claims = Claims(store, "host-2", _LEASE)
    if claim := claims.take("archive/b.eml"):
        ledger.record(claims.finish(claim, ["a@example.org"], cast("dict[str, Any]", _CLAIM["mail"])))
    ledger.save()
    require("archive/b.eml" in ProcessedMail(store, "processed.json"), "what was saved is not there")
    return known


def _report(data: bytes) -> Hashable:
    keys = (f"{_FOLDER}envelope.json", "stats/2026-11-23/host-1-x.json", "processed/a.json")
    statistics = Statistics(Period.before("day", date(2026, 11, 24)), timedelta(days=7), _NOW)
    store = _bucket(dict.fromkeys(keys, data))
    Reader(store, "archive/", timedelta(days=30), lambda _: None).fill(statistics, _NOW)
    settings = Report(sender="woomera@example.com", to=("postmaster@example.com",), quiet="send")
    mail = report.message_of(statistics, settings, _NOW) or b""
    require(mail.isascii() and max(map(len, mail.split(b"\r\n"))) < 998, "the report is not safe for SES")
    json.dumps(view.document(statistics), ensure_ascii=False).encode()
    return statistics.unreadable.count, len(statistics.hosts), statistics.is_quiet


def _spooled(data: bytes) -> Hashable:
    with tempfile.TemporaryDirectory(dir=bench().spool.name) as name:
        folder = Path(name)
        (folder / "a.eml").write_bytes(_MESSAGE)
        (folder / "a.json").write_bytes(data)
        (folder / ".shipped-2026-11-24").write_bytes(data + b"\na 10\n")
        result = Shipper(None, "archive/").run([Copy(folder / "a.eml")], lambda _: None)
        form = r"archive/\d{4}/\d\d/\d\d/[\w.-]+/\d{6}\.\d{6}-[0-9a-f]{32}\.eml"
        require(all(re.fullmatch(form, it, re.ASCII) for it in result.keys), f"the key is {result.keys}")
        return len(result.keys), journal.by_day(folder)[date(2026, 11, 24)].count.bit_length()


def targets() -> list[Target]:
    """Return them, each with documents as we write them."""
    readers: dict[str, tuple[Callable[[bytes], Hashable], list[Any]]] = {
        "sidecar": (_sidecar, [_SIDECAR]),
        "claim": (_claim, _CLAIMS),
        "record": (_record, [_RECORD]),
        "watermark": (_watermark, [_WATERMARK]),
        "processed": (_processed, [_PROCESSED, {}]),
        "report": (_report, [_SNAPSHOT, _ARCHIVE_SNAPSHOT, _SIDECAR, *_CLAIMS]),
        "spooled": (_spooled, [_RECORD]),
    }
    return [
        Target(name, partial(_check, read), [json.dumps(it).encode() for it in seeds], TEXTS, is_json=True)
        for name, (read, seeds) in readers.items()
    ]
