"""File names that are safe on all systems, and distinct."""

import re
import unicodedata

from woomera_milter.text.lines import line_for_people

MAX_FILE_NAME_BYTES = 200  # file systems end at 255 octets, and " (2)" must still fit
_MAX_EXTENSION_BYTES = 20
_PATH = re.compile(r"[a-z]:|[/\\]|\.\.?[/\\]", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?= *(?:\.|\Z))", re.IGNORECASE)


def safe_file_name(name: str, fallback: str) -> str:
    """`name` as a file name that no system takes for anything else; `fallback` where nothing is left.

    No folder, drive, device, hidden file, control or reordering character; at most
    MAX_FILE_NAME_BYTES of UTF-8, of which the extension survives a cut.
    """
    name = unicodedata.normalize("NFC", line_for_people(name))
    if _PATH.match(name):
        name = re.split(r"[/\\]|^.:", name.rstrip("/\\"))[-1]
    name = " ".join(_FORBIDDEN.sub("_", name).split()).lstrip(". ").rstrip(". ")
    if _RESERVED.match(name):
        name = "_" + name
    stem, extension = split_extension(name)
    room_bytes = MAX_FILE_NAME_BYTES - len(extension.encode())
    stem = stem.encode()[:room_bytes].decode("utf-8", "ignore").rstrip(". ")
    return stem + extension or fallback


def split_extension(name: str) -> tuple[str, str]:
    """`name` up to its extension, and the extension with its dot; "" where it has none worth keeping."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _MAX_EXTENSION_BYTES:
        return name, ""
    return stem, dot + extension


class DistinctNames:
    """Names made distinct for file systems that do not tell cases apart: "a.pdf", "A (2).pdf"."""

    def __init__(self) -> None:
        self._last_number: dict[str, int] = {}

    def distinct(self, name: str) -> str:
        """`name`, with a number where it was given before."""
        candidate, number = name, self._last_number.get(name.casefold(), 1)
        while candidate.casefold() in self._last_number:
            number += 1
            stem, extension = split_extension(name)
            candidate = f"{stem} ({number}){extension}"
        self._last_number[name.casefold()] = number
        self._last_number.setdefault(candidate.casefold(), 1)
        return candidate
