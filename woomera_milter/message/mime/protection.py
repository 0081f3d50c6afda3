"""What keeps a message from being read, or changed, without the proper keys."""

from enum import StrEnum

from woomera_milter.message.mime.tree import Part


class Protection(StrEnum):
    """What keeps a message from being read, or changed, without the proper keys."""

    SIGNED = "signed"
    ENCRYPTED = "encrypted"
    SMIME = "smime"


_PGP_ARMOUR = "-----BEGIN PGP MESSAGE-----"  # RFC 9580 section 6.2.1


def protection_of(root: Part, text: str = "") -> Protection | None:
    """How the message as a whole is protected; `text` is its body's beginning, where PGP may stand bare."""
    part = root
    while part.is_multipart:
        if part.content_type == "multipart/encrypted":
            return Protection.ENCRYPTED
        if part.content_type == "multipart/signed":
            return Protection.SIGNED
        if not part.children:
            return None
        part = part.children[0]
    # RFC 8551 section 3.2.1: a gateway may leave nothing but the name.
    if part.content_type in ("application/pkcs7-mime", "application/x-pkcs7-mime") or (
        part.content_type == "application/octet-stream" and part.name.lower().endswith(".p7m")
    ):
        return Protection.SMIME
    return Protection.ENCRYPTED if _PGP_ARMOUR in text else None
