"""Mail readers that are not ours, each asked what it finds in a message.

Each is a function of the message's octets (CRLF) and an empty folder. docs/interoperability.md names them.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TEXT_TYPES = ("text/plain", "text/html")


@dataclass(slots=True)
class Found:
    """The texts that a reader shows, as `as_text` has them, and the files that it offers, in order."""

    texts: list[str] = field(default_factory=list)
    files: list[tuple[str | None, bytes]] = field(default_factory=list)


def as_text(octets: bytes, charset: str = "utf-8") -> str:
    """Return a text with Unix line ends, but for those at its end: readers count them differently."""
    return octets.decode(charset).replace("\r\n", "\n").rstrip("\n")


Reader = Callable[[bytes, Path], Found]


def notmuch(message: bytes, folder: Path) -> Found:
    """GMime, as in notmuch, Balsa and Geary: a tree of parts in JSON, and each part decoded."""
    mail = folder / "mail"
    mail.mkdir()
    (mail / "message.eml").write_bytes(message)
    config = folder / "notmuch-config"
    config.write_text(f"[database]\npath={mail}\n[search]\nexclude_tags=\n", encoding="utf-8")
    program = ["notmuch", f"--config={config}"]
    _run(*program, "new")
    show = [*program, "show", "--entire-thread=false"]
    shown = json.loads(_run(*show, "--format=json", "--include-html", "*"))
    found = Found()
    for part in _leaves(shown[0][0][0]["body"]):
        if part["content-type"] in _TEXT_TYPES and "filename" not in part:
            found.texts.append(as_text(part["content"].encode()))
        else:
            octets = _run(*show, "--format=raw", f"--part={part['id']}", "*")
            found.files.append((part.get("filename"), octets))
    return found


def _leaves(parts: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in parts:
        if part["content-type"].startswith("multipart/"):
            yield from _leaves(part["content"])
        else:
            yield part


def mblaze(message: bytes, folder: Path) -> Found:
    """A reader of its own in C: a tree of parts, and each part decoded, text in UTF-8."""
    path = folder / "message.eml"
    path.write_bytes(message)
    found = Found()
    tree = _run("mshow", "-t", str(path)).decode()
    within: int | None = None  # a forwarded message, whose own parts are none of ours
    for indent, number, kind, name in re.findall(r'^( +)(\d+): (\S+) size=\d+(?: name="(.*)")?$', tree, re.M):
        if within is not None and len(indent) > within:
            continue
        within = len(indent) if kind == "message/rfc822" else None
        if kind.startswith("multipart/"):
            continue
        octets = _run("mshow", "-O", str(path), number)
        if kind in _TEXT_TYPES and not name:
            found.texts.append(as_text(octets))
        else:
            found.files.append((name or None, octets))
    return found


def munpack(message: bytes, folder: Path) -> Found:
    """The unpacker of the package mpack: files, and with -t the texts as files. Reads Unix line ends."""
    listed = _run("munpack", "-t", "-f", "-q", "-C", str(folder), given=_unix(message))
    found = Found()
    for name, kind in re.findall(rb"^(.+) \((\S+)\)$", listed, re.M):
        octets = (folder / os.fsdecode(name)).read_bytes()
        if kind.decode() in _TEXT_TYPES and re.fullmatch(rb"part\d+", name):
            found.texts.append(as_text(octets))
        else:
            found.files.append((os.fsdecode(name), octets))
    return found


def ripmime(message: bytes, folder: Path) -> Found:
    """The unpacker that content filters use: files, and texts as files textfileN."""
    # Else it takes a text with lines as "From:", "Subject:" for a bounce, and gives what follows twice.
    options = ["-v", "--overwrite", "--disable-qmail-bounce"]
    listed = _run("ripmime", "-i", "-", "-d", str(folder), *options, given=message)
    found = Found()
    for name in re.findall(rb"^Decoding filename=(.+)$", listed, re.M):
        octets = (folder / os.fsdecode(name)).read_bytes()
        if not re.fullmatch(rb"textfile\d+", name):
            found.files.append((os.fsdecode(name), octets))
        elif octets:  # what stands before the first boundary is a file, too, empty as a rule
            found.texts.append(as_text(octets))
    return found


READERS: dict[str, Reader] = {it.__name__: it for it in (notmuch, mblaze, munpack, ripmime)}


def _unix(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n")


def _run(*argv: str, given: bytes = b"") -> bytes:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
    done = subprocess.run(argv, input=given, capture_output=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr.decode(errors='replace')}"
    return done.stdout
