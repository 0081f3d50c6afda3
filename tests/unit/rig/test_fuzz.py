"""The fuzzer finds what is wrong and makes it short; what it found once stays mended."""

import json
from collections.abc import Callable, Hashable
from pathlib import Path

import pytest

from rig.fuzz.__main__ import run
from rig.fuzz.engine import Fuzzer, Target
from rig.fuzz.targets import targets
from woomera_milter.message.fields import HeaderField, parse_header_block
from woomera_milter.text.file_names import safe_file_name

CASES = Path(__file__).parents[2] / "fuzz_cases"
MESSAGE = b"From: a@example.com\r\nSubject: figures\r\n\r\ntext\r\n"
CHECKS = {it.name: it.check for it in targets()}
SEED = 1


def broken(check: Callable[[bytes], object], seed: bytes = MESSAGE, **more: bool) -> Target:
    def checked(data: bytes) -> set[Hashable]:
        check(data)
        return {len(data).bit_length()}

    return Target("broken", checked, [seed], [b"\0", b"\r\n\t", b"Subject: x\r\n"], **more)


def finds_a_fold_too_much(data: bytes) -> None:
    for field in parse_header_block(data):
        assert b"\r\n\t" not in HeaderField(*field).value


def trusts_a_subject_to_be_a_file_name(data: bytes) -> None:
    for name, value in parse_header_block(data):
        text = value.decode("latin-1").strip()
        assert name != "Subject" or not text or safe_file_name(text, "x") == text


@pytest.mark.parametrize("check", [finds_a_fold_too_much, trusts_a_subject_to_be_a_file_name])
def test_a_broken_reader_is_found_out_and_the_case_made_short(check: Callable[[bytes], None]) -> None:
    [finding] = Fuzzer(broken(check), SEED).run(inputs=3000).findings
    assert len(finding.data) <= 16
    assert "AssertionError" in finding.trace
    with pytest.raises(AssertionError):
        check(finding.data)


def test_a_reader_of_json_that_trusts_its_keys_is_found_out() -> None:
    target = broken(lambda data: json.loads(data)["at"], b'{"at": [1], "to": "x"}', is_json=True)
    findings = Fuzzer(target, SEED).run(inputs=300).findings
    assert any("KeyError" in it.trace and json.loads(it.data) is not None for it in findings)


def test_a_reader_that_takes_quadratic_time_is_found_out() -> None:
    def quadratic(data: bytes) -> None:
        for start in range(0, len(data), 500):
            sum(data[start:])

    findings = Fuzzer(broken(quadratic), SEED, suspicious_s=0.02).run(inputs=100).findings
    assert ["in 4 times as many" in it.trace for it in findings] == [True]


def test_the_same_seed_tries_the_same_inputs() -> None:
    def tried(seed: int) -> list[bytes]:
        inputs: list[bytes] = []
        Fuzzer(broken(inputs.append), seed).run(inputs=300)
        return inputs

    assert tried(1) == tried(1)
    assert tried(1) != tried(2)


def test_findings_end_the_run_with_status_1_and_lie_in_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([broken(len)], SEED, 0.0, tmp_path) == 0
    assert run([broken(finds_a_fold_too_much, b"A:b\r\n\tc\r\n"), broken(len)], SEED, 0.0, tmp_path) == 1
    [path] = tmp_path.iterdir()
    assert path.read_bytes() == b"A:\n\t"
    assert str(path) in capsys.readouterr().out


@pytest.mark.parametrize("target", targets(), ids=lambda it: it.name)
def test_a_few_inputs_find_nothing(target: Target) -> None:
    account = Fuzzer(target, SEED).run(inputs=60)
    assert [it.trace for it in account.findings] == []
    assert account.features > 1


@pytest.mark.parametrize("case", sorted(CASES.glob("*/*")), ids=lambda it: f"{it.parent.name}/{it.name}")
def test_what_was_found_once_stays_mended(case: Path) -> None:
    CHECKS[case.parent.name](case.read_bytes())
