"""The first Woomera's statistics mail: what one sweep did, for those who give it --adminEmail."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from woomera_milter import log
from woomera_milter.report.letter import Bulletin, Figure, as_message
from woomera_milter.report.matters import Matter
from woomera_milter.submission.mailer import Mailer
from woomera_milter.text.wording import counted

_SHOWN_FAILURES = 50


@dataclass(frozen=True, slots=True)
class SweepFigures:
    """What a sweep did; `failures` are keys of archived objects, each with the reason.

    `held_back`: notices that are due and were not sent, since there are more than --limit allows.
    `processed`: how many objects the JSON of processed mail names.
    """

    scanned: int
    over_limit: int
    notified: int
    failures: Sequence[tuple[str, str]]
    held_back: int
    processed: int


def send_statistics(admin: str, figures: SweepFigures, mailer: Mailer, now: datetime) -> None:
    """Mail the administrator what a sweep did; the log tells of a refusal. Raise the errors of Mailer."""
    for refusal in mailer.send(admin, [admin], statistics_mail(admin, figures, now)).refused:
        log.warning(f"--adminEmail: the statistics mail was refused: {refusal.reason}")


def statistics_mail(admin: str, figures: SweepFigures, now: datetime) -> bytes:
    """Return the mail that tells the administrator of a sweep, in wire form; three figures stand first."""
    today = f"{now.astimezone(UTC):%d-%m-%Y}"
    shown = {
        "Date": today,
        "Emails sent": f"{figures.notified:,}",
        "Entries in the list of processed emails": f"{figures.processed:,}",
        "Objects scanned": f"{figures.scanned:,}",
        "Over the limit": f"{figures.over_limit:,}",
        "Failed": f"{len(figures.failures):,}",
    }
    report = Bulletin(
        subject=f"[SES Woomera] Email Statistics -- {today}",
        title="SES Woomera, email statistics",
        subtitle="What a sweep of the archive found and did.",
        attention=list(_matters(figures)),
        figures=[Figure(name, value) for name, value in shown.items()],
        figures_first=True,
        footer="Made by `woomera sweep --adminEmail`. `woomera report` tells of all hosts and days.",
    )
    return as_message(
        report,
        sender=admin,
        recipients=[admin],
        message_id=f"sweep-{now:%Y%m%dT%H%M%S.%f}.woomera@{admin.rpartition('@')[2]}",
        now=now,
    )


def _matters(figures: SweepFigures) -> Iterator[Matter]:
    if figures.failures:
        yield Matter(
            "untold",
            f"{counted(len(figures.failures), 'message')} could not be announced to all recipients",
            "`woomera sweep` tries again for a week; after that, tell them yourself",
            [f"{key}: {reason}" for key, reason in figures.failures[:_SHOWN_FAILURES]],
        )
    if figures.held_back:
        yield Matter(
            "too-many",
            f"{counted(figures.held_back, 'notice')} are due, more than --limit allows, so none was sent",
            f"look at them with --dry-run, then give --limit {figures.held_back}",
            (),
        )
