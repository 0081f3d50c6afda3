"""The catalogues of the languages that notice and page speak: extracted, updated and compiled by Babel.

`python -m rig.catalogues` writes what is stale in woomera_milter/locale: the template, the catalogues after
it, and their compiled forms. `--check` writes nothing, and ends with 1 where something is.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from woomera_milter.config.names import LANGUAGES
from woomera_milter.message.mime.notes import ALL_NOTES
from woomera_milter.text.kinds import ALL_KINDS
from woomera_milter.text.language import CATALOGUES, DOMAIN, ENGLISH

PACKAGE = Path(__file__).parents[1] / "woomera_milter"
TEMPLATE = CATALOGUES / f"{DOMAIN}.pot"
UNREAD = "Machine-made, not yet read by a native speaker. Who reads it removes this line."
_NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "text": None}
_TEMPLATE_OPTIONS = {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}


def path_of(tag: str) -> Path:
    """Where the catalogue of a language is."""
    return CATALOGUES / tag.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.po"


def sources() -> Iterator[tuple[Path, str]]:
    """The files that speak to recipients, and how their sentences are found."""
    for name in ("notice.txt", "notice.html", "index.html"):
        yield PACKAGE / "notice" / "templates" / name, "jinja2.ext.babel_extract"
    yield PACKAGE / "notice" / "templates.py", "python"


def extracted() -> Catalog:
    """What is said, in the order in which it is."""
    catalogue = Catalog(project="SES Woomera", charset="utf-8", header_comment="# What notice and page say.")
    for path, method in sources():
        options = _TEMPLATE_OPTIONS if method.startswith("jinja2") else {}
        for line, message, comments, context in extract_from_file(method, path, _KEYWORDS, (), options):
            catalogue.add(message, None, [(path.name, line)], auto_comments=comments, context=context)
    for message in (*ALL_KINDS, *ALL_NOTES):
        catalogue.add(message, auto_comments=["stands beside a file's name"])
    return catalogue


def updated(tag: str, template: Catalog) -> Catalog:
    """A catalogue with all that the template has, and nothing else."""
    path = path_of(tag)
    locale = Locale.parse(tag, sep="-")
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=locale, domain=DOMAIN)
    else:
        catalogue = Catalog(locale=locale, domain=DOMAIN, header_comment=f"# {UNREAD}")
    catalogue.update(template, no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    return catalogue


def files() -> Iterator[tuple[Path, bytes]]:
    """Each file, and what it should hold."""
    template = extracted()
    yield TEMPLATE, _as_po(template)
    for tag in LANGUAGES:
        if tag != ENGLISH:
            catalogue = updated(tag, template)
            octets = _as_po(catalogue)
            yield path_of(tag), octets
            yield path_of(tag).with_suffix(".mo"), _compiled(octets)


def _compiled(octets: bytes) -> bytes:
    catalogue, compiled = read_po(io.BytesIO(octets), domain=DOMAIN), io.BytesIO()
    catalogue.creation_date = catalogue.revision_date = _NO_DATE
    write_mo(compiled, catalogue)
    return compiled.getvalue()


def _as_po(catalogue: Catalog) -> bytes:
    # As in _compiled: dates and versions of tools would change the octets without a change of what is said.
    octets = io.BytesIO()
    write_po(octets, catalogue, omit_header=False, width=120, include_lineno=False, sort_output=False)
    volatile = (
        b'"POT-Creation-Date',
        b'"PO-Revision-Date',
        b'"Generated-By',
        b'"Project-Id-Version',
        b'"Last-Translator',
        b'"Language-Team',
    )
    return b"".join(it for it in octets.getvalue().splitlines(keepends=True) if not it.startswith(volatile))


def main() -> int:
    """Write, or check, the files; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m rig.catalogues", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    is_check = parser.parse_args().check
    stale = [(path, octets) for path, octets in files() if not path.exists() or path.read_bytes() != octets]
    for path, octets in stale:
        print(f"{path.relative_to(PACKAGE.parent)}: {'stale' if is_check else 'written'}", file=sys.stderr)
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(octets)
    return int(bool(stale) and is_check)


if __name__ == "__main__":
    sys.exit(main())
