"""What the documents point to is there: files, headings, and the tests that are said to show something."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("", "docs/", "sendmail-config/", "deploy/data-pipeline/")
MADE_BY_MAKE_BENCH = "bench/results/"
DOCUMENTS = sorted(path for folder in FOLDERS for path in REPOSITORY.glob(f"{folder}*.md"))

_LINK = re.compile(r'\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)(?:, "([^"]+)")?')
_TEST = re.compile(r"`(?:([\w/]+\.py): )?(test_\w+)`")
_PATH = re.compile(r"`((?:bench|deploy|docs|locks|rig|sendmail-config|tests|woomera_milter)/[\w./-]*)`")

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))


def headings(path: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def anchor(heading: str) -> str:
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def named_tests(text: str) -> Iterator[tuple[str, str]]:
    """File and name of each; one without a file is in that of the one before it."""
    file = ""
    for found in _TEST.finditer(text):
        file = found[1] or file
        yield file, found[2]


@each_document
def test_links_lead_to_files_and_headings_that_are_there(path: Path) -> None:
    for name, fragment, heading in _LINK.findall(path.read_text(encoding="utf-8")):
        target = path.parent / name if name else path
        assert target.exists(), name
        assert not fragment or fragment in map(anchor, headings(target)), fragment
        assert not heading or any(it.startswith(heading) for it in headings(target)), heading


@each_document
def test_paths_in_the_repository_are_there(path: Path) -> None:
    named = set(_PATH.findall(path.read_text(encoding="utf-8"))) - {MADE_BY_MAKE_BENCH}
    assert [it for it in named if not (REPOSITORY / it).exists()] == []


@each_document
def test_tests_that_are_said_to_show_something_exist(path: Path) -> None:
    for file, name in named_tests(path.read_text(encoding="utf-8")):
        assert f"def {name}(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8"), f"{file}: {name}"


def test_architecture_has_a_line_for_each_file_of_the_package_and_no_other() -> None:
    package = REPOSITORY / "woomera_milter"
    architecture = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = architecture.partition("\nwoomera_milter/\n")[2].partition("\n\nsendmail-config/")[0]
    named, folder = set(), ""
    for line in tree.splitlines():
        if not line.startswith("    "):
            folder = "".join(it for it in line.split()[:1] if it.endswith("/"))
        named |= {folder + it for it in line.split() if it.endswith(".py")}
    there = {str(path.relative_to(package)) for path in package.rglob("*.py") if "__" not in path.name}
    assert named == there


def test_files_where_architecture_says_to_start_are_there() -> None:
    architecture = (REPOSITORY / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    start = architecture.partition("Start here\n")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+/[\w./-]*|\w+\.(?:py|yaml))`", start)
    assert len(named) > 40
    package = REPOSITORY / "woomera_milter"
    assert [it for it in named if not ((package / it).exists() or (REPOSITORY / it).exists())] == []


def test_every_event_of_the_log_is_explained() -> None:
    source = (REPOSITORY / "woomera_milter" / "log.py").read_text(encoding="utf-8")
    events = re.findall(r'_event\(logging\.\w+, \w+, f?"([^"]+)"', source)
    assert len(events) == len(re.findall(r"^    _event\(", source, re.MULTILINE))
    flow = (REPOSITORY / "docs" / "flow.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| (.*?) \|", flow.partition("\n## What the log says\n")[2], re.MULTILINE)
    known = re.findall("`(.*?)`", " ".join(explained))
    assert {it.replace("{what}", "milter") for it in events} <= set(known)


def test_the_documents_that_name_tests_are_among_those_that_are_read() -> None:
    """Else the tests above could not fail."""
    security = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    assert len(list(named_tests(security))) > 30
