"""`make chaos`: mail from several clients at once, while everything that can die or fail does so.

Everything is real but SES: sendmail with the failure flag T, `woomera milter`, an S3 server. A seed decides
what is sent and which blows fall when (rig/plan.py); a ledger outside all of it settles what came of
each message once everything is well again (rig/ledger.py). docs/chaos.md explains the figures.
"""

import argparse
import math
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rig.chaos.arena import Arena, arena
from rig.chaos.ledger import Account, Attempt, settle
from rig.chaos.plan import Kill, Outage, Plan, PlannedMessage, Trouble, make_plan
from rig.mta.smtp import Exchange
from rig.trial import hand_over

CLIENTS = 6
BACK_OFF_S = 0.5
"""How long a client that was put off waits before its next message."""
PATIENCE_S = 60
AHEAD = 30
"""How many messages may begin while a blow is due or falls: it has its effect on those, and not on none."""

Say = Callable[[str], None]


class Pace:
    """Keeps messages and blows in step, so that a seed means about the same on a fast and a slow machine."""

    def __init__(self, total: int, series: Sequence[str]) -> None:
        self._total = total
        self._begun = 0
        self._due_after: dict[str, float] = dict.fromkeys(series, 0)
        self._changed = threading.Condition()

    def begin_message(self) -> int | None:
        """Return the number of the next message as soon as it may begin; None where there are no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._begun < min(self._due_after.values()) + AHEAD)
            if self._begun == self._total:
                return None
            self._begun += 1
            self._changed.notify_all()
            return self._begun - 1

    def wait_for_messages(self, series: str, count: int) -> None:
        """Return when so many have begun; until the next call for this series only AHEAD more do so."""
        with self._changed:
            self._due_after[series] = count
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._begun >= count)

    def end(self, series: str) -> None:
        """No more blows of this series fall."""
        with self._changed:
            self._due_after[series] = math.inf
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run, and what was left over when everything was well again."""

    plan: Plan
    account: Account
    queue_ids: Sequence[str]
    spooled: Sequence[str]
    open_uploads: Sequence[str]

    @property
    def broken(self) -> list[str]:
        """A sentence for each promise that was not kept."""
        left = {
            "mail left in the queue": self.queue_ids,
            "files left in the spool": self.spooled,
            "multipart uploads left open": self.open_uploads,
        }
        return self.account.broken + [f"{what}: {list(it)}" for what, it in left.items() if it]


def send_under_fire(ring: Arena, plan: Plan, say: Say) -> list[Attempt]:
    """Send all messages while the blows fall; return what the clients heard."""
    series: dict[str, Sequence[Kill | Outage]] = {"kills": plan.kills, "outages": plan.outages}
    pace = Pace(len(plan.messages), list(series))
    attempts: list[Attempt] = []

    def client() -> None:
        while (number := pace.begin_message()) is not None:
            attempt = Attempt(plan.messages[number], _send(ring, plan.messages[number]))
            attempts.append(attempt)
            if not attempt.accepted:
                time.sleep(BACK_OFF_S)

    def strike(name: str) -> None:
        try:
            for blow in series[name]:
                pace.wait_for_messages(name, blow.after_messages)
                time.sleep(blow.delay_s)
                say(f"{blow.after_messages:6}  {blow}")
                ring.strike(blow)
        finally:
            pace.end(name)

    with ThreadPoolExecutor(CLIENTS + len(series)) as pool:
        clients = [pool.submit(client) for _ in range(CLIENTS)]
        for thread in (*(pool.submit(strike, name) for name in series), *clients):
            thread.result()
    return attempts


def _send(ring: Arena, message: PlannedMessage) -> Exchange | None:
    """Send the message once, on a connection of its own; None where that broke before a reply came.

    Where nobody listens there is no attempt: the client tries to connect until somebody does. Raise
    ConnectionRefusedError where nobody does for long: then the arena is broken, not a promise.
    """
    sent = message.sent()
    ends_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return hand_over(ring.lab.sendmail, sent)
        except ConnectionRefusedError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(BACK_OFF_S)
        except OSError:
            return None


def run(plan: Plan, folder: Path, say: Say) -> Outcome:
    """Run the plan with all data and logs in `folder`; settle the account."""
    with arena(folder, plan) as ring:
        attempts = send_under_fire(ring, plan, say)
        say("recovering")
        ring.recover()
        say("settling the account")
        with ring.verifier(plan) as verify:
            account = settle(attempts, ring.lab.ses.transactions, ring.breaks, verify)
        return Outcome(plan, account, ring.lab.sendmail.queue_ids(), ring.spooled(), ring.open_uploads())


def report(outcome: Outcome) -> str:
    """Return the printed result."""
    plan, account = outcome.plan, outcome.account
    kills = Counter(it.victim.value for it in plan.kills)
    outages = Counter(it.what.value if isinstance(it.what, Trouble) else "way to S3" for it in plan.outages)
    lines = {
        "seed": plan.seed,
        "kill -9": f"{len(plan.kills)} ({_listed(kills)})",
        "outages": f"{len(plan.outages)} ({_listed(outages)})",
        "sent": account.sent,
        "accepted (250)": account.accepted,
        "refused": account.refused,
        "unknown": f"{account.unknown} ({account.unknown_arrived} of them arrived)",
        "intercepted": account.intercepted,
        "sent back": f"{account.sent_back} (SES refused them for good)",
        "windows of RFC 1047": account.windows,
        "lost": len(account.lost),
        "corrupted": len(account.corrupted),
        "doubled by Woomera": len(account.doubled),
        "unwanted": len(account.unwanted),
        "left in the queue": len(outcome.queue_ids),
        "left in the spool": len(outcome.spooled),
        "uploads left open": len(outcome.open_uploads),
    }
    return "\n".join(f"{name:<22}{value}" for name, value in lines.items())


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> int:
    """Run it and print what came of it; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m rig.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--outages", type=int, default=20)
    parser.add_argument("--seed", type=int, help="replays a plan; by default a new one")
    parser.add_argument("--folder", type=Path, help="an empty or new folder that keeps all logs and objects")
    options = parser.parse_args()
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    plan = make_plan(seed, messages=options.messages, kills=options.kills, outages=options.outages)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="woomera-chaos-") as scratch:
        folder = options.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        outcome = run(plan, folder, lambda event: print(event, file=sys.stderr, flush=True))
    print(report(outcome))
    print(f"{'seconds':<22}{time.monotonic() - began:.0f}")
    for sentence in outcome.broken:
        print(f"BROKEN  {sentence}")
    return 1 if outcome.broken else 0
