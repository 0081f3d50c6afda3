"""The commands list and resend, for messages that are in S3 already."""

import sys
from datetime import datetime
from pathlib import Path

import click

from woomera_milter.cli import wiring
from woomera_milter.cli.common import EX_PARTLY, Since, load
from woomera_milter.cli.output import say, say_error, say_json
from woomera_milter.clock import rfc3339
from woomera_milter.errors import DamagedError
from woomera_milter.store import sidecars as stored
from woomera_milter.store.documents import Sidecar, written
from woomera_milter.submission import mailer
from woomera_milter.sweep.resend import Resent


@click.command("list")
@click.option("--since", type=Since(), help="Only messages received since then: 12h or 7d ago, or that day.")
@click.option("--recipient", default="", help="Only those with this text in a recipient's address.")
@click.option("--sender", default="", help="Only those with this text in the sender's address.")
@click.option("--id", "message_id", help="Only the one with this id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_command(
    path: Path, since: datetime | None, recipient: str, sender: str, message_id: str | None, as_json: bool
) -> None:
    """Show stored messages, newest first.

    A message that its client had to send again stands there once. One that was stored, and whose client was
    told to try again, is marked as never announced.
    """
    store = wiring.stored_messages(load(path))
    damaged: list[DamagedError] = []
    if message_id:
        sidecars = iter([stored.find(store, message_id)])
    else:
        sidecars = stored.each_once(stored.newest_first(store, since, damaged.append))
    found = (it for it in sidecars if it.matches(sender, recipient))
    if as_json:
        say_json([written(it.sidecar) for it in found])
    else:
        for message in found:
            say(line_of(message.sidecar))
    for error in damaged:
        say_error(error)
    if damaged:
        sys.exit(EX_PARTLY)


@click.command("resend")
@click.argument("message_id", metavar="ID")
@click.option("--to", "only_to", metavar="ADDRESS", help="To this one of its recipients alone.")
@click.option("--force", is_flag=True, help="Even where it was never announced.")
@click.option("--dry-run", is_flag=True, help="Tell who would get it, and send and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def resend_command(
    path: Path, message_id: str, only_to: str | None, force: bool, dry_run: bool, as_json: bool
) -> None:
    """Make fresh links for the stored message ID (`woomera list` shows ids), and send its notice again."""
    configuration = load(path)
    with mailer.from_config(configuration) as postman:
        resent = wiring.resend(configuration, postman).run(message_id, only_to, force=force, dry_run=dry_run)
    if as_json:
        say_json(_document(resent, dry_run))
    else:
        _print(resent, dry_run)
    if resent.refused or not resent.is_recorded:
        sys.exit(EX_PARTLY)


def line_of(sidecar: Sidecar) -> str:
    """Return a message as the list shows it."""
    refused = f" ({sidecar.recipients_refused} of them refused)" if sidecar.recipients_refused else ""
    mark = "" if sidecar.announced else "  never announced"
    return (
        f"{rfc3339(sidecar.received_at)}  {sidecar.id}  {sidecar.size_bytes:>11,} bytes  "
        f"<{sidecar.envelope_sender}> -> {', '.join(sidecar.recipients)}{refused}{mark}  {sidecar.subject}"
    )


def _document(resent: Resent, dry_run: bool) -> dict[str, object]:
    return {
        "id": resent.id,
        "to": list(resent.accepted),
        "failed": [{"recipient": it.recipient, "reason": it.reason} for it in resent.refused],
        "links_expire_at": rfc3339(resent.links_expire_at),
        "dry_run": dry_run,
    }


def _print(resent: Resent, dry_run: bool) -> None:
    verb = "would go" if dry_run else "sent"
    for recipient in resent.accepted:
        say(f"{verb} to {recipient}; the links work until {resent.links_expire_at:%Y-%m-%d %H:%M} UTC")
    for refusal in resent.refused:
        say(f"failed for {refusal.recipient}: {refusal.reason}")
