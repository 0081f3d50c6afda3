"""The sdist and the wheel hold what they should, and the program runs where only they are."""

import subprocess
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.deploy.conftest import CHECKOUT, Distributions, Environment, run

SHARED = {
    "config.yaml": "config.yaml",
    "README.md": "README.md",
    "CHANGELOG.md": "CHANGELOG.md",
    "docs": "docs",
    "deploy/cloudformation.yaml": "cloudformation.yaml",
    "deploy/install.sh": "install.sh",
    "deploy/data-pipeline": "data-pipeline",
    "deploy/systemd": "systemd",
    "sendmail-config": "sendmail-config",
    "docs/man/woomera.8": "../man/man8/woomera.8",
    "docs/man/woomera.yaml.5": "../man/man5/woomera.yaml.5",
}
"""What of the checkout lies where in the wheel, from its share/woomera."""


@pytest.mark.parametrize(("source", "target"), SHARED.items())
def test_the_wheel_brings_what_an_administrator_needs(
    source: str, target: str, installed: Environment
) -> None:
    assert contents(installed.share / target) == contents(CHECKOUT / source)


def test_what_lies_in_deploy_is_in_the_wheel() -> None:
    names = {f"deploy/{it.name}" for it in (CHECKOUT / "deploy").iterdir()}
    assert names <= SHARED.keys()


def test_the_wheel_holds_the_program_its_templates_and_its_type_marker(distributions: Distributions) -> None:
    with ZipFile(distributions.wheel) as wheel:
        packed = {it for it in wheel.namelist() if it.startswith("woomera_milter/")}
    package = CHECKOUT / "woomera_milter"
    files = [it for it in package.rglob("*") if it.is_file() and "__pycache__" not in it.parts]
    files = [it for it in files if it.suffix not in (".po", ".pot")]  # for translators; .mo is read
    assert packed == {str(it.relative_to(CHECKOUT)) for it in files}


def test_from_the_sdist_one_can_install_and_test_as_from_a_checkout(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as sdist:
        packed = {it.partition("/")[2] for it in sdist.getnames()}
    needed = {"Makefile", "CHANGELOG.md", "LICENSE", "locks/runtime.txt", "rig/setup.sh", "deploy/install.sh"}
    tests = {str(it.relative_to(CHECKOUT)) for it in (CHECKOUT / "tests").rglob("*.py")}
    assert needed | tests <= packed
    assert not [it for it in packed if "__pycache__" in it or it.startswith((".venv", ".git/"))]


def test_the_installed_program_runs_and_checks_the_sample_configuration(installed: Environment) -> None:
    assert "archive-milter" in run(installed.woomera, "--help", cwd=installed.prefix)
    sample = str(installed.share / "config.yaml")
    said = run(installed.woomera, "--config", sample, "check", "--offline", cwd=installed.prefix)
    assert "the configuration is valid" in said


def test_the_installed_program_names_the_sample_where_there_is_no_configuration(
    installed: Environment, tmp_path: Path
) -> None:
    done = subprocess.run(
        [installed.woomera, "--config", tmp_path / "config.yaml", "check", "--offline"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"write it from the commented sample, {installed.share / 'config.yaml'}, or name" in done.stdout


def contents(path: Path) -> dict[str, bytes]:
    """Return the octets of a file, or of each file below a folder."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {str(it.relative_to(path)): it.read_bytes() for it in path.rglob("*") if it.is_file()}
