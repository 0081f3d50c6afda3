"""All that takes part in a chaos run, the blows that hit it, and what is found when it is well again."""

import contextlib
import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from rig.chaos.ledger import Attempt, Verify
from rig.chaos.plan import LIMITS, Kill, Outage, Plan, Trouble, Victim
from rig.lab import BUCKET, Lab
from rig.mta.sendmail_cf import MAILER_DAEMON
from rig.promises.bucket import Bucket
from rig.promises.checker import Aftermath, Interception, check
from rig.servers.faults import FaultProxy, Pass
from rig.servers.s3 import Juicefs
from rig.servers.ses import Transaction
from rig.trial import Plain

_QUEUE_EVERY_S = 3
_SPOOL_ROOM_BYTES = 100_001
"""How much of a message a full spool disk still takes: the write that crosses it is cut short."""
_RECOVERY_TIMEOUT_S = 120
_POLL_S = 0.05
_WITHOUT_PAGE = re.compile(r': degraded id=(\S+) what=(?:page|"[^"]*\bpage") ')


class _Server(Protocol):
    def start(self) -> None: ...

    def kill(self) -> None: ...


class Arena:
    """A lab that can be struck from several threads at once; made by `arena`."""

    def __init__(self, lab: Lab, s3: Juicefs, proxy: FaultProxy) -> None:
        self.lab = lab
        self.breaks: list[int] = []
        """As for `rig.chaos.ledger.settle`."""
        self._s3 = s3
        self._proxy = proxy
        self._victims: dict[Victim, _Server] = {
            Victim.MILTER: lab.milter,
            Victim.S3: s3,
            Victim.SENDMAIL: lab.sendmail,
        }

    def strike(self, blow: Kill | Outage) -> None:
        """Let the blow fall, and return when what it hit is well again."""
        if isinstance(blow, Kill):
            self._kill(blow)
        else:
            with self._trouble(blow):
                time.sleep(blow.lasts_s)

    def _kill(self, blow: Kill) -> None:
        server = self._victims[blow.victim]
        server.kill()
        if blow.victim is Victim.SENDMAIL:
            self.lab.ses.finish()  # what the dead had sent comes before the break, however late SES reads it
            self._note_break()
        time.sleep(blow.pause_s)
        server.start()

    @contextmanager
    def _trouble(self, outage: Outage) -> Iterator[None]:
        ses = self.lab.ses
        match outage.what:
            case Trouble.SPOOL_FULL:
                self._limit_spool(_SPOOL_ROOM_BYTES)
                yield
                self._limit_spool(resource.RLIM_INFINITY)
            case Trouble.SES_AWAY:
                ses.go_dark()
                self._note_break()
                yield
                ses.listen()
            case Trouble.SES_THROTTLES:
                ses.throttled = True
                yield
                ses.throttled = False
            case fault:
                self._proxy.set(fault)
                yield
                self._proxy.set(Pass())

    def _note_break(self) -> None:
        self.breaks.append(len(self.lab.ses.transactions))

    def _limit_spool(self, room_bytes: int) -> None:
        """Limit the milter's files, which every user can: it stands in for a full disk.

        The milter's log falls under the limit as well. A milter that is killed meanwhile comes back to a disk
        that has room.
        """
        with contextlib.suppress(ProcessLookupError):
            pid = self.lab.milter.process.pid
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (room_bytes, resource.RLIM_INFINITY))

    def recover(self) -> None:
        """Return when all queued mail has gone and the milter holds no message; give up after a while."""
        sendmail = self.lab.sendmail
        _wait(lambda: not sendmail.queue_ids() or not sendmail.flush_queue())
        _wait(lambda: not self.spooled())

    def spooled(self) -> list[str]:
        """Return the files in the milter's spool: those with a name, and those that it holds open without."""
        spool = self.lab.folder / "spool"
        held = []
        for descriptor in Path(f"/proc/{self.lab.milter.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                held.append(str(descriptor.readlink()))
        return [*map(str, spool.iterdir()), *(it for it in held if it.startswith(f"{spool}/"))]

    def open_uploads(self) -> list[str]:
        """Return the keys of the multipart uploads that were begun and neither completed nor aborted."""
        with contextlib.closing(self._s3.client()) as client:
            return [it["Key"] for it in client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    @contextmanager
    def verifier(self, plan: Plan) -> Iterator[Verify]:
        """Give what holds a copy's contents against the promises, once nothing changes any more."""
        with Plain() as plain, contextlib.closing(self._s3.client()) as client:
            plain.ses.unverified_senders = plan.unverified_senders
            bucket = _RestingBucket(client, BUCKET)
            without_page = set(_WITHOUT_PAGE.findall(self.lab.milter.log_text()))

            def verify(attempt: Attempt, copy: Transaction) -> Interception | None:
                sent = attempt.message.sent()
                without_us = None
                if not LIMITS.is_over(sent.message):
                    without_us = [it for it in plain.relays(sent) if it.envelope_sender != MAILER_DAEMON]
                aftermath = Aftermath(attempt.exchange, [copy], [], [])
                return check(
                    sent, aftermath, bucket, LIMITS, without_us=without_us, without_page=without_page
                )

            yield verify


class _RestingBucket(Bucket):
    """A bucket that nobody writes to any more: it is listed once."""

    _keys: list[str] | None = None

    def list_keys(self, prefix: str = "") -> list[str]:
        if self._keys is None:
            self._keys = super().list_keys()
        return [it for it in self._keys if it.startswith(prefix)]


@contextmanager
def arena(folder: Path, plan: Plan) -> Iterator[Arena]:
    """Give an arena in which all is well, with its data and logs in `folder`."""
    with ExitStack() as stack:
        (folder / "s3").mkdir()
        s3 = stack.enter_context(Juicefs(folder / "s3"))
        s3.make_bucket(BUCKET)
        proxy = stack.enter_context(FaultProxy(s3.port))
        lab = Lab(
            folder,
            s3,
            configuration={"limit": f"{LIMITS.limit_bytes // 1024}KB", "milter": {"deadline": "5s"}},
            s3_url=proxy.endpoint_url,
            delivery_mode="background",
            queue_every_s=_QUEUE_EVERY_S,
        )
        lab.ses.unverified_senders = plan.unverified_senders
        yield Arena(stack.enter_context(lab), s3, proxy)


def _wait(is_done: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + _RECOVERY_TIMEOUT_S
    while not is_done() and time.monotonic() < ends_at:
        time.sleep(_POLL_S)
