"""Promise 5 begins here: a configuration that cannot keep its word is refused, and the remedy told."""

import re
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from woomera_milter import config, config_types
from woomera_milter.errors import ConfigError

REPOSITORY = Path(__file__).parents[2]
BAD_CONFIGS = sorted((REPOSITORY / "tests" / "bad_configs").iterdir())
SAMPLE = REPOSITORY / "config.yaml"
MINIMAL = {"storage": {"bucket": "example-large-mail", "region": "us-east-1"}}
SECRET = "hunter2-hunter2"


def load_text(folder: Path, text: str) -> config.Config:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    return config.load(path)


def problems_of(data: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.validate(data, "config.yaml")
    return caught.value.problems


def leaves(section: type[config.Section], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that holds a value, dotted, with its default."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, config.Section):
            yield from leaves(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}", field.get_default()


def leaf_values(data: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from leaf_values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


# The broken configurations


@pytest.mark.parametrize("folder", BAD_CONFIGS, ids=lambda folder: folder.name)
def test_a_broken_config_gets_exactly_the_expected_messages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = (folder / "expected.txt").read_text(encoding="utf-8")
    assert expected, "an expectation that is empty expects nothing"
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        config.load(Path("config.yaml"))
    assert str(caught.value) + "\n" == expected


def test_there_are_broken_configs_to_try() -> None:
    assert len(BAD_CONFIGS) >= 25


@pytest.mark.parametrize("folder", BAD_CONFIGS, ids=lambda folder: folder.name)
def test_no_expected_message_shows_a_secret_or_lacks_a_remedy(folder: Path) -> None:
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"config\.yaml(:[0-9]+(:[0-9]+)?)?: .+; .+", line)
        assert "hunter2" not in line
        assert "wJalr" not in line


# The sample


def test_the_sample_is_valid_and_gives_no_warning(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, SAMPLE.read_text(encoding="utf-8"))
    assert config.warnings(loaded, tmp_path / "config.yaml") == []


def test_the_sample_shows_every_key_and_no_other() -> None:
    shown = dict(leaf_values(yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))))
    assert set(shown) == {key for key, _ in leaves(config.Config)}


def test_the_sample_shows_the_defaults_but_for_the_examples() -> None:
    loaded = config.load(SAMPLE)
    examples = {
        "storage.bucket",
        "storage.region",
        "notice.organization",
        "notice.contact",
        "report.sender",
        "report.to",
    }
    for key, default in leaves(config.Config):
        value: Any = loaded
        for step in key.split("."):
            value = getattr(value, step)
        assert (value == default) is (key not in examples), key


# What values may look like


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
    assert config_types.parse_size(written) == size_bytes


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
        config_types.parse_size(written)


@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_a_formatted_size_reads_back_the_same(size_bytes: int) -> None:
    assert config_types.parse_size(config_types.format_size(size_bytes)) == size_bytes


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
    assert config_types.parse_duration(written) == duration
    assert config_types.format_duration(duration) == written


@pytest.mark.parametrize(
    "written", ["", "d", "7 d", "7D", "1d12h", "-7d", "1.5h", "7w", "9999999d", None, []], ids=repr
)
def test_what_is_no_span_of_time_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match="is not a span of time; write a whole number"):
        config_types.parse_duration(written)


