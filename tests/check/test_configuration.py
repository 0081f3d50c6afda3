"""`woomera check --offline`: a postmaster sees every mistake before the daemon meets one."""

from pathlib import Path

import pytest

from woomera_milter.check import check
from woomera_milter.check.finding import Finding

SAMPLE = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("config.yaml")
    path.touch(mode=0o644)
    return path


def test_the_sample_is_valid_and_its_addresses_are_told_to_be_examples(path: Path) -> None:
    path.write_bytes(SAMPLE.read_bytes())
    is_valid, *warnings = check.run_offline(path)
    assert is_valid == Finding("pass", "config.yaml", "the configuration is valid", "")
    assert {it.status for it in warnings} == {"warning"}
    keys = [it.detail.partition(": ")[0] for it in warnings]
    assert keys == ["notice.contact", "report.sender", "report.to"]
    assert "postmaster@example.com" in warnings[0].detail
    assert warnings[0].remedy


@pytest.mark.parametrize(
    ("address", "is_example"),
    [
        ("a@example.com", True),
        ("a@EXAMPLE.org", True),
        ("a@example.net", True),
        ("a@mail.example.com", False),
        ("a@notexample.com", False),
    ],
)
def test_an_example_is_told_by_its_domain(address: str, is_example: bool, path: Path) -> None:
    path.write_text(f"storage: {{bucket: large-mail}}\nsweep: {{sender: {address}}}\n", encoding="utf-8")
    assert [it.status for it in check.run_offline(path)] == ["pass", *["warning"] * is_example]


def test_each_mistake_is_a_failure_with_its_remedy(path: Path) -> None:
    path.write_text("storage: {bucket: large-mail}\nlinks: {expires: 14d}\nlimit: ten\n", encoding="utf-8")
    findings = check.run_offline(path)
    assert findings[1] == Finding(
        "failure",
        "config.yaml",
        "links.expires: 14d is longer than the 7 days that S3's SigV4 allows",
        "use 7d or less, or links.kind: cloudfront",
    )
    assert [finding.status for finding in findings] == ["failure", "failure"]


def test_a_syntax_error_is_one_failure_that_names_line_and_column(path: Path) -> None:
    path.write_text("storage:\n\tbucket: large-mail\n", encoding="utf-8")
    [finding] = check.run_offline(path)
    assert (finding.status, finding.subject) == ("failure", "config.yaml:2:1")


def test_a_valid_config_that_others_can_read_passes_with_a_warning(path: Path) -> None:
    path.write_text("storage: {bucket: large-mail}\nmail: {username: a, password: b}\n", encoding="utf-8")
    path.chmod(0o644)
    assert [finding.status for finding in check.run_offline(path)] == ["pass", "warning"]
