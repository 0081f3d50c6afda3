"""Configurations of sendmail and of Woomera, sound ones, in which a test breaks one thing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from rig import sendmail_cf as rig_cf
from woomera_milter import sendmail_cf
from woomera_milter.config import Config
from woomera_milter.finding import Finding
from woomera_milter.sendmail_cf import SendmailCf

SMTP_PORT = 2525
MILTER, ARCHIVE = "unix:/run/woomera/milter.sock", "unix:/run/woomera/archive.sock"

MakeCf = Callable[..., SendmailCf]
"""make_cf(**changes to rig.sendmail_cf.Settings): what m4 makes of our sendmail.mc, with a submit.cf."""


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sendmail's m4 files with ours among them."""
    folder = tmp_path_factory.mktemp("sendmail") / "cf"
    rig_cf.install_features(folder)
    return folder


@pytest.fixture
def make_cf(tree: Path, tmp_path: Path) -> MakeCf:
    def make(**changes: Any) -> SendmailCf:
        settings = rig_cf.Settings(**{"relay_port": 587, "milter_socket": MILTER} | changes)
        path = tmp_path / "sendmail.cf"
        path.write_text(rig_cf.build(rig_cf.server_mc(settings, tmp_path, SMTP_PORT, 0), tree))
        submission = rig_cf.build(rig_cf.submission_mc(tmp_path, SMTP_PORT, 0), tree)
        path.with_name("submit.cf").write_text(submission)
        (tmp_path / "sendmail.pid").touch()
        return sendmail_cf.load(path)

    return make


def configured(**sections: Any) -> Config:
    """A configuration that is the default but for these sections."""
    storage = {"bucket": "large-mail", "region": "us-east-1"} | sections.pop("storage", {})
    return Config.model_validate({"storage": storage, **sections})


def troubles(findings: Iterable[Finding]) -> list[Finding]:
    """Those that did not pass."""
    return [it for it in findings if it.status != "pass"]


def the_trouble(findings: Iterable[Finding]) -> Finding:
    """The only one that did not pass; it has a remedy."""
    [found] = troubles(findings)
    assert found.remedy
    return found
