"""Pictures within HTML (RFC 2397) stand before its words, and are larger: the room is for the words."""

import re
from collections.abc import Iterable, Iterator

_HEAD = re.compile(rb"data:image/[\w.+-]{1,40}(?:;[\w.=+-]{1,40}){0,3};base64,", re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/=%\s]*+")
_MAX_HEAD_BYTES = 256
_MAX_READ = 32  # times what may be kept; far beyond it nobody has words


def beginning_of_words(chunks: Iterable[bytes], max_bytes: int, max_picture_bytes: int) -> tuple[bytes, bool]:
    """The first `max_bytes` of HTML, not counting pictures within it, and whether that is all of it.

    Pictures stay as far as `max_picture_bytes` reach; of what comes then, the beginning of their URLs.
    """
    kept = bytearray()
    room, unread = max_bytes, _MAX_READ * (max_bytes + max_picture_bytes)
    picture: bytearray | None = bytearray()  # as far as it is read; None of one for which there is no room
    for octets, is_picture in _runs(chunks):
        if is_picture:
            unread -= len(octets)
            if unread < 0:
                return bytes(kept), False
            if picture is not None and len(picture) + len(octets) <= max_picture_bytes:
                picture += octets
            else:
                picture = None
            continue
        if picture:
            kept += picture
            max_picture_bytes -= len(picture)
        picture = bytearray()
        kept += octets[:room]
        if len(octets) > room:
            return bytes(kept), False
        room -= len(octets)
    return bytes(kept + (picture or b"")), True


def _runs(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The octets in order, and of each run whether it is base64 of a picture, which may come in many."""
    unread = b""
    is_picture = False
    for chunk in chunks:
        unread += chunk
        position = 0
        while True:
            if is_picture:
                run = _BASE64.match(unread, position)
                end = run.end() if run else position
                yield unread[position:end], True
                position = end
                if end == len(unread):
                    break
                is_picture = False
            head = _HEAD.search(unread, position)
            if head is None:
                break
            yield unread[position : head.end()], False
            position, is_picture = head.end(), True
        # A head may go on in the next chunk.
        end = max(position, len(unread) - _MAX_HEAD_BYTES)
        if end > position:
            yield unread[position:end], False
        unread = unread[end:]
    yield unread, is_picture
