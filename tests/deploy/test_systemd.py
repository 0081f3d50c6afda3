"""What install.sh makes of a host: user, folders, units that systemd accepts, FEATURE files, man pages."""

import re
import stat
from pathlib import Path

import pytest

from tests.deploy.conftest import CHECKOUT, Environment, run
from woomera_milter.errors import EX_CONFIG

UNITS = CHECKOUT / "deploy" / "systemd"
SERVICES = sorted(it.name for it in UNITS.glob("*.service"))
MOST_EXPOSED = 20
"""Tenths of systemd-analyze's exposure level, 0 to 10."""


@pytest.fixture
def host(installed: Environment, root: Path) -> Path:
    """The files of a host on which install.sh has run."""
    installed.install_below(root)
    return root


def test_systemd_accepts_the_units(host: Path, installed: Environment) -> None:
    units = host / "etc/systemd/system"
    assert {it.name for it in units.iterdir()} == {
        it.name for it in UNITS.iterdir() if it.suffix in (".service", ".timer", ".d")
    }
    assert run("systemd-analyze", "verify", *units.glob("*.service"), *units.glob("*.timer")) == ""
    started = re.findall(r"^ExecStart=(\S+)", (units / "woomera-sweep.service").read_text(), re.MULTILINE)
    assert started == [str(installed.woomera)]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_may_do_much_more_than_its_work(service: str) -> None:
    threshold = f"--threshold={MOST_EXPOSED}"
    run("systemd-analyze", "security", "--offline=true", threshold, "--no-pager", UNITS / service)


def test_no_service_leaves_mail_in_a_core_file() -> None:
    assert "\nLimitCORE=0\n" in (UNITS / "woomera-.service.d/hardening.conf").read_text()


def test_a_milter_that_ended_is_started_again_however_it_ended_but_for_its_configuration() -> None:
    """Without it all mail waits. A stray SIGTERM ends it with 0, which on-failure takes for its end."""
    for name in ("woomera-milter.service", "woomera-archive-milter.service"):
        unit = (UNITS / name).read_text(encoding="utf-8")
        assert re.findall(r"^Restart\w*=.*", unit, re.MULTILINE) == [
            "Restart=always",
            "RestartSec=2",
            f"RestartPreventExitStatus={EX_CONFIG}",
        ]


def test_every_timer_has_its_service_and_every_job_a_timer() -> None:
    jobs = {it.stem for it in UNITS.glob("*.service") if "Type=oneshot" in it.read_text()}
    assert (
        jobs
        == {it.stem for it in UNITS.glob("*.timer")}
        == {f"woomera-{it}" for it in ("archive", "report", "sweep")}
    )


def test_a_report_that_failed_in_the_morning_is_tried_again_that_day() -> None:
    timer = (UNITS / "woomera-report.timer").read_text()
    [schedule] = re.findall(r"^OnCalendar=(.+)", timer, re.MULTILINE)
    at_noon = ("--base-time=2026-11-24 12:00 UTC", "--iterations=1")
    told = run("systemd-analyze", "calendar", *at_noon, schedule)
    assert "2026-11-24" in re.split("Next elapse: ", told)[1]


def test_the_folders_belong_to_woomera_and_are_closed_to_others(host: Path) -> None:
    passwd = (host / "etc/passwd").read_text()
    uid, gid = (int(it) for it in re.findall(r"^woomera:x:(\d+):(\d+):", passwd, re.MULTILINE)[0])
    expected = {
        "run/woomera": (uid, gid, 0o750),
        "var/spool/woomera": (uid, gid, 0o700),
        "var/spool/woomera/archive": (uid, gid, 0o700),
        "var/lib/woomera/.aws": (0, gid, 0o750),
        "etc/woomera/config.yaml": (0, gid, 0o640),
    }
    found = {path: (host / path).stat() for path in expected}
    assert {path: (it.st_uid, it.st_gid, stat.S_IMODE(it.st_mode)) for path, it in found.items()} == expected


def test_sendmails_feature_files_are_put_where_m4_looks(host: Path) -> None:
    features = host / "usr/share/sendmail/cf/feature"
    assert {it.name for it in features.iterdir()} == {"woomera.m4", "woomera_archive.m4"}


def test_the_man_pages_are_put_where_man_looks(host: Path) -> None:
    for name in ("woomera.8", "woomera.yaml.5"):
        page = host / f"usr/local/share/man/man{name[-1]}/{name}"
        assert page.read_bytes() == (CHECKOUT / "docs" / "man" / name).read_bytes()


def test_the_uninstall_of_operations_leaves_only_the_user_to_userdel(host: Path) -> None:
    operations = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    removed = re.findall(r"(?<= )/\S+", "".join(re.findall(r"^   rm .*\n", operations, re.MULTILINE)))
    ours = [it for it in host.rglob("*") if it.is_file() or "woomera" in it.name]
    made = [Path("/", it.relative_to(host)) for it in ours]
    left = [
        it for it in made if not any(step.match(pattern) for step in (it, *it.parents) for pattern in removed)
    ]
    accounts = {"passwd", "group", "shadow", "gshadow", ".pwd.lock"}
    assert {it.name.removesuffix("-") for it in left} <= accounts
    assert "userdel woomera" in operations


def test_installing_again_renews_the_units_and_keeps_the_configuration(
    host: Path, installed: Environment
) -> None:
    config, unit = host / "etc/woomera/config.yaml", host / "etc/systemd/system/woomera-milter.service"
    before = unit.read_bytes()
    config.write_text("storage: {bucket: ours}\n")
    unit.write_text("of yesterday\n")
    installed.install_below(host)
    assert config.read_text() == "storage: {bucket: ours}\n"
    assert unit.read_bytes() == before
