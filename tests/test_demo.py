"""`make demo` shows the main job on a machine that has what rig/setup.sh demo installs, and no more."""

import subprocess
import sys
from pathlib import Path

# None in sys.modules: cannot be imported.
_WITHOUT_DEV_PACKAGES = """\
import sys
sys.modules.update(dict.fromkeys(["hypothesis", "moto", "mypy_boto3_s3", "pytest"]))
from rig.demo import run
sys.exit(run.main())
"""


def test_demo_ends_well_with_the_message_downloaded_as_it_was_sent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _WITHOUT_DEV_PACKAGES, "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "552 5.3.4 Message is too long" in done.stdout
    assert "the same, byte for byte" in done.stdout
    assert "Survey of the north ridge" in (tmp_path / "notice.html").read_text(encoding="utf-8")
    assert (tmp_path / "message.eml").stat().st_size > 24 * 1024**2
