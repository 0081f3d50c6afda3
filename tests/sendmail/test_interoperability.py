"""What other programs read in the messages that we store, and in the notices that we send.

Where a reader finds something else, DIFFERENCES says what and why: it is a fault of its own, or its way.
"""

import base64
import email
import quopri
from collections.abc import Callable
from email.message import Message
from pathlib import Path

import pytest

from rig.mail import kinds, messages
from rig.mail.messages import CRLF, MB, RECIPIENT, SENDER, entity, file_part, multipart, text_part
from rig.promises.bucket import Bucket
from rig.promises.checker import Sent
from rig.promises.stored import StoredMessage
from rig.trial import Trial
from tests.sendmail.parsers import READERS, Found, as_text

OVER_BYTES = MB + 64 * 1024
ALL_OCTETS = bytes(range(256)) * 40
UUENCODED = b"begin 644 hello.txt\r\n%:&5L;&\\\r\n`\r\nend\r\n"
FORWARDED = "The forwarded text."


def quoted_printable(text: str, subtype: str) -> bytes:
    encoded = quopri.encodestring(text.encode()).replace(b"\n", CRLF)
    extra = b"Content-Transfer-Encoding: quoted-printable\r\n"
    return entity(f"text/{subtype}; charset=utf-8", encoded, extra_headers=extra)


def of_parts(*parts: bytes) -> Callable[[], bytes]:
    """An over-limit message of a long text and these."""
    return lambda: messages.message(OVER_BYTES, content=multipart("mixed", text_part(), *parts))


def of_kind(kind: str) -> Callable[[], bytes]:
    return lambda: kinds.of_kind(kind, OVER_BYTES)


KINDS = ("plain text", "8-bit UTF-8", "HTML only", "nested multipart", "RFC 2231 names", "RFC 2047 names")
MESSAGES: dict[str, Callable[[], bytes]] = {kind: of_kind(kind) for kind in KINDS} | {
    "a file of 1 MB": lambda: messages.message_with_file(OVER_BYTES),
    "files in base64": of_parts(
        file_part(ALL_OCTETS, disposition=b'attachment; filename="all octets.bin"'),
        file_part(b"%PDF-1.7\r\n", content_type="application/pdf", disposition=b'inline; filename="a.pdf"'),
        file_part(b"", disposition=b'attachment; filename="empty.dat"'),
    ),
    "texts in quoted-printable": of_parts(
        quoted_printable("Größe = 10 MB \nüber alles\t\n" + "x" * 200 + "\n", "plain"),
        quoted_printable("<p title='größer'>Zürich</p>\n", "html"),
    ),
    "a file in quoted-printable": of_parts(
        entity(
            "application/octet-stream",
            b"".join(b"=%02X=\r\n" % octet for octet in ALL_OCTETS[:256]),
            extra_headers=b"Content-Transfer-Encoding: Quoted-Printable\r\n"
            b'Content-Disposition: attachment; filename="quoted.bin"\r\n',
        )
    ),
    "untidy base64": of_parts(
        entity(
            "application/octet-stream",
            base64.encodebytes(ALL_OCTETS).replace(b"\n", b"  \r\n\r\n"),
            extra_headers=b"Content-Transfer-Encoding: BASE64\r\n"
            b'content-disposition: ATTACHMENT; FILENAME="LOUD.BIN"\r\n',
        )
    ),
    "uuencode in a text": of_parts(entity("text/plain", UUENCODED)),
}

Change = Callable[[Found], Found]


def nothing(_ours: Found) -> Found:
    return Found()


def named(*names: str) -> Change:
    """The same files by other names."""
    return lambda ours: Found(ours.texts, [(name, it[1]) for name, it in zip(names, ours.files, strict=True)])


def flattened(ours: Found) -> Found:
    return Found([*ours.texts, FORWARDED], ours.files[:-1])


def in_unix_lines(name: str | None) -> Change:
    return lambda ours: Found(
        ours.texts,
        [(it, octets.replace(b"\r\n", b"\n") if it == name else octets) for it, octets in ours.files],
    )


