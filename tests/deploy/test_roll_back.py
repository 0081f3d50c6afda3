"""What Install saves of sendmail's configuration is what the roll back puts back."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import CHECKOUT

OLD = {"sendmail.mc": "dnl old\n", "sendmail.cf": "# old\n", "m4/provider.m4": ""}
RESTART = " && systemctl restart sendmail"
SYSTEMS = {"Amazon Linux": "cp sendmail-config/sendmail.mc ", "Debian": "> /etc/mail/m4/provider.m4"}
"""What the commands for each have that the other's have not."""


def block(document: str, wanted: str) -> list[str]:
    """The lines of the first block of commands with `wanted` in it; what is continued is one line."""
    text = (CHECKOUT / document).read_text(encoding="utf-8").replace("\\\n", "")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(it for it in blocks if wanted in it).splitlines()


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_roll_back_brings_back_what_was_there_though_install_ran_twice(
    system: str, tmp_path: Path
) -> None:
    def run(*lines: str) -> None:
        script = "\n".join(lines).replace("/etc/mail", str(tmp_path))
        subprocess.run(["bash", "-c", script], cwd=CHECKOUT, check=True)

    (tmp_path / "m4").mkdir()
    for name, text in OLD.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    install = [
        it for it in block("docs/install.md", SYSTEMS[system]) if re.match(r"(cp|sed) .*/etc/mail", it)
    ]
    roll_back = block("sendmail-config/README.md", RESTART)
    for _ in range(2):
        run(*install)
        (tmp_path / "sendmail.cf").write_text("# ours\n", encoding="utf-8")
    [command] = [it for it in roll_back if ("provider.m4" in it) is (system == "Debian")]
    run(command.removesuffix(RESTART))
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in OLD} == OLD
