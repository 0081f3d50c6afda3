"""Writes the man pages, from click's commands, the models and config.yaml, and docs/SCHEMA.md:
python -m rig.manual [--check].

What no program can know, such as what the exit statuses mean, stands here as prose.
"""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import click
from pydantic import BeforeValidator

from rig import schema
from woomera_milter.check.sendmail import DEFAULT_CF
from woomera_milter.cli.common import EX_PARTLY
from woomera_milter.cli.main import main as woomera
from woomera_milter.config.models import Archive, Config, Milter, Section
from woomera_milter.config.values import Size, format_duration, format_size
from woomera_milter.errors import EX_CONFIG, EX_TEMPFAIL

REPOSITORY = Path(__file__).parents[1]
_ROFF = {"\\": "\\e", "-": "\\-", "~": "\\(ti", "^": "\\(ha"}
_NOTE = '.\\" Written by python -m rig.manual; do not edit.'
_SUMMARY = "keep mail that is over the relay's size limit from being lost"
_DESCRIPTION = """Sendmail asks `woomera milter` about each message. The commands that end by themselves are
for people and timers; any number of hosts may run them. Results go to stdout, logs to stderr."""
_EXIT_STATUS = {
    "`0`": "Done.",
    f"`{EX_PARTLY}`": "Done in part: what failed is named, and the next run tries it again.",
    "`2`": "Wrong usage.",
    f"`{EX_TEMPFAIL}`": "The outside world failed; try later.",
    f"`{EX_CONFIG}`": "Something has to be mended, mostly in the configuration.",
}
_ENVIRONMENT = {
    "`WOOMERA_CONFIG`": "The configuration file, where `--config` names none.",
    "`AWS_REGION`, `AWS_PROFILE` and others": "As for all AWS software, where the configuration is silent.",
    "`PATH`": "Where sendmail is looked up, unless `milter.sendmail` names it.",
    "`JOURNAL_STREAM`": "Set by systemd; log lines then begin with their priority.",
}
_FILES = {
    f"`{Milter().socket.removeprefix('unix:')}`, `{Archive().socket.removeprefix('unix:')}`": "The sockets.",
    f"`{Milter().spool}`": "Messages in hand.",
    f"`{Archive().spool}`": "Copies that `woomera archive` has not yet moved to S3.",
    f"`{DEFAULT_CF}`": "What `woomera check` reads of sendmail.",
}


def _text(words: str) -> str:
    """`words` on one line of roff; what stands between backquotes is bold."""
    escaped = "".join(_ROFF.get(character, character) for character in " ".join(words.split()))
    line = re.sub("`([^`]*)`", r"\\fB\1\\fR", escaped)
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _page(name: str, section: int, summary: str, body: Iterator[str]) -> str:
    head = f'{_NOTE}\n.TH {name.upper()} {section} "" "SES Woomera"\n.ad l\n.nh\n.SH NAME'
    return "\n".join([head, f"{name} \\- {_text(summary)}", *body, ""])


def _entry(tag: str, *lines: str) -> list[str]:
    return [".TP", _text(tag), *"\n.br\n".join(map(_text, filter(None, lines))).splitlines()]


def _paragraphs(words: str | None) -> list[str]:
    return "\n.PP\n".join(map(_text, (words or "").strip().split("\n\n"))).splitlines()


