"""What lies in the archive, page by page: memory stays flat, and days without anything new are left out.

A date-partitioned archive (PREFIX/YYYY/MM/DD/...) is listed by days, several at once; anything else in the
order of its keys. Four digits may be a customer's number: what looks like a year is left out only where
there are months in it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import date, datetime

from woomera_milter.config.names import OWN_FOLDERS
from woomera_milter.store.answers import Listed
from woomera_milter.store.objects import Store
from woomera_milter.workers import in_parallel

_DATE_FOLDER = re.compile(r"(\d{4})/(?:(\d{2})/(?:(\d{2})/)?)?", re.ASCII)
_YEARS, _MONTHS, _DAYS = range(1970, 2200), range(1, 13), range(1, 32)
_LISTINGS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Sifted:
    """Of some objects: how many there are, and those that the sweep has to look at."""

    count: int
    candidates: Sequence[Listed]


class ArchiveListing:
    """Lists archived copies below a prefix; keys count from the bucket's root."""

    def __init__(self, archive: Store, prefix: str, own_prefix: str) -> None:
        """`own_prefix` is storage.prefix, below which we keep what no sweep may look at."""
        self._archive = archive
        self._prefix = prefix
        self._own = tuple(own_prefix + folder for folder in OWN_FOLDERS)

    def server_time(self) -> datetime | None:
        """Return the time by the server's clock, by which objects came; None where it does not tell."""
        return next(self._archive.pages(self._prefix, page_size=1)).at

    def sift(
        self, workers: Executor, since: date | None, is_candidate: Callable[[Listed], bool]
    ) -> Iterator[Sifted]:
        """Yield pages or days of the listing; those of days before `since` are not asked for."""

        def sifted(objects: Sequence[Listed]) -> Sifted:
            mail = [it for it in objects if not it.key.startswith(self._own) and not it.key.endswith(".json")]
            return Sifted(len(mail), [it for it in mail if is_candidate(it)])

        def whole(prefix: str) -> Sifted:
            pages = [sifted(page.objects) for page in self._archive.pages(prefix)]
            return Sifted(sum(it.count for it in pages), [one for it in pages for one in it.candidates])

        folders: list[str] = []
        for step in self._walk(self._prefix, since):
            if isinstance(step, str):
                folders.append(step)
            else:
                yield sifted(step)
        if len(folders) == 1:
            for page in self._archive.pages(folders[0]):
                yield sifted(page.objects)
        else:
            yield from in_parallel(workers, whole, folders, _LISTINGS_AT_ONCE)

    def _walk(self, prefix: str, since: date | None) -> Iterator[str | list[Listed]]:
        """Yield folders to be listed whole, and objects beside them."""
        page = next(self._archive.pages(prefix, "/"))
        if page.more or not page.folders:
            # More than a page of folders and objects: asking for each folder would cost more than it saves.
            yield prefix
            return
        yield page.objects
        for folder in page.folders:
            if folder.startswith(self._own):
                continue
            parts = _date_parts(folder[len(self._prefix) :])
            if len(parts) > 1 and since and parts < (since.year, since.month, since.day)[: len(parts)]:
                continue
            if 0 < len(parts) < 3:
                yield from self._walk(folder, since)
            else:
                yield folder


def lies_in_own(prefix: str, own_prefix: str) -> bool:
    """Tell whether the sweep's prefix leads into what is our own, where it would find nothing."""
    return prefix.startswith(tuple(own_prefix + folder for folder in OWN_FOLDERS))


def _date_parts(folder: str) -> tuple[int, ...]:
    """Return the (year, month, day) of a folder below the prefix, as far as it goes; () if it is none."""
    found = _DATE_FOLDER.fullmatch(folder)
    parts = tuple(int(part) for part in found.groups() if part) if found else ()
    is_date = all(part in known for part, known in zip(parts, (_YEARS, _MONTHS, _DAYS), strict=False))
    return parts if is_date else ()
