"""What a recipient of a message has: the notice, the page, and what their links give; and the sidecar."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from rig.promises.notices import Notice
from rig.promises.phrases import words
from rig.promises.shown import Shown, shown


@dataclass(frozen=True, slots=True)
class Download:
    """What a browser gets of a link."""

    octets: bytes = field(repr=False)
    content_type: str
    disposition: str

    @property
    def saved_as(self) -> str:
        """The name under which a browser saves it: `filename*` counts before `filename` (RFC 6266 4.3)."""
        if extended := re.search(r"filename\*=UTF-8''([^;\s]*)", self.disposition, re.IGNORECASE):
            return unquote(extended[1])
        plain = re.search(r'filename="([^"]*)"', self.disposition)
        return plain[1] if plain else ""


@dataclass(frozen=True)
class Delivered:
    """What a recipient has: the notice, the page if there is one, what links give; and the sidecar."""

    notice: Notice
    sidecar: Mapping[str, Any]
    page: str | None
    download: Callable[[str], Download]

    @cached_property
    def notice_lines(self) -> list[str]:
        """The notice's plain text, without our mark of quotation."""
        return [it.removeprefix("> ").removeprefix(">") for it in self.notice.text.splitlines()]

    @cached_property
    def notice_html(self) -> Shown:
        """What the notice's HTML shows."""
        return shown(self.notice.html, self._picture_name)

    @cached_property
    def shown_page(self) -> Shown:
        """What the page shows."""
        return shown(self.page or "", self._picture_name)

    @cached_property
    def texts(self) -> dict[str, str]:
        """All that a recipient reads, by where it stands; the Subject's own lines left out."""
        subject = words(self.sidecar["subject"])
        page = list(self.shown_page.lines)
        if subject and subject in (heads := [words(it) for it in page]):
            del page[heads.index(subject)]
        texts = {
            "the notice": self.notice_lines,
            "the notice's HTML": self.notice_html.lines,
            "the page": page,
        }
        if self.page is None:
            del texts["the page"]
        told = {f"Subject: {subject}", f"Subject {subject}"}
        return {
            where: words("\n".join(it for it in lines if words(it) not in told))
            for where, lines in texts.items()
        }

    def is_ours(self, link: str) -> bool:
        """Whether a link leads to the bucket."""
        return urlsplit(link).netloc == urlsplit(self.notice.links[0]).netloc

    def links_to(self, key: str) -> list[str]:
        """Return the links that lead to an object."""
        links = [
            *self.notice.links,
            *self.notice_html.links,
            *self.shown_page.links,
            *self.shown_page.pictures,
        ]
        return [it for it in links if self.is_ours(it) and unquote(urlsplit(it).path).endswith(f"/{key}")]

    def about(self, attachment: Mapping[str, Any]) -> str:
        """What is told of an attachment in notice and page, beside its name."""
        name, links = (
            attachment["name"],
            set(self.links_to(attachment["key"])) if attachment["key"] else set(),
        )
        items = [*self.shown_page.items, *self.notice_html.items]
        told = [it.text for it in items if it.links & links or (not links and it.text.startswith(name))]
        lines = self.notice.text.splitlines()
        for at, line in enumerate(lines):
            if line.startswith(f"- {name} "):
                end = next(
                    (i for i in range(at, len(lines)) if not lines[i] or lines[i] in links), len(lines)
                )
                told.append(" ".join(lines[at:end]).removeprefix("- "))
        return "\n".join(words(it).replace(words(name), "", 1) for it in told)

    def _picture_name(self, address: str) -> str:
        path = unquote(urlsplit(address).path)
        names = [
            it["name"] for it in self.sidecar["attachments"] if it["key"] and path.endswith(f"/{it['key']}")
        ]
        return str(names[0]) if names and self.is_ours(address) else f"from {address}"
