"""What keeps a message from being read, or changed, without the proper keys."""

from collections.abc import Sequence
from enum import StrEnum

from woomera_milter.message.mime.tree import Part


class Protection(StrEnum):
    """What keeps a message from being read, or changed, without the proper keys."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    SMIME = "smime"


_PGP_ARMOUR = "-----BEGIN PGP MESSAGE-----"  # RFC 9580 section 6.2.1
_SMIME_TYPES = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_OCTET_STREAM = "application/octet-stream"


def protection_of(root: Part, text: str = "") -> Protection | None:
    """How the message as a whole is protected; `text` is its body's beginning, where PGP may stand bare.

    What somebody attached in an envelope of its own is an attachment like any other.
    """
    part, is_first = root, True
    while part.is_multipart:
        if part.content_type == "multipart/encrypted" or _is_encrypted_by_exchange(part, text):
            return Protection.ENCRYPTED
        if part.content_type == "multipart/signed":
            return _of_what_is_signed(part.children[:1])
        framed = _framed_by(part)
        if framed is None:
            break
        is_first = is_first and framed is part.children[0]
        part = framed
    # What comes behind a text is attached to it; what a list put its footer behind is not.
    if is_first and _is_smime(part, is_root=part is root):
        return Protection.SMIME
    return Protection.ENCRYPTED if text.lstrip().startswith(_PGP_ARMOUR) else None


def _of_what_is_signed(parts: Sequence[Part]) -> Protection:
    """What is signed may be encrypted (RFC 8551 section 3.7, RFC 3156 section 6.1)."""
    if any(it.content_type == "multipart/encrypted" for it in parts):
        return Protection.ENCRYPTED
    return Protection.SMIME if any(_is_smime(it, is_root=True) for it in parts) else Protection.SIGNED


def _framed_by(frame: Part) -> Part | None:
    """What gateways and mailing lists may have put their texts before and behind."""
    others = [it for it in frame.children if not it.content_type.startswith("text/") or it.name]
    return others[0] if others else None


def _is_encrypted_by_exchange(part: Part, text: str) -> bool:
    """Whether it is PGP/MIME (RFC 3156 section 4) whose frame became a multipart/mixed on the way."""
    types = [it.content_type for it in part.children]
    return not text.strip() and "application/pgp-encrypted" in types and _OCTET_STREAM in types


def _is_smime(part: Part, *, is_root: bool) -> bool:
    """Whether it is an S/MIME message (RFC 8551 section 3.2.1): a gateway may leave nothing but the name."""
    name = part.name.lower()
    if part.content_type in _SMIME_TYPES:
        return is_root or name in ("", "smime.p7m")
    return part.content_type == _OCTET_STREAM and name.endswith(".p7m") and (is_root or name == "smime.p7m")
