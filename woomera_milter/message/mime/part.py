"""A part of a message: what its header says of it, and where its body lies."""

import os
from dataclasses import dataclass

from woomera_milter.message.fields import HeaderField, parse_header_block

WINDOW_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A node of the MIME tree; `start` and `end` are the octet offsets of its body in the file.

    It is a multipart if `content_type` says so, else a leaf, message/rfc822 included. `disposition` is
    "attachment", "inline" or "" (not said); `charset`, `name`, `content_id` and `content_location` are
    decoded, and hostile. `header_start` is where its header section begins, for `fields_of`.
    """

    content_type: str
    charset: str | None
    transfer_encoding: str
    disposition: str
    name: str
    content_id: str
    start: int
    end: int
    children: tuple["Part", ...] = ()
    content_location: str = ""
    header_start: int = 0

    @property
    def is_multipart(self) -> bool:
        """Whether the body is made of `children`, if any, and nothing else is shown."""
        return self.content_type.startswith("multipart/")


def fields_of(fd: int, part: Part) -> list[HeaderField]:
    """The header fields of a part, for what few readers ask for and `Part` does not tell."""
    length = min(part.start - part.header_start, WINDOW_BYTES)
    return parse_header_block(os.pread(fd, length, part.header_start))
