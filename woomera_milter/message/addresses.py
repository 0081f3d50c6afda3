"""Who a message is for, and whom it is from, read from its header fields (RFC 5322 section 3.4).

Only for messages whose envelope nobody recorded: an envelope is always the better source. What cannot
be read as an address is reported and never guessed at: a notice holds links, and must not go astray.
Values are a sender's and hostile: nothing here raises on any octets, and all of it is linear in their
length. The email package's readers are not, or give up a whole list for one bad address in it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from woomera_milter.message.decoding import text_of
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.tokens import Token, strict_tokens
from woomera_milter.text.address_forms import folded
from woomera_milter.text.charsets import decode

MAX_ADDRESS_LENGTH = 320  # RFC 5321 section 4.5.3.1: a local-part of 64, "@", a domain of 255
_MAX_UNREADABLE_LENGTH = 200

_RECIPIENT_FIELDS = frozenset({"to", "cc", "bcc"})
_RESENT_RECIPIENT_FIELDS = frozenset({"resent-to", "resent-cc", "resent-bcc"})

_FOLD = re.compile(rb"\r?\n(?=[ \t])")

_ATOM = r'[^\s()<>\[\]:;@\\,."\ufffd]+'
_QUOTED = r'"(?:[^"\\\ufffd]|\\[\x20-\x7e])*"'
_LITERAL = r"\[[!-Z^-~]+\]"
_WORD = rf"(?:{_ATOM}|{_QUOTED})"
# Dots that come first, last or doubled in a local-part are against the rule, and in real addresses.
_ADDRESS = re.compile(rf"\.*{_WORD}(?:\.+{_WORD})*\.*@(?:{_ATOM}(?:\.{_ATOM})*|{_LITERAL})")
# Around dots and "@" white space is obsolete, yet to be understood (RFC 5322 section 4.4).
_NEEDLESS_SPACE = re.compile(rf"({_QUOTED})|\s*([.@])\s*")
_ROUTE = re.compile(r"\A\s*(?:,\s*)*@[^:]*:")  # section 4.4: to be ignored


@dataclass(frozen=True, slots=True)
class Recipients:
    """Addresses as they stand in the header, each once; and the entries that are no addresses, for people."""

    addresses: tuple[str, ...]
    unreadable: tuple[str, ...]


def recipients_of(headers: Sequence[HeaderField]) -> Recipients:
    """Read To, Cc and Bcc; or, of a message that was resent, the Resent- ones of the last resending.

    Those alone say where it went that time (RFC 5322 section 3.6.6).
    """
    addresses: dict[tuple[str, str], str] = {}
    unreadable: list[str] = []
    for value in _recipient_values(headers):
        for entry in _entries(value):
            address = _address_in(entry)
            if address:
                local_part, _, domain = address.rpartition("@")
                addresses.setdefault((local_part, folded(domain)), address)
            else:
                text = text_of("".join(token.text for token in entry).encode())
                unreadable.append(text[:_MAX_UNREADABLE_LENGTH])
    return Recipients(tuple(addresses.values()), tuple(unreadable))


def address_of(value: bytes) -> str | None:
    """The first address in the value of a From, Sender or Return-Path field; None where there is none."""
    return next((address for entry in _entries(value) if (address := _address_in(entry))), None)


def _recipient_values(headers: Sequence[HeaderField]) -> list[bytes]:
    fields = _last_resending(headers)
    wanted = _RESENT_RECIPIENT_FIELDS if fields else _RECIPIENT_FIELDS
    return [field.value for field in fields or headers if field.name.lower() in wanted]


def _last_resending(headers: Sequence[HeaderField]) -> list[HeaderField]:
    """The first block of Resent- fields: each resending puts its own before all others (section 3.6.6)."""
    block: list[HeaderField] = []
    seen: set[str] = set()
    for field in headers:
        name = field.name.lower()
        if name.startswith("resent-") and name not in seen:
            block.append(field)
            seen.add(name)
        elif block:
            break
    return block


def _entries(value: bytes) -> Iterator[list[Token]]:
    """What stands between the separators of an address list; names of groups and empty entries are left out.

    Semicolons end groups, and stand for commas in lists that mail programs let people type.
    """
    entry: list[Token] = []
    for token in strict_tokens(decode(_FOLD.sub(b"", value))):
        if token.kind != "separator":
            entry.append(token)
            continue
        if token.text == ":" and any("@" in part.text for part in entry if part.kind != "comment"):
            yield [*entry, Token("broken", ":")]
        elif token.text != ":" and _is_entry(entry):
            yield entry
        entry = []
    if _is_entry(entry):
        yield entry


def _is_entry(entry: list[Token]) -> bool:
    return any(token.kind != "comment" and not token.text.isspace() for token in entry)


def _address_in(entry: list[Token]) -> str | None:
    """The address of a mailbox: bare, or in angle brackets that come last, behind a name of any kind."""
    if any(token.kind == "broken" for token in entry):
        return None
    parts = [token for token in entry if token.kind != "comment" and not token.text.isspace()]
    angles = [token for token in parts if token.kind == "angle"]
    if not angles:
        return _addr_spec(entry)
    if len(angles) > 1 or parts[-1] is not angles[0]:
        return None
    inside = _ROUTE.sub("", angles[0].text[1:-1], count=1)
    return _addr_spec(list(strict_tokens(inside)))


def _addr_spec(tokens: list[Token]) -> str | None:
    """An address without the white space and comments that may stand in it."""
    if any(token.kind not in ("text", "comment") for token in tokens):
        return None
    text = "".join(" " if token.kind == "comment" else token.text for token in tokens).strip()
    if len(text) > MAX_ADDRESS_LENGTH:
        return None
    address = _NEEDLESS_SPACE.sub(r"\1\2", text)
    return address if _ADDRESS.fullmatch(address) and address.isprintable() else None
