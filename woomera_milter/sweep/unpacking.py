"""Archived copies that are compressed: unpacked as they are read, to a bound (RFC 1952)."""

import zlib
from collections.abc import Iterator

from woomera_milter.errors import PermanentError, Reason

MOST_BYTES = 256 * 1024 * 1024
"""No relay takes mail of this size."""
MOST_TIMES = 1032
"""Deflate makes no more octets of one (zlib, "Technical Details")."""

_MAGIC = b"\x1f\x8b"
_WINDOW_BYTES = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class UnfitCopyError(PermanentError):
    """The octets of a copy are no mail that can be announced, which only other octets would mend."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem, remedy=remedy, reason=Reason.ARCHIVED)


def is_packed_by_name(key: str) -> bool:
    """Tell whether the size of an object says nothing of the message in it, such as `NAME.eml.gz`."""
    return key.lower().endswith(".gz")


def _is_packed(start: bytes) -> bool:
    return start.startswith(_MAGIC)


def opened(chunks: Iterator[bytes], most_bytes: int = MOST_BYTES) -> tuple[bool, Iterator[bytes]]:
    """Tell whether the octets are compressed, and give them unpacked; raise what `chunks` raise.

    Reading them raises UnfitCopyError where they cannot be unpacked to `most_bytes` at most.
    """
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= len(_MAGIC):
            break
    whole = _chained(start, chunks)
    if _is_packed(start):  # Content-Encoding stands beside the object, and in no listing
        return True, _unpacked(whole, most_bytes)
    return False, whole


def _unpacked(chunks: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    member = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if member.eof:  # files may be joined (section 2.2); after the last one there may be zeros
                    if not rest.startswith(_MAGIC[:1]):
                        return
                    member = zlib.decompressobj(_GZIP)
                octets = member.decompress(rest, _WINDOW_BYTES)
                most_bytes -= len(octets)
                if most_bytes < 0:
                    raise UnfitCopyError(
                        "the copy is compressed, and larger unpacked than any mail",
                        remedy="see what it is; it cannot have come through sendmail",
                    )
                yield octets
                rest = member.unused_data if member.eof else member.unconsumed_tail
    except zlib.error as error:
        raise _damaged() from error
    if not member.eof:
        raise _damaged()


def _damaged() -> UnfitCopyError:
    return UnfitCopyError(
        "the copy is compressed, and cannot be unpacked to its end", remedy="put a whole copy in its place"
    )


def _chained(start: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield start
    yield from chunks
