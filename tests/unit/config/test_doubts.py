"""A configuration that works and is probably not meant so, or that others can read, gets a warning."""

import stat
from pathlib import Path
from typing import Any

import pytest

from tests.unit.config.config_cases import MINIMAL, SECRET
from woomera_milter import config


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
        ({"sweep": {"lease": "10m"}}, "sweep.lease"),
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


def test_a_templates_folder_that_others_can_write_to_gets_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    path = tmp_path / "config.yaml"
    assert warnings_of(path, {"notice": {"templates": str(folder)}}) == []
    folder.chmod(0o777)
    [warning] = warnings_of(path, {"notice": {"templates": str(folder)}})
    problem = "every user can put templates, which run as Woomera, into"
    assert warning == f"{path}: notice.templates: {problem} {folder}; chmod o-w {folder}"