@given(st.integers(min_value=0, max_value=999_999))
def test_a_formatted_duration_reads_back_the_same(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert config_types.parse_duration(config_types.format_duration(duration)) == duration


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


@pytest.mark.parametrize(
    "socket",
    [
        "unix:/run/woomera/milter.sock",
        "inet:8894@127.0.0.1",
        "inet:8894@localhost",
        "inet6:8894@::1",
        "inet6:8894@[::1]",
        "inet:65535@mail.example.com",
    ],
)
def test_the_sockets_that_libmilter_knows_are_taken(socket: str) -> None:
    assert config.validate({**MINIMAL, "milter": {"socket": socket}}, "config.yaml").milter.socket == socket


@pytest.mark.parametrize(
    "socket",
    [
        "milter.sock",
        "unix:",
        f"unix:/{'a' * 107}",
        "local:/run/a.sock",
        "inet:0@127.0.0.1",
        "inet:65536@127.0.0.1",
        "inet:smtp@127.0.0.1",
        "inet:8894@",
        "inet:8894@two words",
        "8894",
    ],
)
def test_other_sockets_are_refused(socket: str) -> None:
    [problem] = problems_of({**MINIMAL, "milter": {"socket": socket}})
    assert problem.startswith("config.yaml: milter.socket: ")


@pytest.mark.parametrize(
    "bucket", ["abc", "a" * 63, "example-large-mail", "mail.example.com", "a--b", "1.2.3.example", "111"]
)
def test_the_buckets_that_s3_allows_are_taken(bucket: str) -> None:
    assert config.validate({"storage": {"bucket": bucket}}, "config.yaml").storage.bucket == bucket


@pytest.mark.parametrize(
    "bucket",
    [
        "ab",
        "a" * 64,
        "-abc",
        "abc-",
        ".abc",
        "a..b",
        "Abc",
        "a_b",
        "10.0.0.1",
        "xn--abc",
        "abc-s3alias",
        "arn:aws:s3:::abc",
    ],
)
def test_the_buckets_that_s3_refuses_are_refused(bucket: str) -> None:
    [problem] = problems_of({"storage": {"bucket": bucket}})
    assert problem.startswith(f"config.yaml: storage.bucket: {bucket} ")


@pytest.mark.parametrize(
    "address",
    ["postmaster@example.com", "first.last+tag@mail.example.com", "root@localhost", "o'neil@example.com"],
)
def test_plain_addresses_are_taken(address: str) -> None:
    assert (
        config.validate({**MINIMAL, "notice": {"contact": address}}, "config.yaml").notice.contact == address
    )


@pytest.mark.parametrize(
    "address",
    [
        "example.com",
        "@example.com",
        "a@",
        "a b@example.com",
        "a..b@example.com",
        ".a@example.com",
        "a@example..com",
        "a@-example.com",
        f"{'a' * 65}@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "ä@example.com",
        "<a@b.c>",
    ],
    ids=repr,
)
def test_addresses_that_cannot_be_right_are_refused(address: str) -> None:
    [problem] = problems_of({**MINIMAL, "notice": {"contact": address}})
    assert problem.startswith("config.yaml: notice.contact: ")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://s3.example.com",
        "https://",
        "https://[::1",
        "https://s3.example.com:port",
        "https://s3.example.com:0",
        "https://s3.example.com/bucket",
        "https://s3.example.com?x",
        "https://s3 example.com",
        "//s3.example.com",
    ],
)
def test_what_is_more_or_less_than_the_url_of_a_server_is_refused(url: str) -> None:
    [problem] = problems_of({**MINIMAL, "mail": {"endpoint_url": url}})
    assert problem.startswith("config.yaml: mail.endpoint_url: ")


def test_the_final_slash_of_an_endpoint_is_dropped() -> None:
    loaded = config.validate({**MINIMAL, "mail": {"endpoint_url": "http://127.0.0.1:4566/"}}, "config.yaml")
    assert loaded.mail.endpoint_url == "http://127.0.0.1:4566"


@pytest.mark.parametrize("name", ["Europe", "../etc/passwd", "/etc/localtime", "Mars/Olympus", "utc+1"])
def test_unknown_time_zones_are_refused(name: str) -> None:
    [problem] = problems_of({**MINIMAL, "report": {"timezone": name}})
    assert problem.startswith(f"config.yaml: report.timezone: {name} is not a time zone; ")


def test_a_time_zone_is_one_that_times_can_be_shown_in() -> None:
    loaded = config.validate({**MINIMAL, "report": {"timezone": "Europe/Berlin"}}, "config.yaml")
    assert loaded.report.timezone == ZoneInfo("Europe/Berlin")


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


# Keys that depend on each other


