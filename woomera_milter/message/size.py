"""The measured size of a message (docs/CONTRACT.md, "Measured size"), and all that proves it."""

from woomera_milter.message.rewriting import DOMAIN_NAME_MAX, HOST_NAME_MAX, most_added_to

LONGEST_LINE = 990
BREAK_EVERY = 989
BREAK_BYTES = 4
_MAX_MBOX_LINE_BYTES = 1024


class Measure:
    """Measures a message that arrives in pieces: docs/CONTRACT.md, "Measured size".

    Sendmail breaks lines that are longer than a mailer's `L=` (990 for esmtp, 2040 for relay;
    op.me, "Mailer definitions") by inserting "!", CRLF and a space. The measured size counts
    what that adds at most, so that the message is under the limit after the breaks too.
    """

    __slots__ = ("_breaks", "_line_bytes", "wire_bytes")

    def __init__(self) -> None:
        self.wire_bytes = 0
        self._breaks = 0
        self._line_bytes = 0  # of the line that has not ended yet

    def feed(self, octets: bytes) -> None:
        """Take the next octets, in wire form (CRLF line ends), cut anywhere."""
        length = len(octets)
        self.wire_bytes += length
        begun = self._line_bytes
        start = 0
        while True:
            # Steps from line end to line end of the last short line in reach, about 990 octets
            # at once, which is much faster than looking at each line.
            reach = start + LONGEST_LINE + 2 - begun
            end = octets.rfind(b"\n", start, reach) if reach > start else -1
            if end < 0:
                if reach >= length:
                    break
                end = octets.find(b"\n", max(start, reach))
                if end < 0:
                    break
                self._breaks += _breaks(begun + end - start - 1)
            start = end + 1
            begun = 0
        self._line_bytes = begun + length - start

    @property
    def measured_bytes(self) -> int:
        """The measured size so far, without milter.allowance."""
        return self.wire_bytes + BREAK_BYTES * (self._breaks + _breaks(self._line_bytes))


def _breaks(line_bytes: int) -> int:
    return (line_bytes - 1) // BREAK_EVERY if line_bytes > LONGEST_LINE else 0


def proves_small(msg_size: int, limit_bytes: int, allowance_bytes: int, added_bytes: int = 0) -> bool:
    """Tell whether sendmail's {msg_size} alone shows that the message is not over the limit.

    `added_bytes`: what sendmail adds at most to its address fields.

    It counts headers and body with LF line ends. On the wire each LF is two octets, and a line of
    n octets grows by 4 x ((n - 1) // 989) < n + 1 from breaks, so twice the value bounds all of it.
    """
    return 2 * msg_size + allowance_bytes + added_bytes <= limit_bytes


def is_surely_small(size_bytes: int, limit_bytes: int, allowance_bytes: int, added_bytes: int) -> bool:
    """Tell whether a copy of this size is within the limit whatever is in it, LF line ends or long lines.

    On the wire each LF is two octets (see proves_small), and a blank line that is missing is put in.
    """
    return 2 * (size_bytes + 1) + allowance_bytes + added_bytes <= limit_bytes


def is_surely_small_by_us(size_bytes: int, limit_bytes: int, allowance_bytes: int, added_bytes: int) -> bool:
    """Tell the same of a copy of our own: wire form, to which only breaks in long lines can add."""
    breaks_bytes = BREAK_BYTES * (size_bytes // BREAK_EVERY)
    return size_bytes + breaks_bytes + allowance_bytes + added_bytes <= limit_bytes


def is_small_in_any_case(size_bytes: int, limit_bytes: int, allowance_bytes: int) -> bool:
    """Tell the same where nothing is known but the size, as in a listing: neither who made it nor its header.

    The MTA's names are known, and may be longer, of copies of our own alone.
    """
    others, ours = (most_added_to(size_bytes, it) for it in (HOST_NAME_MAX, DOMAIN_NAME_MAX))
    return is_surely_small(size_bytes, limit_bytes, allowance_bytes, others) and is_surely_small_by_us(
        size_bytes, limit_bytes, allowance_bytes, ours
    )


def is_surely_large(size_bytes: int, limit_bytes: int) -> bool:
    """Tell whether a copy of this size is over the limit whatever is in it, an mbox's line among it."""
    return size_bytes - _MAX_MBOX_LINE_BYTES > limit_bytes
