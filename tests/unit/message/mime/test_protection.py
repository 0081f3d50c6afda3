"""Signed and encrypted originals are recognised, so that notices can say what they are."""

import pytest

from tests.unit.message.mime.mime_cases import crlf, outline_of, text_in
from woomera_milter.message.mime.protection import Protection, protection_of

PROTECTED = {
    "PGP/MIME signed": (
        "multipart/signed; protocol=application/pgp-signature; boundary=b",
        Protection.SIGNED,
    ),
    "S/MIME signed": (
        "multipart/signed; protocol=application/pkcs7-signature; boundary=b",
        Protection.SIGNED,
    ),
    "PGP/MIME encrypted": ("multipart/encrypted; boundary=b", Protection.ENCRYPTED),
    "S/MIME": ("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", Protection.SMIME),
    "S/MIME signed-data": ("application/pkcs7-mime; smime-type=signed-data", Protection.SMIME),
    "S/MIME of old": ("application/x-pkcs7-mime", Protection.SMIME),
    "S/MIME by its name": ("application/octet-stream; name=SMIME.P7M", Protection.SMIME),
    "within a mailing list's frame": (
        "multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/signed; boundary=c",
        Protection.SIGNED,
    ),
    "signed around S/MIME": (
        "multipart/signed; boundary=b\n\n--b\nContent-Type: application/pkcs7-mime",
        Protection.SMIME,
    ),
    "signed around PGP/MIME": (
        "multipart/signed; boundary=b\n\n--b\nContent-Type: multipart/encrypted; boundary=c",
        Protection.ENCRYPTED,
    ),
    "signed around an envelope that is attached": (
        "multipart/signed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=c\n\n"
        "--c\n\nx\n--c\nContent-Type: application/pkcs7-mime; name=smime.p7m",
        Protection.SIGNED,
    ),
    "none": ("multipart/mixed; boundary=b", None),
    "a signature file alone": ("application/pkcs7-signature; name=smime.p7s", None),
}


@pytest.mark.parametrize(("content_type", "expected"), PROTECTED.values(), ids=PROTECTED)
def test_protected_originals_are_recognised(content_type: str, expected: Protection | None) -> None:
    assert protection_of(outline_of(crlf(f"Content-Type: {content_type}\n\n--b\n\nx\n--b--\n"))) is expected


def test_bare_pgp_in_the_text_counts_as_encrypted() -> None:
    message = b"\n-----BEGIN PGP MESSAGE-----\n\nhQ==\n-----END PGP MESSAGE-----\n"
    assert protection_of(outline_of(message), text_in(message).text) is Protection.ENCRYPTED


NOT_PROTECTED = {
    "a signed envelope is attached": "multipart/mixed; boundary=b\n\n--b\n"
    "Content-Type: application/pkcs7-mime\nContent-Disposition: attachment; filename=contract.pdf.p7m",
    "an S/MIME message is attached to a text": "multipart/mixed; boundary=b\n\n--b\n\nI cannot open it.\n"
    "--b\nContent-Type: application/pkcs7-mime; name=smime.p7m\n",
    "a text speaks of PGP": "text/plain\n\nIt begins so:\n-----BEGIN PGP MESSAGE-----",
    "an encrypted message is forwarded": "multipart/mixed; boundary=b\n\n--b\n"
    "Content-Type: message/rfc822\n\nContent-Type: multipart/encrypted; boundary=c",
}


@pytest.mark.parametrize("message", NOT_PROTECTED.values(), ids=NOT_PROTECTED)
def test_what_is_protected_within_a_message_does_not_protect_it(message: str) -> None:
    octets = crlf(f"Content-Type: {message}\n\nx\n--b--\n")
    assert protection_of(outline_of(octets), text_in(octets).text) is None


PGP_OF_EXCHANGE = """Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

{text}
--b
Content-Type: application/pgp-encrypted; name="PGPMIME version identification"

Version: 1
--b
Content-Type: application/octet-stream; name="encrypted.asc"

-----BEGIN PGP MESSAGE-----
--b--
"""


@pytest.mark.parametrize(("text", "expected"), [("", Protection.ENCRYPTED), ("These came today.", None)])
def test_pgp_in_a_frame_that_became_mixed_is_recognised_unless_it_comes_with_words(
    text: str, expected: Protection | None
) -> None:
    octets = crlf(PGP_OF_EXCHANGE.format(text=text))
    assert protection_of(outline_of(octets), text_in(octets).text) is expected


def test_a_banner_before_what_is_signed_hides_no_signature() -> None:
    octets = crlf(
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nCAUTION: from outside.\n"
        "--b\nContent-Type: multipart/signed; boundary=c\n\n--b--\n"
    )
    assert protection_of(outline_of(octets)) is Protection.SIGNED
