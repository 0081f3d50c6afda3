"""The bucket's schema as a page, out of the functions that make keys and the classes of documents."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

from woomera_milter.store import documents, keys, tallies
from woomera_milter.store.documents import (
    ArchiveDay,
    Claim,
    CopyRecord,
    MilterDay,
    Sidecar,
    Watermark,
    adapter,
)
from woomera_milter.store.tallies import COUNTS

DOCUMENTS: tuple[type[Any], ...] = (Sidecar, CopyRecord, Claim, Watermark, MilterDay, ArchiveDay)
_HEAD = """# The bucket's schema

<!-- Written by python -m rig.manual from woomera_milter/store/keys.py and documents.py; do not edit. -->

What users may rely on of this is in [CONTRACT.md](CONTRACT.md). Keys count from `storage.prefix`. All fields
are written; one that "may be missing" is not asked for when the document is read, since older versions may
have left it out. Other fields are passed over; in a sidecar and an archived envelope they stay.
"""


def key_makers() -> Mapping[str, str]:
    """Return the form of each key, and what lies there, in the words of the function that makes it."""
    makers = [make for name, make in vars(keys).items() if re.fullmatch(r"(?!is_|_).*_key", name)]
    told = [inspect.cleandoc(make.__doc__ or "").partition(": ") for make in makers]
    return {form: " ".join(words.split()) for form, _, words in told}


def _type(schema: Mapping[str, Any]) -> str:
    """Return in words what a JSON Schema allows."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "const" in schema or "enum" in schema:
        return " or ".join(f'`"{one}"`' for one in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        count = f"{schema['minItems']} " if "minItems" in schema else ""
        return f"list of {count}{_type(schema['items'])}"
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"object of {_type(values)}" if isinstance(values, dict) else "object"
    return str(schema["type"])


def _meaning(kind: type[Any], name: str) -> str:
    """Return what a field means; those that a dataclass inherits are described where they stand."""
    for base in kind.__mro__:
        if "__annotations__" in vars(base):
            fields = adapter(base).json_schema(mode="serialization").get("properties", {})
            if described := fields.get(name, {}).get("description"):
                return " ".join(described.split())
    return ""


def fields(kind: type[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield name, type and meaning of a document's fields."""
    written = adapter(kind).json_schema(mode="serialization")
    for name, schema in written["properties"].items():
        shown = _type(_resolved(schema, written.get("$defs", {})))
        note = "" if _is_required(kind, name) else ", may be missing"
        yield name, shown + note, _meaning(kind, name)


def _is_required(kind: type[Any], name: str) -> bool:
    if any(name in counts for base, counts in COUNTS.items() if issubclass(kind, base)):
        return True  # though not of whoever makes one in Python
    return name in adapter(kind).json_schema(mode="validation").get("required", ())


def _resolved(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an enumeration itself in place of a reference to it."""
    part = parts.get(schema.get("$ref", "").rpartition("/")[2], {})
    return part if "enum" in part else schema


def _parts() -> list[type[Any]]:
    names = {
        name
        for kind in DOCUMENTS
        for name, part in adapter(kind).json_schema(mode="serialization").get("$defs", {}).items()
        if "enum" not in part
    }
    return [getattr(documents, name, None) or getattr(tallies, name) for name in sorted(names)]


def page() -> str:
    """Return the page, in Markdown."""
    lines = [_HEAD, "## Keys\n", "| key | what lies there |", "|---|---|"]
    lines += [f"| {form} | {words} |" for form, words in key_makers().items()]
    for title, kinds in ("Documents", DOCUMENTS), ("Parts of documents", _parts()):
        lines.append(f"\n## {title}")
        for kind in kinds:
            lines += [f"\n### {kind.__name__}\n", f"{inspect.cleandoc(kind.__doc__ or '')}\n"]
            lines += ["| field | type | meaning |", "|---|---|---|"]
            lines += [f"| `{name}` | {form} | {meaning} |" for name, form, meaning in fields(kind)]
    return "\n".join([*lines, ""])
