"""Whatever a configuration file holds, or if there is none: it is read, or refused in plain words."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.config_cases import leaves, load_text
from woomera_milter import config
from woomera_milter.errors import ConfigError


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert caught.value.problems == [
        f"{path}: no such file; write it from the commented sample, or name it with --config"
    ]


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}: cannot be read (Is a directory); ")):
        config.load(tmp_path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load_text(tmp_path, "\ufeffstorage: {bucket: large-mail}\n").storage.bucket == "large-mail"


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = (
        "storage: &keys {bucket: large-mail}\nsweep: &s {prefix: copies/}\narchive: {<<: *s, min_size: 0}\n"
    )
    assert load_text(tmp_path, text).archive.prefix == "copies/"


@pytest.mark.parametrize(
    "text",
    [
        "!!str [a]: 1",
        "? [a, b]\n: 1",
        "a: !!int hunter2",
        "a: !!timestamp hunter2",
        "a: !!binary hunter2",
        "<<: 1",
        "a: *a",
        "a: &a [*a]",
        "? &k {? *k : 1}",
        "limit: !!python/object:os.system {}",
        "%hunter2",
        "'",
        "\x85",
        "\u2028",
        "{",
        "- {",
    ],
    ids=repr,
)
def test_odd_yaml_is_an_error_without_traceback_or_secret(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(tmp_path, text)
    assert "hunter2" not in str(caught.value)


def nested(leaves_: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = [key.rpartition(".")[2] for key, _ in leaves(config.Config)] + list(config.Config.model_fields)
    return st.recursive(
        leaves_,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(names) | st.text(), inner, max_size=6)
        ),
        max_leaves=20,
    )


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(list(config.Config.model_fields)),
        nested(st.none() | st.booleans() | st.text() | st.integers() | st.floats()),
    )
)
def test_whatever_a_config_holds_only_plain_one_line_problems_come_of_it(data: dict[str, Any]) -> None:
    try:
        config.validate(data, "config.yaml")
    except ConfigError as error:
        for problem in error.problems:
            assert re.fullmatch(r"config\.yaml: .+; .+|config\.yaml: .+unknown key; .+", problem)
            assert problem.isprintable()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200) | st.text(alphabet="ab:-{}[]&*!|>%@`\"'#,? \n\t1", max_size=80).map(str.encode)
)
def test_whatever_a_file_holds_only_problems_come_of_it(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(octets)
    with pytest.raises(ConfigError):
        config.load(path)
