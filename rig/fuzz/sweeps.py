"""Sweeps of an archive that holds anything at all."""

import logging
import re
import tempfile
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rig.fuzz.files import stored_form
from rig.fuzz.notices import check_links, composer, configuration
from rig.fuzz.pages import check_page
from rig.promises.notices import check_markup, read_notice, require
from tests.fakes.bucket import MemoryStore
from tests.fakes.outbox import Outbox
from woomera_milter import log
from woomera_milter.message.addresses import recipients_of
from woomera_milter.offload.offload import Offload
from woomera_milter.store.answers import Listed
from woomera_milter.store.claims import Claims
from woomera_milter.store.links import Signer
from woomera_milter.sweep.notifier import NoticeOutcome, NoticeState, Notifier, woomera_id

KEY = "archive/2026/11/24/host-1/a.eml"


@dataclass(slots=True)
class Bench:
    """What a sweep works with, made once."""

    store: MemoryStore
    outbox: Outbox
    notifier: Notifier
    spool: tempfile.TemporaryDirectory[str]

    def sweep(self, objects: Mapping[str, bytes]) -> NoticeOutcome:
        """Return what becomes of KEY in a bucket that holds these objects; a mistake of ours is a finding."""
        self.store.objects.clear()
        self.store.operations.clear()
        self.outbox.sent.clear()
        for key, octets in objects.items():
            self.store.put_octets(key, octets)
        with no_mistakes():
            outcome = self.notifier.notify(Listed(KEY, len(objects[KEY]), self.store.now, "STANDARD"))
        require(not outcome.reason.startswith("a mistake of ours"), outcome.reason)
        return outcome


@cache
def bench() -> Bench:
    """Return the same one each time, with an empty bucket and outbox."""
    settings, store, outbox = configuration(), MemoryStore(), Outbox()
    spool = tempfile.TemporaryDirectory(prefix="woomera-fuzz-")
    offload = Offload(settings, store, Signer(settings.links, settings.storage))
    claims = Claims(store, "host-1", timedelta(minutes=15))
    notifier = Notifier(settings, store, claims, offload, composer(), outbox, Path(spool.name))
    return Bench(store, outbox, notifier, spool)


class _Mistakes(logging.Handler):
    """Takes what the log says of mistakes of ours: errors that no one raised on purpose."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if re.search(r" crashed | why=[A-Z]\w+(?:Error|Exception)\b", line := record.getMessage()):
            self.lines.append(line)


@contextmanager
def no_mistakes() -> Iterator[None]:
    """Raise BrokenPromise where the block made a mistake that was caught at one of our boundaries."""
    mistakes = _Mistakes()
    handlers, log.logger.handlers[:] = log.logger.handlers[:], [mistakes]
    propagate, log.logger.propagate = log.logger.propagate, False
    try:
        yield
    finally:
        log.logger.handlers[:], log.logger.propagate = handlers, propagate
    require(not mistakes.lines, f"the log says {mistakes.lines}")


def check_sweep(data: bytes) -> set[Hashable]:
    """Hold a sweep that takes the octets for an over-limit copy to a notice, or to saying why not."""
    outcome = bench().sweep({KEY: data})
    if outcome.state is not NoticeState.NOTIFIED:
        return {re.sub(r"\W.*", "", outcome.reason)}
    ((_, recipients, message),) = bench().outbox.sent
    headers, stored = stored_form(data)
    require(recipients == recipients_of(headers).addresses, f"the notice went to {recipients}")
    notice = read_notice(message)
    require(notice.id == woomera_id(KEY), f"the notice's id is {notice.id}")
    check_links(notice.text, notice.links)
    check_markup(notice, set(notice.links))
    folder = f"messages/2026/11/24/{notice.id}/"
    objects = {key.removeprefix(folder): it.octets for key, it in bench().store.objects.items()}
    require(objects["message.eml"] == stored, "the stored message is not what the archive holds")
    leads_to = [unquote(urlsplit(it).path).removeprefix(f"/{folder}") for it in notice.links]
    require(set(leads_to) <= set(objects), f"the links lead to {leads_to}, and there is {list(objects)}")
    require(leads_to[: 1 + ("index.html" in objects)][-1] == "message.eml", f"the links lead to {leads_to}")
    if "index.html" in objects:
        page = objects["index.html"].decode()
        # The page has links for which the notice has no room: those to what is stored.
        files = {unescape(it) for it in re.findall(rf'"(https://[^"]*/{folder}[^"]*)"', page)}
        check_page(page, set(notice.links) | files)
    return {("files", len(objects).bit_length(), "index.html" in objects), ("links", len(notice.links))}
