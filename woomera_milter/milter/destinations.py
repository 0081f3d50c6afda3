"""Where recipients lead: through the relay, or into a mailbox of this host?

At RCPT TO sendmail says `local` of an alias, `root` for cron's mail say, whose target is
outside. Only `sendmail -bv` follows aliases and .forward files to the mailer in the end
(sendmail(8), -bv).
"""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Collection, Sequence
from pathlib import Path

from woomera_milter import log

TIMEOUT_S = 10
_WHERE_SENDMAIL_LIES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib"
_EX_OK, _EX_NOUSER = 0, 67  # an unknown user is bounced here, and does not make the others' answers less sure

# What can stand among a program's arguments and mean only itself: no option, pipe, file or :include:.
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9.!#$%&'*+/=?^_`{}~@-]*", re.ASCII)
_DELIVERABLE = re.compile(r"\.\.\. deliverable: mailer ([^,\s]+)(?:,.*?\buser (.+))?$", re.MULTILINE)
_ALIAS_FILES = re.compile(r"^setoption AliasFile \(.*?\)=(.+?)(?: \(unsafe\))?$", re.MULTILINE)
_CANNOT_OPEN = "Cannot open"
_UNPRIVILEGED = "may give misleading output"


class Destinations:
    """Tells mail that goes through the relay from mail that stays on this host."""

    def __init__(self, mailers: Collection[str], sendmail: Path | None) -> None:
        """`mailers`: those of the relay (empty: all); `sendmail` None: looked for where it usually lies."""
        self._mailers = frozenset(mailers)
        self._sendmail = str(sendmail) if sendmail else shutil.which("sendmail", path=_WHERE_SENDMAIL_LIES)

    def reach_relay(self, recipients: Sequence[str], mailers: Collection[str], queue_id: str) -> bool:
        """Tell whether any of the recipients, for whom sendmail named these `mailers`, leads to the relay.

        In doubt they do: a notice for a mailbox of this host does no harm, a refusal by the relay does.
        """
        if not self._mailers or "" in mailers or not self._mailers.isdisjoint(mailers):
            return True
        try:
            return self._ask(recipients)
        except _UnsureError as doubt:
            log.unsure_of_destination(queue_id, str(doubt))
            return True

    def _ask(self, recipients: Sequence[str]) -> bool:
        if not self._sendmail:
            raise _UnsureError("there is no sendmail program; set milter.sendmail")
        if not all(map(_PLAIN_ADDRESS.fullmatch, recipients)):
            raise _UnsureError("an address is too unusual to ask for")
        # An ordinary user may not enter the queue, where sendmail goes first, whatever its task;
        # -d37.1 makes it name its alias files.
        command = [self._sendmail, "-OQueueDirectory=/", "-d37.1", "-bv", "--", *recipients]
        try:
            answer = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise _UnsureError(f"sendmail -bv did not run ({type(error).__name__})") from error
        found = _DELIVERABLE.findall(answer.stdout)
        if any(mailer in self._mailers for mailer, _ in found):
            return True
        if answer.returncode not in (_EX_OK, _EX_NOUSER):
            raise _UnsureError(f"sendmail -bv ended with status {answer.returncode}")
        if answer.returncode == _EX_NOUSER and _CANNOT_OPEN in answer.stdout + answer.stderr:
            # An unknown user's status hides that of a list which could not be read.
            raise _UnsureError("sendmail -bv could not open a list of recipients")
        if not found and answer.returncode == _EX_OK:
            raise _UnsureError("sendmail -bv names no mailer; see whether milter.sendmail is sendmail's own")
        if _UNPRIVILEGED in answer.stdout:
            # To an ordinary user sendmail calls everything local whose alias or .forward he cannot read.
            for alias_files in _ALIAS_FILES.findall(answer.stdout):
                _check_readable(alias_files)
            for user in {user for mailer, user in found if mailer == "local"}:
                _check_forward(user)
        return False


class _UnsureError(Exception):
    """Sendmail's answer does not prove that all recipients stay on this host."""


def _check_readable(alias_files: str) -> None:
    for alias_file in alias_files.split(","):
        path = alias_file.strip()
        if not any(os.access(name, os.R_OK) for name in (path, f"{path}.db")):
            raise _UnsureError(f"the aliases in {path} cannot be read by the milter's user")


def _check_forward(user: str) -> None:
    try:
        forward = Path(pwd.getpwnam(user.lstrip("\\")).pw_dir) / ".forward"
        forward.stat()
    except (KeyError, FileNotFoundError, NotADirectoryError):
        return
    except OSError:
        pass
    else:
        if os.access(forward, os.R_OK):
            return
    raise _UnsureError("a recipient's .forward cannot be read by the milter's user")