def commands_of(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Each command by its name; they are imported one by one as they are asked for."""
    for name in woomera.list_commands(context):
        command = woomera.get_command(context, name)
        assert command is not None
        yield name, command


def _program() -> Iterator[str]:
    context = click.Context(woomera, info_name="woomera", **woomera.context_settings)
    options = [it for it in woomera.get_params(context) if isinstance(it, click.Option)]
    commands = {name: command for name, command in commands_of(context) if not command.hidden}
    yield ".SH SYNOPSIS"
    for name, command in commands.items():
        yield from (_text(f"`woomera` [OPTION...] `{name}` {_usage(command)}".rstrip()), ".br")
    yield from (".SH DESCRIPTION", *_paragraphs(woomera.help), ".PP", _text(_DESCRIPTION))
    yield from (".SH OPTIONS", _text("These stand before the command; `--help` may follow it, too."))
    yield from (line for option in options for line in _option(option))
    yield ".SH COMMANDS"
    for name, command in commands.items():
        yield from (f".SS {_text(f'{name} {_usage(command)}'.rstrip())}", *_paragraphs(command.help))
        for parameter in command.params:
            yield from _option(parameter) if isinstance(parameter, click.Option) else ()
    files = {f"`{options[0].default}`": "The configuration; see `woomera.yaml`(5).", **_FILES}
    for title, entries in ("EXIT STATUS", _EXIT_STATUS), ("ENVIRONMENT", _ENVIRONMENT), ("FILES", files):
        yield from (f".SH {title}", *(line for entry in entries.items() for line in _entry(*entry)))
    yield from (".SH SEE ALSO", _text("`woomera.yaml`(5), `sendmail`(8), `systemd.timer`(5)"))


def _usage(command: click.Command) -> str:
    arguments = [it.human_readable_name for it in command.params if isinstance(it, click.Argument)]
    return " ".join((["[OPTION...]"] if len(command.params) > len(arguments) else []) + arguments)


def _option(option: click.Option) -> list[str]:
    value = option.type.name.removesuffix(" range")
    value = "N" if value == "integer" else value.upper() if value.isalpha() else value
    if isinstance(option.type, click.Choice):
        value = "|".join(map(str, option.type.choices))
    value = "" if option.is_flag else f" {option.metavar or value}{'...' if option.multiple else ''}"
    default = f" Default: `${option.envvar}`, else " if option.show_envvar else " Default: "
    note = f"{default}{option.default}." if option.show_default else ""
    return _entry(", ".join(f"`{name}`" for name in option.opts) + value, f"{option.help or ''}{note}")


def _configuration() -> Iterator[str]:
    sample = (REPOSITORY / "config.yaml").read_text(encoding="utf-8")
    yield ".SH DESCRIPTION"
    yield _text("Here `storage.bucket` is the key `bucket:` in the section `storage:`.")
    for paragraph in sample.split("\n\n")[0].split("\n#\n")[1:]:
        between = "\n.br\n" if "  " in paragraph else "\n"
        yield from (".PP", *between.join(_text(line[1:]) for line in paragraph.splitlines()).splitlines())
    yield from (".SH KEYS", *_section(Config, "", _comments(sample)))
    yield from (".SH SEE ALSO", _text("`woomera`(8), `sendmail`(8)"))


def _section(section: type[Section], above: str, meanings: dict[str, str]) -> Iterator[str]:
    for name, field in section.model_fields.items():
        key, hint = f"{above}{name}", get_type_hints(section, include_extras=True)[name]
        if isinstance(hint, type) and issubclass(hint, Section):
            yield from (f".SS {key}", *_paragraphs(meanings.get(key)), *_section(hint, f"{key}.", meanings))
        else:
            default = "none, it must be set" if field.is_required() else _written(field.default, hint)
            yield from _entry(f"`{key}`", meanings.get(key, ""), f"Form: {_form(hint)}. Default: {default}.")


def _comments(sample: str) -> dict[str, str]:
    """What config.yaml says of each dotted key: in its line, or above it for it and those right below."""
    said: dict[str, str] = {}
    above, path, group = "", [""], ""
    for line in sample.splitlines():
        comment, found = re.search(r"(?:^|\s)#(.*)", line), re.match(r"( *)(\w+):\s*([^\s#]?)", line)
        words = comment[1].strip() if comment else ""
        if found is None:
            above = f"{above} {words}" if comment else ""
            continue
        path = [*path[: len(found[1]) // 2], found[2]]
        key = ".".join(path)
        if above or words or not found[3]:
            group = key if above and found[3] and not words else ""
        said[key] = f"{above} {words}".strip() or (f"see `{group}`" if group else "")
        above = ""
    return said


def _form(hint: Any) -> str:
    """What a value may be, in the words of the message that refuses a wrong one (see config/values.py)."""
    origin, args = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return "; or ".join("null" if it is type(None) else _form(it) for it in args)
    if origin is Literal:
        return " | ".join(args)
    if origin is tuple:
        return f"a list, each of it {_form(args[0])}"
    validator: Any = next(it for it in hint.__metadata__ if isinstance(it, BeforeValidator))
    probes: list[Any] = [Path("/dev/null/missing") if args[0] is Path else timedelta(0), timedelta(0), []]
    for wrong in probes:
        try:
            validator.func(wrong)
        except ValueError as error:
            if refused := re.search(r" is not ([^;]+); (?:.*?(such as .+))?", str(error)):
                return ", ".join(filter(None, refused.groups()))
    raise TypeError(f"{hint} refuses nothing")


def _written(value: object, hint: Any) -> str:
    """A default as config.yaml would have it."""
    match value:
        case timedelta():
            return format_duration(value)
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case int() if hint == Size:
            return format_size(value)
    return {"None": "null", "True": "true", "False": "false", "": '""'}.get(str(value), str(value))


def pages() -> dict[Path, str]:
    settings = _page("woomera.yaml", 5, "the configuration of woomera(8)", _configuration())
    made = {"woomera.8": _page("woomera", 8, _SUMMARY, _program()), "woomera.yaml.5": settings}
    manuals = {REPOSITORY / "docs" / "man" / name: page for name, page in made.items()}
    return manuals | {REPOSITORY / "docs" / "SCHEMA.md": schema.page()}


def main(*, is_check: bool) -> int:
    """Write what is stale, or only tell of it; return the exit status."""
    stale = {at: page for at, page in pages().items() if not at.exists() or at.read_text("utf-8") != page}
    for path, page in stale.items():
        if is_check:
            print(f"{path.relative_to(REPOSITORY)}: stale; run python -m rig.manual", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
    return 1 if stale and is_check else 0


if __name__ == "__main__":
    sys.exit(main(is_check="--check" in sys.argv[1:]))
