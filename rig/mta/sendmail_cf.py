"""sendmail's .cf files, built by m4 from the files that we ship, for a sendmail that lives in one folder."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.servers.ses import SES_HOST

SHIPPED = Path(__file__).resolve().parents[2] / "sendmail-config"
HOST_NAME = "rig.example.com"
MAILER_DAEMON = "MAILER-DAEMON@example.com"
"""Whom SES, which takes no null sender, sees in its place: the shipped sendmail.mc has it so."""

_PACKAGED_CF_TREES = (Path("/usr/share/sendmail-cf"), Path("/usr/share/sendmail/cf"))


class CfError(RuntimeError):
    """The .cf could not be built: no sendmail-cf on this machine, or m4 found fault with the .mc."""


def packaged_cf_tree() -> Path:
    """Return where sendmail's m4 files lie (Amazon Linux: package sendmail-cf; Debian: another path)."""
    for tree in _PACKAGED_CF_TREES:
        if (tree / "m4/cf.m4").exists():
            return tree
    raise CfError(f"no sendmail m4 files in {' or '.join(map(str, _PACKAGED_CF_TREES))}: install sendmail-cf")


def install_features(tree: Path, packaged: Path | None = None) -> None:
    """Make `tree` what the packaged cf folder is once our FEATURE files are copied into it."""
    packaged = packaged or packaged_cf_tree()
    (tree / "feature").mkdir(parents=True)
    for entry in packaged.iterdir():
        if entry.name != "feature":
            (tree / entry.name).symlink_to(entry)
    # Ours come last: where Woomera is installed, the packaged folder has some of them too.
    features = {it.name: it for it in (*(packaged / "feature").iterdir(), *SHIPPED.glob("*.m4"))}
    for name, feature in features.items():
        (tree / "feature" / name).symlink_to(feature)


def build(mc: str, tree: Path) -> str:
    """Return the .cf that m4 makes of `mc`, whose include of Amazon Linux's cf.m4 is taken from `tree`.

    sendmail's m4 files report errors on stderr and go on, so anything there raises CfError.
    """
    mc = replace_once(mc, "include(`/usr/share/sendmail-cf/", f"include(`{tree}/")
    done = subprocess.run(["m4"], input=mc, capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise CfError(f"m4 ended with status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def replace_once(text: str, old: str, new: str) -> str:
    """Replace `old`, which must stand in `text` exactly once: else we would test what we do not ship."""
    if text.count(old) != 1:
        raise CfError(f"{old!r} stands {text.count(old)} times in the .mc, not once")
    return text.replace(old, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the sendmail of a test differs from the one that we ship, apart from where its files lie."""

    relay_port: int
    """Where the stand-in for SES listens, at SES_HOST."""
    milter_socket: str | None = None
    """`inet:PORT@127.0.0.1` (sendmail refuses unix sockets below world-writable folders); None: no milter."""
    failure_flag: str = "T"
    milter_timeouts: str = ""
    """The FEATURE's own where empty."""
    archive_socket: str | None = None
    """Likewise for the archive milter."""
    filters_before: Sequence[str] = ()
    """Sockets of filters that see each message before ours."""
    filters_after: Sequence[str] = ()
    """Likewise, after the main milter."""
    delivery_mode: str = "interactive"
    """`interactive` delivers before the client hears 250, `background` after it, `queue` at a queue run."""
    queue_every_s: int | None = None
    """How often the daemon tries queued mail again; None: never, that is left to `flush_queue`."""
    max_headers_length: int | None = None
    extra_mc: str = ""
    """Lines that come last before MAILER, where a define overrules all earlier ones."""


def server_mc(settings: Settings, folder: Path, smtp_port: int, uid: int) -> str:
    """Return the shipped sendmail.mc, but living in `folder`, serving `smtp_port` and using the stand-in."""
    defines = {
        "SMART_HOST": f"relay:[{SES_HOST}]",
        "RELAY_MAILER_ARGS": f"TCP $h {settings.relay_port}",
        "ALIAS_FILE": f"{folder}/aliases",
        "STATUS_FILE": f"{folder}/statistics",
        "QUEUE_DIR": f"{folder}/mqueue",
        "confPID_FILE": f"{folder}/sendmail.pid",
        "confDOMAIN_NAME": HOST_NAME,
        "confTRUSTED_USER": str(uid),
        # Without "authwarnings": a daemon with -C that is not root's would add headers to all mail.
        "confPRIVACY_FLAGS": "novrfy,noexpn,restrictqrun",
        "confDELIVERY_MODE": settings.delivery_mode,
        # However busy the machine: a test's mail is neither queued nor refused for the load.
        "confQUEUE_LA": "1000",
        "confREFUSE_LA": "1000",
    }
    if settings.max_headers_length is not None:
        defines["confMAX_HEADERS_LENGTH"] = str(settings.max_headers_length)
    mc = (SHIPPED / "sendmail.mc").read_text(encoding="utf-8")
    mc = replace_once(mc, "Port=smtp,", f"Port={smtp_port},")
    mc = replace_once(mc, "FEATURE(`woomera')dnl\n", _filters(settings))
    mailers = "MAILER(`local')dnl\n"
    mc = replace_once(mc, mailers, f"{_lines(defines)}{settings.extra_mc}\n{mailers}")
    # cf.m4 honours this one only where it comes first. All maps of the shipped file then lie in `folder`.
    return _lines({"MAIL_SETTINGS_DIR": f"{folder}/"}) + mc


def submission_mc(folder: Path, smtp_port: int, uid: int) -> str:
    """Return a submit.mc as distributions have it: it hands all mail to the server at `smtp_port`."""
    defines = {
        "MAIL_SETTINGS_DIR": f"{folder}/",
        "MSP_QUEUE_DIR": f"{folder}/clientmqueue",
        "STATUS_FILE": f"{folder}/sm-client.st",
        "RELAY_MAILER_ARGS": f"TCP $h {smtp_port}",
        "confPID_FILE": f"{folder}/sm-client.pid",
        "confDOMAIN_NAME": HOST_NAME,
        "confRUN_AS_USER": str(uid),
    }
    return (
        _lines(defines)
        + "include(`/usr/share/sendmail-cf/m4/cf.m4')dnl\ndefine(`__OSTYPE__', `')dnl\n"
        + "FEATURE(`msp', `[127.0.0.1]')dnl\ndefine(`confPRIVACY_FLAGS', `novrfy,noexpn')dnl\n"
    )


def _filters(settings: Settings) -> str:
    lines = [
        f"INPUT_MAIL_FILTER(`before{number}', `S={socket}, F=T')dnl\n"
        for number, socket in enumerate(settings.filters_before)
    ]
    if settings.milter_socket is not None:
        arguments = (settings.milter_socket, settings.failure_flag, settings.milter_timeouts)
        lines.append("FEATURE(`woomera', `{}', `{}', `{}')dnl\n".format(*arguments))
    lines += [
        f"INPUT_MAIL_FILTER(`after{number}', `S={socket}, F=T')dnl\n"
        for number, socket in enumerate(settings.filters_after)
    ]
    if settings.archive_socket is not None:
        lines.append(f"FEATURE(`woomera_archive', `{settings.archive_socket}')dnl\n")
    return "".join(lines)


def _lines(defines: Mapping[str, str]) -> str:
    return "".join(f"define(`{name}', `{value}')dnl\n" for name, value in defines.items())