NO_SINGLE_TEXT = ("shows no text that is the whole message", nothing)
DIFFERENCES: dict[tuple[str, str], tuple[str, Change]] = {
    ("notmuch", "nested multipart"): ("writes a forwarded message with Unix line ends", in_unix_lines(None)),
    ("notmuch", "RFC 2231 names"): (
        "takes filename before filename* (RFC 2231 is silent; RFC 6266 section 4.3 has it the other way)",
        named("Zürich €.pdf", "Größenangaben.xlsx", "plain.txt"),
    ),
    ("notmuch", "RFC 2047 names"): (
        "ends a quoted name at the fold between two encoded words",
        named("Zürich Pläne.pdf", "漢字", "É"),
    ),
    ("mblaze", "RFC 2047 names"): (
        "does not decode encoded words in a parameter, where RFC 2047 section 5 forbids them",
        named(
            "=?utf-8?q?Z=C3=BCrich_Pl=C3=A4ne.pdf?=",
            "=?iso-2022-jp?b?GyRCNEE7ehsoQg==?=",
            "=?utf-8?b?w4k=?= =?utf-8?b?dMOpLmRvY3g=?=",
        ),
    ),
    ("munpack", "plain text"): NO_SINGLE_TEXT,
    ("munpack", "8-bit UTF-8"): NO_SINGLE_TEXT,
    ("munpack", "HTML only"): NO_SINGLE_TEXT,
    ("munpack", "nested multipart"): (
        "unpacks a forwarded message, and writes all text with Unix line ends",
        lambda ours: flattened(in_unix_lines("a.csv")(ours)),
    ),
    ("munpack", "RFC 2231 names"): (
        "knows no RFC 2231, and adds an X to .txt",
        named("part2", "part3", "plain.txtX"),
    ),
    ("munpack", "RFC 2047 names"): (
        "does not decode encoded words in a parameter, and puts X for what a shell might take amiss",
        named(
            "=Xutf-8XqXZ=C3=BCrich_Pl=C3=A4ne.pdfX=",
            "=Xiso-2022-jpXbXGyRCNEE7ehsoQg==X=",
            "=Xutf-8XbXw4k=X=XX=Xutf-8XbXdMOpLmRvY3g=X=",
        ),
    ),
    ("munpack", "files in base64"): (
        "puts X for what a shell might take amiss",
        named("allXoctets.bin", "a.pdf", "empty.dat"),
    ),
    ("munpack", "a file in quoted-printable"): (
        "drops carriage returns in quoted-printable",
        lambda ours: Found(ours.texts, [("quoted.bin", ours.files[0][1].replace(b"\r", b""))]),
    ),
    ("ripmime", "a file in quoted-printable"): (
        "keeps the line end that belongs to the boundary (RFC 2046 section 5.1.1)",
        lambda ours: Found(ours.texts, [("quoted.bin", ours.files[0][1] + b"\r\n")]),
    ),
    ("ripmime", "nested multipart"): ("unpacks a forwarded message", flattened),
    ("ripmime", "RFC 2231 names"): (
        "does not convert Latin-1, and makes a file each of filename and filename*",
        lambda ours: Found(
            ours.texts,
            [
                ours.files[0],
                ("Gr\udcf6\udcdfenangaben.xlsx", ours.files[1][1]),
                ("plain.txtbétter.txt", ours.files[2][1]),
                ("plain.txt", ours.files[2][1]),
            ],
        ),
    ),
    ("ripmime", "RFC 2047 names"): (
        "does not convert ISO-2022-JP",
        named("Zürich Pläne.pdf", "\x1b$B4A;z\x1b(B", "Été.docx"),
    ),
    **{
        (reader, "uuencode in a text"): (
            "looks for files in MIME parts alone",
            lambda ours: Found(ours.texts),
        )
        for reader in ("notmuch", "mblaze", "munpack")
    },
}


@pytest.mark.parametrize("name", MESSAGES)
def test_others_find_in_message_and_notice_what_we_say_is_there(
    name: str, trial: Trial, tmp_path: Path
) -> None:
    interception = trial.intercepts(Sent(MESSAGES[name](), SENDER, (RECIPIENT,)))
    stored = trial.bucket.read(interception.stored.folder + "message.eml")
    ours = what_we_say(stored, interception.stored, trial.bucket)
    notice = interception.notice
    shown = Found([notice.text.rstrip("\n"), notice.html.rstrip("\n")])

    for reader, read in READERS.items():
        _, change = DIFFERENCES.get((reader, name), ("", lambda ours: ours))
        assert read(stored, new(tmp_path / f"{reader}-message")) == change(ours), reader
        assert read(notice.octets, new(tmp_path / f"{reader}-notice")) == shown, reader


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def what_we_say(message: bytes, stored: StoredMessage, bucket: Bucket) -> Found:
    """The texts as Python's email package reads them, and the attachments as we have stored them.

    A text without a name that is not the message's own is both a text to a reader and an attachment to us.
    """
    texts = [as_text(octets_of(part), charset_of(part)) for part in leaves(email.message_from_bytes(message))]
    found = Found(texts)
    for it in stored.sidecar["attachments"]:
        octets = bucket.read(it["key"])
        if it["name"].startswith("attachment."):
            assert as_text(octets) in texts
        else:
            # A forwarded message has no name but the one that we give it.
            is_forwarded = it["content_type"] == "message/rfc822"
            found.files.append((None if is_forwarded else it["name"], octets))
    return found


def leaves(message: Message) -> list[Message]:
    """The texts without a name, those of forwarded messages aside."""
    if message.get_content_maintype() == "multipart":
        return [leaf for part in message.get_payload() if isinstance(part, Message) for leaf in leaves(part)]
    return [message] if message.get_content_maintype() == "text" and not message.get_filename() else []


def octets_of(part: Message) -> bytes:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets


def charset_of(part: Message) -> str:
    return part.get_content_charset("us-ascii")