@pytest.mark.parametrize(
    "data",
    [
        {"links": {"expires": "7d"}},
        {"links": {"expires": "7d", "minimum": "7d"}},
        {"limit": "100KB", "archive": {"min_size": 0}},
        {"archive": {"min_size": (10 * 1024 * 1024 - 2048) // 2}},
        {"notice": {"include_text": "64KB"}},
        {"mail": {"username": "a", "password": "b"}},
        {"mail": {"host": "smtp.example.com", "username": "a", "password": "b", "starttls": "true"}},
        {"mail": {"via": "ses"}},
        {"storage": {"bucket": "large-mail", "region": "garage", "endpoint_url": "https://s3.example.com"}},
        {"storage": {"bucket": "mail.example.com", "addressing": "auto"}},
        {"storage": {"bucket": "large-mail", "encryption": "aws:kms", "kms_key_id": "alias/mail"}},
        {"storage": {"bucket": "large-mail", "profile": "mail"}},
        {
            "storage": {
                "bucket": "large-mail",
                "access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "secret_access_key": SECRET,
            }
        },
    ],
    ids=repr,
)
def test_what_is_just_allowed_is_allowed(data: dict[str, Any]) -> None:
    config.validate({**MINIMAL, **data}, "config.yaml")


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"links": {"expires": "604801s"}}, "links.expires"),
        ({"links": {"expires": "1d", "minimum": "86401s"}}, "links.minimum"),
        ({"limit": 100 * 1024 - 1, "archive": {"min_size": 0}}, "limit"),
        ({"archive": {"min_size": (10 * 1024 * 1024 - 2048) // 2 + 1}}, "archive.min_size"),
        ({"notice": {"include_text": 64 * 1024 + 1}}, "notice.include_text"),
    ],
    ids=repr,
)
def test_what_is_just_too_much_is_refused(data: dict[str, Any], key: str) -> None:
    [problem] = problems_of({**MINIMAL, **data})
    assert problem.startswith(f"config.yaml: {key}: ")


def test_links_of_cloudfront_may_live_longer_than_7_days(tmp_path: Path) -> None:
    key_file = tmp_path / "cloudfront.pem"
    key_file.touch(mode=0o600)
    cloudfront = {
        "domain": "files.example.com",
        "key_pair_id": "K2JCJMDEHXQW5F",
        "private_key_file": str(key_file),
    }
    links = {"kind": "cloudfront", "expires": "30d", "cloudfront": cloudfront}
    loaded = config.validate({**MINIMAL, "links": links}, "config.yaml")
    assert loaded.links.expires == timedelta(days=30)


def test_a_key_that_is_broken_itself_is_not_blamed_by_a_rule_too() -> None:
    problems = problems_of({**MINIMAL, "links": {"expires": "a week", "minimum": "8d"}, "limit": "10"})
    assert [problem.split(": ")[1] for problem in problems] == ["links.expires", "limit"]


def test_a_socket_that_is_the_other_milters_default_is_refused() -> None:
    [problem] = problems_of({**MINIMAL, "archive": {"socket": "unix:/run/woomera/milter.sock"}})
    assert problem == (
        "config.yaml: archive.socket: unix:/run/woomera/milter.sock is that of milter too; "
        "give each a socket of its own"
    )


# Secrets


def test_secrets_show_in_no_representation_of_the_config() -> None:
    keys = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET}
    loaded = config.validate(
        {
            "storage": {**MINIMAL["storage"], **keys},
            "links": keys,
            "mail": {"username": "woomera", "password": SECRET},
        },
        "config.yaml",
    )
    assert loaded.mail.password is not None
    assert loaded.mail.password.get_secret_value() == SECRET
    for text in (
        repr(loaded),
        str(loaded),
        f"{loaded.storage} {loaded.links!r} {loaded.mail}",
        loaded.model_dump_json(),
    ):
        assert SECRET not in text


