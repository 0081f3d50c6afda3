"""uuencoded files, as a transfer encoding and within plain text: files to fetch, and no text to read."""

import binascii

import pytest

from rig.mail.attachments import attachments
from tests.unit.message.mime.mime_cases import leaves, on_disk, outline_of, types_of
from woomera_milter.message.mime.transfer import decoded_chunks
from woomera_milter.message.mime.tree import outline

CONTENT = bytes(range(256)) * 40 + bytes(100) + b"x"
LINES = b"".join(binascii.b2a_uu(CONTENT[i : i + 45]) for i in range(0, len(CONTENT), 45))
FILE = b"begin 644 report.xls\n" + LINES + b"`\nend\n"
SMALL = b"begin 644 s\n#86)C\n`\nend\n"


def files_of(message: bytes) -> list[tuple[str, bytes]]:
    with on_disk(message) as fd:
        found = attachments(fd, outline(fd, len(message)))
        octets = [b"".join(decoded_chunks(fd, each.part)) for each in found]
        for window_bytes in 1, 7, 61, 62, 63, 1000:
            windows = [decoded_chunks(fd, each.part, window_bytes=window_bytes) for each in found]
            assert [b"".join(chunks) for chunks in windows] == octets
    assert [each.size_bytes for each in found] == [len(each) for each in octets]
    return [(each.name, content) for each, content in zip(found, octets, strict=True)]


def texts_of(message: bytes) -> list[bytes]:
    return [
        message[leaf.start : leaf.end].strip()
        for leaf in leaves(outline_of(message))
        if leaf.content_type == "text/plain"
    ]


WRITTEN = {
    "as it should be": FILE,
    "on CRLF lines": FILE.replace(b"\n", b"\r\n"),
    "with blanks for zeros": FILE.replace(b"`", b" "),
    "without the blanks at line ends": b"\n".join(
        line.rstrip() for line in FILE.replace(b"`", b" ").split(b"\n")
    ),
    "with a checksum on each line": FILE.replace(b"\n", b"#\n")
    .replace(b"xls#", b"xls")
    .replace(b"end#", b"end"),
    "without an end": FILE.removesuffix(b"`\nend\n"),
    "without an end, but with the line before it": FILE.removesuffix(b"end\n"),
    "ended without a line end": FILE.rstrip(),
    "with mode 0644": FILE.replace(b"644", b"0644"),
}


@pytest.mark.parametrize("file", WRITTEN.values(), ids=WRITTEN)
def test_a_uuencoded_file_in_a_text_is_an_attachment(file: bytes) -> None:
    message = b"Subject: x\n\nDear all,\n\n" + file
    assert files_of(message) == [("report.xls", CONTENT)]
    assert texts_of(message)[0] == b"Dear all,"
    assert b"".join(texts_of(message)[1:]).strip() in (b"", b"`")


@pytest.mark.parametrize("file", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("encoding", ["x-uuencode", "uuencode", "X-UUE"])
def test_uuencode_is_a_transfer_encoding(file: bytes, encoding: str) -> None:
    header = f"Content-Type: application/x\nContent-Transfer-Encoding: {encoding}\n\n".encode()
    assert files_of(header + file) == [("report.xls", CONTENT)]


def test_what_claims_to_be_uuencoded_and_is_not_stays_as_it_is() -> None:
    header = b"Content-Type: image/png; name=a.png\nContent-Transfer-Encoding: uuencode\n\n"
    assert files_of(header + b"text\n") == [("a.png", b"text\n")]


def test_several_files_and_the_texts_between_them_stand_in_their_order() -> None:
    message = b"\none\n" + SMALL + b"two\n" + SMALL.replace(b" s", b" other s.txt") + SMALL + b"three\n"
    assert files_of(message) == [("s", b"abc"), ("other s.txt", b"abc"), ("s (2)", b"abc")]
    assert texts_of(message) == [b"one", b"two", b"three"]


def test_a_file_in_a_part_of_a_multipart_is_found_within_it() -> None:
    message = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + SMALL + b"--b\nContent-Type: image/png\n\n"
    )
    assert types_of(outline_of(message)) == "mixed(mixed(application/octet-stream) image/png)"


def test_a_raw_8_bit_name_is_decoded() -> None:
    assert files_of("\nbegin 644 größe.txt\n#86)C\n`\nend\n".encode()) == [("größe.txt", b"abc")]


def test_a_file_that_uuencode_wrote_in_base64_is_an_attachment() -> None:
    message = b"\none\nbegin-base64 644 a.bin\nQUJDREVG\nQQ==\n====\ntwo\n"
    assert files_of(message) == [("a.bin", b"ABCDEFA")]
    assert texts_of(message) == [b"one", b"two"]


MENTIONED = {
    "alone": b"begin 644 foo\n",
    "with words after it": b"begin 644 foo\nis how such a file begins, and\nend\nis how it ends\n",
    "with capitals after it": b"begin 644 FOO\nTHAT IS HOW\nend\n",
    "with one line of a file, and words": b"begin 644 foo\n#86)C\nand so on\n",
    "amid a line": b"x begin 644 foo\n#86)C\n`\nend\n",
    "quoted": b"> begin 644 foo\n> #86)C\n> `\n> end\n",
    "without a mode": b"begin  foo bar\n#86)C\n`\nend\n",
    "without a name": b"begin 644 \n#86)C\n`\nend\n",
    "in base64, and words": b"begin-base64 644 a\nQUJD and\n====\n",
}


@pytest.mark.parametrize("text", MENTIONED.values(), ids=MENTIONED)
def test_a_text_that_only_mentions_uuencode_stays_a_text(text: bytes) -> None:
    assert files_of(b"\n" + text) == []
    assert texts_of(b"\n" + text) == [text.strip()]


def test_an_attached_text_is_left_whole() -> None:
    message = b"Content-Disposition: attachment; filename=a.uu\n\n" + SMALL
    assert files_of(message) == [("a.uu", SMALL)]


def test_a_large_file_is_found_across_windows() -> None:
    lines = b"M" + b"#" * 60 + b"\n"
    message = b"\nbegin 644 a\n" + lines * 20_000 + b"`\nend\nend of text\n"
    ((name, content),) = files_of(message)
    assert (name, len(content)) == ("a", 45 * 20_000)
    assert texts_of(message) == [b"end of text"]
