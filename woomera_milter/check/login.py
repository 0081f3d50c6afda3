"""What `woomera check` says of sendmail's login at the relay: the map authinfo, tried where it may be read.

Who may read it is root alone, so for anybody else there is nothing to say (cf/README, "Providing SMTP AUTH
Data when sendmail acts as Client").
"""

import os
import re
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Iterator

from woomera_milter.check.finding import Finding, failure, passed
from woomera_milter.check.sendmail import ses_region
from woomera_milter.check.sendmail_cf import Map, SendmailCf, SmartHost
from woomera_milter.submission import smtp
from woomera_milter.submission.answers import ReplyKind

_TIMEOUT_S = 20
_FIELD = re.compile(r'"([UIP])([:=])([^"]*)"')


def look(cf: SendmailCf, relay: SmartHost) -> Iterator[Finding]:
    """Yield whether the relay takes the login that sendmail would use; raise TemporaryError."""
    known = cf.maps.get("authinfo")
    if known is None or not os.access(f"{known.path}.db", os.R_OK):
        return
    entries = _entries(known)
    if entries is None:
        return
    entry = entries.get(f"authinfo:{relay.host}".lower(), entries.get("authinfo:"))
    if entry is None:
        if ses_region(relay.host):
            yield failure(
                "login",
                f"authinfo has none for {relay.host}, which refuses all mail without (530)",
                f"put AuthInfo:{relay.host} there, and run makemap",
            )
        return
    fields = dict(_fields(entry))
    user, password = fields.get("I") or fields.get("U", ""), fields.get("P", "")
    said = smtp.log_in(relay.host, relay.port, user, password)
    if said is None:  # without TLS none is sent; what is wrong with that is told of the relay
        return
    if said.kind is ReplyKind.ACCEPTED:
        yield passed("login", "the relay takes the one of authinfo")
    else:
        yield failure(
            "login",
            f"the relay refuses the one of authinfo: {said.text}",
            "put SES's SMTP user name and password there, which are no access key of IAM, and run makemap",
            temporary=said.kind is ReplyKind.DEFERRED,
        )


def _entries(known: Map) -> dict[str, str] | None:
    """Return what the map holds, by key in lower case as makemap writes it; None where nobody can tell."""
    program = shutil.which("makemap", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/lib/sbin")
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, "-u", known.kind, str(known.path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    pairs = (line.partition("\t") for line in done.stdout.decode("utf-8", "replace").splitlines())
    return {key.lower(): value for key, _, value in pairs}


def _fields(entry: str) -> Iterator[tuple[str, str]]:
    """Yield letters and values of `"I:AKIA" "P=cGFzcw=="`, where `=` stands before base64."""
    for letter, mark, value in _FIELD.findall(entry):
        try:
            yield letter, b64decode(value).decode() if mark == "=" else value
        except ValueError:
            yield letter, value
