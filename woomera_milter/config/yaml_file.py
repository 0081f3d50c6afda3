"""Strict YAML: text, lists and mappings, and each mistake with its place in the file."""

import sys
from pathlib import Path
from typing import Any

import yaml

from woomera_milter.config.values import Unquoted, shown
from woomera_milter.errors import ConfigError

_NULL, _MERGE, _TEXT, _LIST, _MAPPING = (
    f"tag:yaml.org,2002:{tag}" for tag in ("null", "merge", "str", "seq", "map")
)

# PyYAML's words may quote a piece of a secret, so ours replace them: how its problem begins -> what we say.
_SYNTAX = {
    "found character '\\t'": "a tab stands where YAML wants spaces; put spaces there",
    "mapping values are not allowed": "a colon makes no sense here, or is missing in the line before; "
    "put text with a colon in quotes, and write KEY: VALUE",
    "could not find expected ':'": "a key without its colon; write KEY: VALUE, with a space after the colon",
    "expected <block end>": "the indentation fits nothing above; indent the line as its neighbours are",
    "found undefined alias": "YAML takes a value that begins with * for a reference; put it in quotes",
    "could not determine a constructor": "YAML takes a value that begins with ! for a tag; put it in quotes",
    "found unexpected end of stream": "a quote is opened here and never closed; close it",
    "but found another document": "a second document begins here; keep one, without a line --- in its middle",
}
_OTHER_SYNTAX = "not YAML from here on; check the indentation, and put text with special characters in quotes"

_SAMPLE = Path(sys.prefix, "share", "woomera", "config.yaml")
"""Where the wheel puts it; it need not be there, as in a checkout."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that knows text, lists, mappings and null only, and refuses doubled keys.

    YAML 1.1 reads 0123 as 83, 12:30 as 750, 2026-11-24 as a date: never what a config means here.
    """

    # Both tables are PyYAML's own class attributes, which it reads by these names.
    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, pattern) for tag, pattern in resolvers if tag in (_NULL, _MERGE)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (_NULL, _LIST, _MAPPING, None)
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.key_problems: list[tuple[yaml.Mark, str]] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            problem = ""
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (_TEXT, _MERGE):
                problem = "a key is missing or not text; write KEY: VALUE"
            elif key.value in first_lines:
                problem = f"{shown(key.value)} is on line {first_lines[key.value]} too; remove one of them"
            else:
                first_lines[key.value] = key.start_mark.line + 1
            if problem:
                self.key_problems.append((key.start_mark, problem))
        mapping = super().construct_mapping(node, deep)
        return {key: value for key, value in mapping.items() if isinstance(key, str)}


def _construct_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    text = str(loader.construct_scalar(node))
    return text if node.style else Unquoted(text)


_Loader.add_constructor(_TEXT, _construct_text)


def read(path: Path) -> tuple[dict[str, object], list[str]]:
    """The file's mapping and what is wrong with its keys. Raise ConfigError where there is no mapping."""
    try:
        octets = path.read_bytes()
    except FileNotFoundError:
        sample = f", {_SAMPLE}," if _SAMPLE.exists() else ","
        problem = f"{path}: no such file; write it from the commented sample{sample} or name it with --config"
        raise ConfigError([problem]) from None
    except OSError as error:
        problem = f"{path}: cannot be read ({error.strerror}); correct the path, or its owner and mode"
        raise ConfigError([problem]) from error
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: not UTF-8 text; save the file as UTF-8"]) from None
    try:
        loader = _Loader(text)
        data = loader.get_single_data()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError([f"{path}:{line}: YAML allows no control characters; remove this one"]) from None
    except yaml.MarkedYAMLError as error:
        raise ConfigError([f"{path}:{_syntax_problem(error)}"]) from None
    if data is None:
        raise ConfigError([f"{path}: the file is empty; write it from the commented sample"])
    if not isinstance(data, dict):
        problem = f"{path}: {shown(data)} stands where keys belong; write it from the commented sample"
        raise ConfigError([problem])
    key_problems = sorted(loader.key_problems, key=lambda found: found[0].index)
    return data, [f"{path}:{_position(mark)}: {problem}" for mark, problem in key_problems]


def _syntax_problem(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or ""
    words = next((words for start, words in _SYNTAX.items() if problem.startswith(start)), _OTHER_SYNTAX)
    unclosed_quote = problem == "found unexpected end of stream"
    mark = error.context_mark if unclosed_quote else error.problem_mark
    return f"{_position(mark)}: {words}" if mark else f" {words}"


def _position(mark: yaml.Mark) -> str:
    return f"{mark.line + 1}:{mark.column + 1}"
