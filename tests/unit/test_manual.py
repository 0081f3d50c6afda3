"""The man pages are what the program is: nothing of it is missing there, and nothing there is stale."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rig import manual
from woomera_milter.cli.main import main
from woomera_milter.config import Config, Section

PAGES = manual.REPOSITORY / "docs" / "man"
FILES = [PAGES / "woomera.8", PAGES / "woomera.yaml.5"]


def plain(path: Path) -> str:
    return re.sub(r"\\f[BR]", "", path.read_text(encoding="utf-8")).replace("\\-", "-").replace("\\&", "")


def keys(section: type[Section], above: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from keys(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}"


def tags(page: str) -> list[str]:
    """The first line of each entry."""
    return re.findall(r"^\.TP\n(.*)$", page, re.MULTILINE)


def missing_options(options: list[click.Parameter], page: str) -> list[str]:
    there = {word for tag in tags(page) for word in re.split(r",? ", tag)}
    return [name for it in options if isinstance(it, click.Option) for name in it.opts if name not in there]


def test_the_files_are_up_to_date() -> None:
    assert sorted(manual.pages()) == [manual.REPOSITORY / "docs" / "SCHEMA.md", *FILES]
    assert manual.main(is_check=True) == 0, "run python -m rig.manual"


def test_a_stale_file_is_told_and_then_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(manual.REPOSITORY / "config.yaml", tmp_path)
    monkeypatch.setattr(manual, "REPOSITORY", tmp_path)
    assert manual.main(is_check=False) == 0
    page = tmp_path / "docs" / "man" / "woomera.8"
    page.write_text(page.read_text(encoding="utf-8") + ".PP\n", encoding="utf-8")
    assert manual.main(is_check=True) == 1
    assert capsys.readouterr().err == "docs/man/woomera.8: stale; run python -m rig.manual\n"
    assert manual.main(is_check=False) == 0
    assert manual.main(is_check=True) == 0


def test_every_key_stands_in_the_page_of_the_configuration_once() -> None:
    assert tags(plain(PAGES / "woomera.yaml.5")) == list(keys(Config))


def test_every_key_is_explained() -> None:
    page = plain(PAGES / "woomera.yaml.5")
    assert [key for key in keys(Config) if f".TP\n{key}\nForm: " in page] == []


def test_a_comment_above_several_keys_is_said_at_the_first() -> None:
    page = plain(PAGES / "woomera.yaml.5")
    assert ".TP\nstorage.profile\nWhose rights: a profile of ~/.aws".replace("~", "\\(ti") in page
    assert ".TP\nstorage.secret_access_key\nsee storage.profile\n" in page
    assert ".TP\nmail.via\nsmtp (to host)" in page  # the section's comment is not the key's


def test_forms_are_those_of_the_messages_that_refuse_a_value() -> None:
    page = plain(PAGES / "woomera.yaml.5")
    assert "Form: a number of whole days, which is what S3 lifecycles count. Default: 30d." in page
    assert "Form: a folder that can be read; or null. Default: null." in page
    assert "Form: a whole number from 1 to 65535. Default: 25." in page


def test_sizes_and_spans_are_written_as_in_the_file() -> None:
    page = plain(PAGES / "woomera.yaml.5")
    for key, default in {"archive.min_free": "1GB", "links.expires": "7d", "links.page": "true"}.items():
        entry = page.split(f".TP\n{key}\n")[1].split(".TP\n")[0]
        assert f"Default: {default}." in entry


def test_every_command_and_option_stands_in_the_page_of_the_program() -> None:
    before, commands = plain(PAGES / "woomera.8").split(".SH COMMANDS\n")
    context = click.Context(main, **main.context_settings)
    assert missing_options(main.get_params(context), before) == []
    sections = {it.split()[0]: it for it in commands.split(".SH ")[0].split(".SS ") if it}
    assert list(sections) == main.list_commands(context)
    for name, command in manual.commands_of(context):
        assert missing_options(command.params, sections[name]) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_page_names_a_path_of_this_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.isascii()
    assert str(manual.REPOSITORY) not in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_groff_has_nothing_to_warn_of(path: Path) -> None:
    ran = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(path)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
