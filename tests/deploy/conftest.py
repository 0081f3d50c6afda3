"""What an administrator installs: the wheel, in an environment of its own; and a host below a folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent.parent
_NOT_OURS = shutil.ignore_patterns(
    ".git", ".venv*", ".rig", ".*_cache", ".hypothesis", "__pycache__", "build"
)


@dataclass(frozen=True, slots=True)
class Distributions:
    """What is published."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment with the wheel in it."""

    prefix: Path

    @property
    def share(self) -> Path:
        """Where the wheel's data lie."""
        return self.prefix / "share" / "woomera"

    @property
    def woomera(self) -> Path:
        """The program."""
        return self.prefix / "bin" / "woomera"

    def install_below(self, root: Path) -> str:
        """Run install.sh for the host whose files lie below `root`; return what it says."""
        return run("bash", self.share / "install.sh", environment={"DESTDIR": str(root)})


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist made of this checkout, and the wheel made of the sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    shutil.copytree(CHECKOUT, folder / "checkout", symlinks=True, ignore=_NOT_OURS)
    build = f"from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})"
    run(sys.executable, "-c", build, cwd=folder / "checkout")
    (sdist,) = folder.glob("*.tar.gz")
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    run(sys.executable, "-m", "pip", "wheel", *offline, "--wheel-dir", folder, sdist)
    (wheel,) = folder.glob("*.whl")
    return Distributions(sdist, wheel)


@pytest.fixture(scope="session")
def installed(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel in a new environment, which borrows the packages it depends on from this one."""
    prefix = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", prefix)
    (packages,) = prefix.glob("lib/python3*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", prefix / "bin" / "python", "install")
    run(*pip, "--quiet", "--no-index", "--no-deps", "--ignore-installed", distributions.wheel)
    return Environment(prefix)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a host that has sendmail's m4 files, as on Debian, and no Woomera."""
    root = tmp_path / "host"
    (root / "usr/share/sendmail/cf/feature").mkdir(parents=True)
    (root / "etc").mkdir()
    return root


def run(*argv: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """Run a program that has to succeed; return what it says."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
