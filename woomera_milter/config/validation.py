"""All errors of a configuration at once.

Two passes find them: the models judge each value by itself; then the keys that failed are put back to their
defaults, and the rules between keys judge the rest.
"""

import difflib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from woomera_milter.config.models import Config, Section
from woomera_milter.config.rules import DEFAULT_MARK, contradictions, largest_min_size
from woomera_milter.config.values import format_duration, format_size, shown
from woomera_milter.errors import ConfigError


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
