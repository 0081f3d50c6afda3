"""MIMEDefang as Debian's units start it, but with a worker for each message and a folder of its own."""

import os
import pwd
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.bed import serve
from bench.memory import MESSAGES
from rig.lab import environment
from rig.mta.sendmail import Sendmail
from rig.process import Process, StartError, accepts_at

_WORKERS = MESSAGES  # it refuses what it has no worker for; Debian's 10 are enough for less mail at once


class Mimedefang:
    """Runs as long as `stack` does: the milter proper, and a multiplexor with its Perl workers.

    The two together are `processes`. `parts` is the folder that a filter may put files into.
    """

    def __init__(self, stack: ExitStack, filter_file: Path, socket: Path, sendmail: Sendmail) -> None:
        """Serve `socket`, whose folder must be sendmail's user's; raise StartError."""
        if shutil.which("mimedefang") is None:
            raise StartError("MIMEDefang is not installed: rig/setup.sh bench")
        uid = sendmail.folder.stat().st_uid
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="woomera-mimedefang-")))
        spool, self.parts = folder / "spool", folder / "parts"
        spool.mkdir()
        self.parts.mkdir()
        perl = folder / "filter.pl"
        shutil.copyfile(filter_file, perl)
        for path in (folder, *folder.iterdir()):
            os.chown(path, uid, -1)
        multiplexor_socket = spool / "multiplexor"
        common: list[str | Path] = ["-D", "-z", spool]
        if os.getuid() == 0:
            common += ["-U", pwd.getpwuid(uid).pw_name]
        debians = ["-E", "-l", "-m", "2", "-b", "600", "-x", str(_WORKERS)]
        multiplexor = ["mimedefang-multiplexor", *common, "-s", multiplexor_socket, "-F", perl, *debians]
        log, environ = folder / "multiplexor.log", environment() | {"LC_ALL": "C"}
        workers = stack.enter_context(Process(multiplexor, log, env=environ))
        workers.wait_until_ready(lambda: accepts_at(multiplexor_socket))
        milter: list[str | Path] = ["mimedefang", *common, "-m", multiplexor_socket, "-p", socket, "-X"]
        self.processes = [workers, serve(stack, milter, socket, folder / "mimedefang.log", sendmail)]