@pytest.mark.parametrize(
    "value",
    [[SECRET], {SECRET: 1}, f" {SECRET}", f"{SECRET}\n", f"{SECRET}\x00", 2718281828, True, ""],
    ids=repr,
)
@pytest.mark.parametrize(
    "key", ["storage.access_key_id", "storage.secret_access_key", "links.secret_access_key", "mail.password"]
)
def test_no_message_shows_a_secret_that_is_wrong(key: str, value: object) -> None:
    section, name = key.split(".")
    data: dict[str, Any] = {**MINIMAL, section: {**MINIMAL.get(section, {}), name: value}}
    text = "\n".join(problems_of(data))
    assert f"config.yaml: {key}: " in text
    assert SECRET not in text
    assert "2718281828" not in text


# Files


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


# Warnings


def warnings_of(path: Path, data: dict[str, Any], mode: int = 0o640) -> list[str]:
    path.touch()
    path.chmod(mode)
    return config.warnings(config.validate({**MINIMAL, **data}, str(path)), path)


SECRETS = {"mail": {"username": "woomera", "password": SECRET}}


@pytest.mark.parametrize(
    ("mode", "data", "expected"),
    [
        (0o640, SECRETS, []),
        (0o644, {}, []),
        (0o644, SECRETS, ["holds secrets, and every user of this host can read it"]),
        (0o602, {}, ["every user of this host can change it"]),
    ],
    ids=["secrets read by the group", "no secrets", "secrets read by all", "written by all"],
)
def test_a_file_that_others_can_use_gets_a_warning(
    mode: int, data: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    remedy = f"chmod o-rwx {path}, and chgrp it to the group that Woomera runs as"
    assert warnings_of(path, data, mode) == [f"{path}: {problem}; {remedy}" for problem in expected]


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"storage": {"bucket": "large-mail", "retention": "3d"}}, "links.expires"),
        (
            {"storage": {"bucket": "large-mail", "endpoint_url": "https://s3.example.com"}},
            "links.endpoint_url",
        ),
        ({"links": {"endpoint_url": "http://s3.example.com"}}, "links.endpoint_url"),
        ({"limit": "41MB"}, "limit"),
        ({"milter": {"socket": "inet:8894@0.0.0.0"}}, "milter.socket"),
        ({"archive": {"socket": "unix:/tmp/archive.sock"}}, "archive.socket"),
        ({"milter": {"deadline": "5m"}}, "milter.deadline"),
        ({"archive": {"prefix": "copies/"}}, "archive.prefix"),
        (
            {
                "storage": {"bucket": "large-mail", "prefix": "archive/"},
                "archive": {"prefix": "archive/x/"},
                "sweep": {"prefix": "x/"},
            },
            "archive.prefix",
        ),
    ],
    ids=repr,
)
def test_what_works_and_is_probably_not_meant_gets_a_warning(
    data: dict[str, Any], key: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    warnings = warnings_of(path, data)
    assert warnings
    assert all(warning.startswith(f"{path}: {key}: ") and "; " in warning for warning in warnings)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {
            "links": {"endpoint_url": "http://127.0.0.1:9000"},
            "storage": {"bucket": "large-mail", "endpoint_url": "http://127.0.0.1:9000"},
        },
        {
            "storage": {
                "bucket": "large-mail",
                "endpoint_url": "https://vpce-0a1b.s3.us-east-1.vpce.amazonaws.com",
            }
        },
        {"milter": {"socket": "inet:8894@127.0.0.3"}, "archive": {"socket": "inet6:8895@::1"}},
    ],
    ids=repr,
)
def test_what_is_meant_gets_no_warning(data: dict[str, Any], tmp_path: Path) -> None:
    assert warnings_of(tmp_path / "config.yaml", data) == []


def test_a_private_key_that_others_can_read_gets_a_warning(tmp_path: Path) -> None:
    key_file = tmp_path / "cloudfront.pem"
    key_file.touch()
    key_file.chmod(stat.S_IRUSR | stat.S_IROTH)
    path = tmp_path / "config.yaml"
    [warning] = warnings_of(path, {"links": {"cloudfront": {"private_key_file": str(key_file)}}})
    assert warning == (
        f"{path}: links.cloudfront.private_key_file: every user can read {key_file}; chmod o-rwx {key_file}"
    )
