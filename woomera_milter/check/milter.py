"""What `woomera check` says of a milter that should be running: does it answer at its socket?"""

from collections.abc import Iterator
from dataclasses import dataclass

from woomera_milter import config
from woomera_milter.check import milter_client
from woomera_milter.check.finding import Finding, failure, passed
from woomera_milter.check.milter_client import ADD_HEADERS, CHANGE_BODY, CHANGE_HEADERS, ProbeError

_CHANGES = ADD_HEADERS | CHANGE_BODY | CHANGE_HEADERS


@dataclass(frozen=True, slots=True)
class OurMilter:
    """One of our two milters: what becomes of mail while it is down, and what it asks to change."""

    command: str
    subject: str
    while_down: str
    changes: int


MAIN = OurMilter("milter", "milter.socket", "mail waits or passes, as the failure flag says", _CHANGES)
ARCHIVE = OurMilter("archive-milter", "archive.socket", "mail passes without a copy", 0)


def look(configuration: config.Config) -> Iterator[Finding]:
    """Yield what is to be said of `woomera milter`."""
    mailer = next(iter(configuration.milter.mailers), "relay")
    # So large a message is not let go by its size: the milter prepares to take its body.
    yield answers(MAIN, configuration.milter.socket, mailer, configuration.limit)


def answers(ours: OurMilter, address: str, mailer: str, msg_size: int) -> Finding:
    """Say whether this milter of ours answers the beginning of a message, of which nothing is left."""
    remedy = f"start `woomera {ours.command}`, and see what its log says"
    try:
        request = milter_client.probe(address, mailer, msg_size)
    except PermissionError:
        return failure(
            ours.subject,
            f"this user may not connect to {address}",
            "run the check as the milter's user or as root",
        )
    except OSError:
        detail = f"nobody answers at {address}: {ours.while_down}"
        return failure(ours.subject, detail, remedy, temporary=True)
    except ProbeError as error:
        detail = f"what listens at {address} {error}: {ours.while_down}"
        return failure(ours.subject, detail, remedy, temporary=True)
    if request.actions & _CHANGES != ours.changes or b"{msg_size}" not in request.macros:
        return failure(
            ours.subject,
            f"another milter answers at {address}",
            f"give `woomera {ours.command}` a socket of its own, in config.yaml and in sendmail.mc",
        )
    return passed(
        ours.subject, f"the {ours.command} answers at {address}, and asks sendmail for what it needs"
    )
