"""Others' filters beside those of the bed, each with a sendmail from the same .cf."""

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.bed import Bed, sendmail_with, serve, socket_folder
from bench.client import DeliveryError
from bench.mimedefang import Mimedefang
from rig.mail.messages import MB
from rig.mta.sendmail import Sendmail
from rig.process import Process
from rig.running import Running

ALONE = "sendmail alone"
NOOP = "C no-op"
PYMILTER = "pymilter"
MIMEDEFANG = "MIMEDefang"
MIMEDEFANG_URLS = "MIMEDefang, URLs"
WOOMERA = "Woomera"

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sendmail, and the processes of its filter, without those that they fork."""

    sendmail: Sendmail
    processes: Sequence[Process]

    @property
    def port(self) -> int:
        """Where it takes mail."""
        return self.sendmail.smtp_port


class PeerBed(Running):
    """All `candidates` by name, the bed's and others; they run while the `with` block does."""

    candidates: dict[str, Candidate]

    def __init__(self) -> None:
        self.bed = Bed()

    def _start(self, stack: ExitStack) -> None:
        bed = stack.enter_context(self.bed)
        self._sockets = socket_folder(stack)
        self._parts: list[Path] = []
        self.candidates = {
            ALONE: Candidate(bed.alone, []),
            NOOP: Candidate(bed.noop, [bed.noop_filter]),
            PYMILTER: self._pymilter(stack),
            MIMEDEFANG: self._mimedefang(stack, "noop"),
            MIMEDEFANG_URLS: self._mimedefang(stack, "urls"),
            WOOMERA: Candidate(bed.woomera, [bed.milter]),
        }

    def empty_queues(self) -> None:
        """Remove all queued mail and all files that were replaced by URLs."""
        self.bed.empty_queues()
        for candidate in self.candidates.values():
            for path in candidate.sendmail.queue.iterdir():
                path.unlink()
        # MIMEDefang would not write a file again that is there already.
        for folder in self._parts:
            for path in folder.iterdir():
                path.unlink()

    def check_replaced(self, name: str) -> None:
        """Raise DeliveryError where the filter has let a large message pass: nothing else may be queued."""
        queued_bytes = sum(path.stat().st_size for path in self.candidates[name].sendmail.queue.iterdir())
        if not 0 < queued_bytes < MB:
            raise DeliveryError(f"{name} has replaced nothing: {queued_bytes} bytes are queued")

    def _pymilter(self, stack: ExitStack) -> Candidate:
        socket = self._sockets / "pymilter"
        log = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="woomera-bench-"))) / "pymilter.log"
        sendmail = stack.enter_context(sendmail_with(socket))
        command: list[str | Path] = [sys.executable, _HERE / "pymilter_plain.py", f"unix:{socket}"]
        return Candidate(sendmail, [serve(stack, command, socket, log, sendmail)])

    def _mimedefang(self, stack: ExitStack, name: str) -> Candidate:
        folder = self._sockets / f"mimedefang-{name}"
        folder.mkdir()
        sendmail = stack.enter_context(sendmail_with(folder / "milter"))
        os.chown(folder, sendmail.folder.stat().st_uid, -1)
        mimedefang = Mimedefang(stack, _HERE / f"mimedefang_{name}.pl", folder / "milter", sendmail)
        self._parts.append(mimedefang.parts)
        return Candidate(sendmail, mimedefang.processes)
