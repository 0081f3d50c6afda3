"""What a value of the configuration may look like, and what it then means."""

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.unit.config.config_cases import MINIMAL, SECRET, load_text
from woomera_milter import config
from woomera_milter.config import values


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        ("10MB", 10_485_760),
        ("10 mb", 10_485_760),
        ("2KB", 2048),
        ("1.5GB", 1_610_612_736),
        ("512", 512),
        ("512B", 512),
        ("0", 0),
        (10_485_760, 10_485_760),
    ],
    ids=str,
)
def test_sizes_count_in_1024s(written: object, size_bytes: int) -> None:
    assert values.parse_size(written) == size_bytes


@pytest.mark.parametrize(
    "written",
    [
        "",
        "MB",
        "-1",
        "1.5",
        "1,5MB",
        "10M",
        "10MiB",
        "0x10",
        "1e3",
        "1" * 5000,
        "٣MB",
        True,
        None,
        [],
        {},
        1.5,
        -1,
    ],
    ids=lambda written: repr(written)[:20],
)
def test_what_is_no_size_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a size; write a number and B, KB, MB or GB"):
        values.parse_size(written)


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_a_formatted_size_reads_back_the_same(size_bytes: int) -> None:
    assert values.parse_size(values.format_size(size_bytes)) == size_bytes


@pytest.mark.parametrize(
    ("written", "duration"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_spans_of_time_have_a_unit(written: str, duration: timedelta) -> None:
    assert values.parse_duration(written) == duration
    assert values.format_duration(duration) == written


@pytest.mark.parametrize(
    "written", ["", "d", "7 d", "7D", "1d12h", "-7d", "1.5h", "7w", "9999999d", None, []], ids=repr
)
def test_what_is_no_span_of_time_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a span of time; write a whole number"):
        values.parse_duration(written)


@given(st.integers(min_value=0, max_value=999_999))
def test_a_formatted_duration_reads_back_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert values.parse_duration(values.format_duration(duration)) == duration


@pytest.mark.parametrize("word", ["true", "yes", "On", "TRUE"])
def test_yaml_truth_words_are_true(word: str, tmp_path: Path) -> None:
    text = f"storage: {{bucket: large-mail}}\nmail: {{starttls: {word}}}\n"
    assert load_text(tmp_path, text).mail.starttls is True


@pytest.mark.parametrize("written", ["0123", "12:30", "2026-11-24", "1e3", "0x1f", "12345", '"no"', "'null'"])
def test_a_password_is_taken_as_it_is_written(written: str, tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path, f"storage: {{bucket: large-mail}}\nmail:\n  username: woomera\n  password: {written}\n"
    )
    assert loaded.mail.password is not None
    assert loaded.mail.password.get_secret_value() == written.strip("\"'")


def test_empty_sections_and_texts_mean_the_defaults(tmp_path: Path) -> None:
    text = "storage:\n  bucket: large-mail\n  prefix:\nnotice:\n  subject_prefix:\nlinks:\n  cloudfront:\n"
    bare = config.validate({"storage": {"bucket": "large-mail"}}, "config.yaml")
    assert load_text(tmp_path, text) == bare


def test_a_lower_limit_lowers_the_default_of_min_size_so_that_the_archive_misses_nothing() -> None:
    loaded = config.validate({**MINIMAL, "limit": "1MB"}, "config.yaml")
    assert loaded.archive.min_size == (1024 * 1024 - 2048) // 2


def test_finished_values_are_taken_as_they_are() -> None:
    loaded = config.validate(
        {
            "storage": {"bucket": "large-mail", "retention": timedelta(days=3)},
            "limit": 1_048_576,
            "archive": {"min_size": 0},
            "milter": {"spool": Path("/var/tmp/spool"), "mailers": []},
            "mail": {"username": "woomera", "password": SecretStr(SECRET), "port": 587, "starttls": True},
            "report": {"timezone": ZoneInfo("UTC")},
        },
        "config.yaml",
    )
    assert loaded.limit == 1_048_576
    assert loaded.milter.mailers == ()
    assert loaded.mail.port == 587
