"""config.yaml -> a validated Config, or every error at once, each with key, value and remedy.

Two passes find them all: the models judge each value by itself; then the keys that failed are
put back to their defaults, and the rules between keys judge the rest.
"""

import difflib
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from woomera_milter.config.models import (
    Archive,
    CloudFront,
    Config,
    Links,
    Mail,
    Milter,
    Notice,
    Report,
    Section,
    Storage,
    Sweep,
)
from woomera_milter.config.rules import DEFAULT_MARK, contradictions, examples, largest_min_size, warnings
from woomera_milter.config.values import Unquoted, format_duration, format_size, shown
from woomera_milter.errors import ConfigError

__all__ = [
    "Archive",
    "CloudFront",
    "Config",
    "Links",
    "Mail",
    "Milter",
    "Notice",
    "Report",
    "Section",
    "Storage",
    "Sweep",
    "examples",
    "load",
    "validate",
    "warnings",
]

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


def load(path: Path) -> Config:
    """The configuration at `path`. Raise ConfigError with all that is wrong with it."""
    data, problems = _read(path)
    try:
        config = validate(data, str(path))
    except ConfigError as error:
        problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return config


def _read(path: Path) -> tuple[dict[str, object], list[str]]:
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


def validate(data: Mapping[str, object], name: str) -> Config:
    """The configuration in `data`. Raise ConfigError with all that is wrong; it starts with `name`."""
    problems: list[tuple[str, str]] = []
    broken: set[tuple[str, ...]] = set()
    try:
        config = Config.model_validate(data)
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
        problems = [(_dotted(error["loc"]), _sentence(error)) for error in errors]
        broken = {_key(error["loc"]) for error in errors}
        config = Config.model_validate(_without(data, broken))

    def written(key: str) -> str:
        return _written(data, config, key)

    for sentence, keys in contradictions(config, written):
        if not any(tuple(key.split(".")[: len(bad)]) == bad for key in keys for bad in broken):
            problems.append((keys[0], sentence))
    if problems:
        raise ConfigError([f"{name}: {key}: {sentence}" for key, sentence in problems])
    return _with_default_below_limit(config)


def _with_default_below_limit(config: Config) -> Config:
    """A lower limit lowers the default of archive.min_size with it, else the archive would miss mail."""
    if "min_size" in config.archive.model_fields_set:
        return config
    min_size = min(config.archive.min_size, largest_min_size(config))
    return config.model_copy(update={"archive": config.archive.model_copy(update={"min_size": min_size})})


def _key(location: tuple[int | str, ...]) -> tuple[str, ...]:
    """The sections and the key of an error, without the place in a list."""
    return tuple(step for step in location if isinstance(step, str))


def _dotted(location: tuple[int | str, ...]) -> str:
    keys = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in location)
    return keys.removeprefix(".")


def _sentence(error: ErrorDetails) -> str:
    """What is wrong with one key, and the remedy, in our words."""
    value = error["input"]
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "missing, and has no default; write it"
        case "extra_forbidden":
            return _unknown_key(*map(str, error["loc"]))
        case "literal_error":
            return f"{shown(value)} is not known here; use {error['ctx']['expected'].replace(chr(39), '')}"
        case "tuple_type":
            example = f"[{shown(value).strip(chr(34))}]" if isinstance(value, str) else "[] for none"
            return f"{shown(value)} is not a list; write {example}"
        case "model_type":
            return f"{shown(value)} is not a section; write its keys below it, indented"
    raise AssertionError(f"an error that no model of ours makes: {error['type']}")


def _unknown_key(*location: str) -> str:
    """An unknown key's error: it may belong elsewhere, or be misspelt here or elsewhere."""
    *section, key = location
    every_key = list(_known_keys(Config))
    siblings = [known for known in every_key if known.split(".")[:-1] == section]
    candidates = [known for known in every_key if known.rpartition(".")[2] == key]
    for near in (siblings, every_key):
        names = [known.rpartition(".")[2] for known in near]
        closest = difflib.get_close_matches(key.lower().replace("-", "_"), names, n=1, cutoff=0.65)
        candidates = candidates or [known for known in near if known.rpartition(".")[2] in closest]
    if candidates:
        return f"unknown key; did you mean {' or '.join(candidates)}?"
    names = [known.rpartition(".")[2] for known in siblings]
    return f"unknown key; remove it, or use one of {', '.join(names)}"


def _known_keys(section: type[Section], above: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        yield f"{above}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from _known_keys(field.annotation, f"{above}{name}.")


def _without(data: Mapping[str, object], broken: set[tuple[str, ...]]) -> dict[str, Any]:
    """A copy of `data` in which the keys that failed are back at their defaults (the bucket: a stand-in)."""
    result: dict[str, Any] = dict(data)
    for *sections, key in broken:
        section = result
        for name in sections:
            section[name] = dict(section.get(name) or {})
            section = section[name]
        section.pop(key, None)
    storage = dict(result.get("storage") or {})
    result["storage"] = {"bucket": "unknown-bucket", **storage}
    return result


def _written(data: Mapping[str, object], config: Config, key: str) -> str:
    """The value of `key` as the file has it, else its default."""
    written: object = data
    value: Any = config
    for step in key.split("."):
        written = written.get(step) if isinstance(written, Mapping) else None
        value = getattr(value, step)
    if written is not None:
        return shown(written)
    match value:
        case timedelta():
            default = format_duration(value)
        case int() if not isinstance(value, bool):
            default = format_size(value)
        case _:
            default = shown(value)
    return f"{default}{DEFAULT_MARK}"
