"""Whatever a message is made of: nothing is raised, every part lies within its parent, every size is true."""

import base64
import quopri
from collections.abc import Iterator
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from rig.fuzz.fragments import BODIES, DELIMITERS, MARKUP, MIME_FIELDS
from rig.fuzz.mail import check_line, check_parts, on_disk
from rig.mail.attachments import attachments
from woomera_milter.message.decoding import header_summary, text_of
from woomera_milter.message.fields import parse_header_block
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import Part, outline
from woomera_milter.message.parameters import parameters

# Headers of the messages below fit, and most delimiters lie across the edge of some window.
TINY_WINDOW_BYTES = 150
WINDOWS_BYTES = st.integers(TINY_WINDOW_BYTES, 400)


@dataclass(frozen=True)
class Leaf:
    encoding: str
    content: bytes

    @property
    def encoded(self) -> bytes:
        match self.encoding:
            case "base64":
                return base64.encodebytes(self.content)
            case "quoted-printable":
                return quopri.encodestring(self.content)
            case _:
                return self.content


@dataclass(frozen=True)
class Branch:
    children: tuple["Leaf | Branch", ...]
    preamble: bytes
    closed: bool


# No dash begins a line, so that nothing but a delimiter looks like one.
CONTENT = st.lists(st.text("ab =.üß", max_size=120), max_size=5).map(lambda lines: "\n".join(lines).encode())
LEAVES = st.builds(Leaf, st.sampled_from(["base64", "quoted-printable", "8bit"]), CONTENT)
TREES = st.recursive(
    LEAVES,
    lambda trees: st.builds(
        Branch,
        st.lists(trees, min_size=1, max_size=4).map(tuple),
        st.sampled_from([b"", b"preamble\n"]),
        st.booleans(),
    ),
    max_leaves=8,
)
# One begins another, and one is another's closing delimiter with something added.
BOUNDARY_SETS = st.sampled_from(
    [
        [b"b%d" % number for number in range(20)],
        [b"=" * length for length in range(1, 20)],
        [b"x"] + [b"x--" + b"y" * length for length in range(1, 20)],
    ]
)


def rendered(tree: Leaf | Branch, boundaries: Iterator[bytes], *, is_root: bool = True) -> bytes:
    """The message with LF line ends; each branch takes the next boundary, so that open ones differ."""
    if isinstance(tree, Leaf):
        header = f"Content-Type: image/png\nContent-Transfer-Encoding: {tree.encoding}\n\n"
        return header.encode() + tree.encoded
    boundary = next(boundaries)
    parts = [
        b"\n--" + boundary + b"\n" + rendered(child, boundaries, is_root=False) for child in tree.children
    ]
    # The last part of the message may lack an end; one within would not.
    end = b"\n--" + boundary + b"--\n" if tree.closed or not is_root else b""
    return (
        b'Content-Type: multipart/mixed; boundary="'
        + boundary
        + b'"\n\n'
        + tree.preamble
        + b"".join(parts)
        + end
    )


def shape_of(part: Part) -> object:
    return [shape_of(child) for child in part.children] if part.is_multipart else part.transfer_encoding


def expected_shape(tree: Leaf | Branch) -> object:
    return [expected_shape(child) for child in tree.children] if isinstance(tree, Branch) else tree.encoding


def leaves_of(tree: Leaf | Branch) -> list[Leaf]:
    if isinstance(tree, Leaf):
        return [tree]
    return [leaf for child in tree.children for leaf in leaves_of(child)]


def assert_everything_holds(message: bytes, window_bytes: int) -> None:
    with on_disk(message) as fd:
        check_parts(fd, outline(fd, len(message), window_bytes=window_bytes), message, window_bytes)


@given(TREES, BOUNDARY_SETS, st.sampled_from([b"\n", b"\r\n"]), WINDOWS_BYTES)
@settings(max_examples=150, deadline=None)
def test_every_well_formed_tree_is_found_as_it_was_built_wherever_windows_end(
    tree: Leaf | Branch, boundaries: list[bytes], line_end: bytes, window_bytes: int
) -> None:
    message = rendered(tree, iter(boundaries)).replace(b"\n", line_end)
    with on_disk(message) as fd:
        root = outline(fd, len(message), window_bytes=window_bytes)
        assert root == outline(fd, len(message))
        assert shape_of(root) == expected_shape(tree)
        found = [
            b"".join(decoded_chunks(fd, each.part, window_bytes=window_bytes))
            for each in attachments(fd, root)
        ]
    expected = [
        leaf.content if leaf.encoding == "base64" else leaf.content.replace(b"\n", line_end)
        for leaf in leaves_of(tree)
    ]
    assert found == expected


def test_an_empty_part_right_before_an_outer_delimiter_lies_within_its_parent() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="b1"\n\n--b1\n'
    message = b'Content-Type: multipart/mixed; boundary="b0"\n\n--b0\n' + inner + b"--b0\n\ntext\n--b0--\n"
    assert_everything_holds(message, 150)


@given(TREES, BOUNDARY_SETS, st.data(), WINDOWS_BYTES)
@settings(max_examples=150, deadline=None)
def test_a_mutilated_message_gives_a_tree_that_is_true(
    tree: Leaf | Branch, boundaries: list[bytes], data: st.DataObject, window_bytes: int
) -> None:
    message = rendered(tree, iter(boundaries))
    for _ in range(data.draw(st.integers(1, 4), label="cuts")):
        start = data.draw(st.integers(0, len(message)))
        end = data.draw(st.integers(start, min(len(message), start + 30)))
        message = (
            message[:start]
            + data.draw(st.sampled_from([b"", b"\n", b"\r", b"=", b"--", b'"', b"\x00\xff"]))
            + message[end:]
        )
    assert_everything_holds(message, window_bytes)


HOSTILE_PIECES = st.sampled_from(DELIMITERS + MIME_FIELDS + BODIES + MARKUP)


@given(st.lists(HOSTILE_PIECES, max_size=40).map(b"".join), WINDOWS_BYTES)
@settings(max_examples=300, deadline=None)
def test_hostile_fragments_in_any_order_give_a_tree_that_is_true(body: bytes, window_bytes: int) -> None:
    assert_everything_holds(b"Content-Type: multipart/mixed; boundary=b\n\n" + body, window_bytes)
    assert_everything_holds(body, window_bytes)


@given(st.one_of(st.binary(), st.text("=?-*'utf8QqBb \t\r\n;\"\\%0aF:_").map(str.encode)))
@settings(max_examples=300)
def test_any_octets_are_a_header_that_reads_on_one_clean_line(octets: bytes) -> None:
    facts = header_summary(parse_header_block(b"Subject:" + octets))
    for text in text_of(octets), facts.subject:
        check_line(text)
    parameters(octets)
