"""Mailers to test, the message that they send and its envelope."""

from collections.abc import Callable
from typing import Any

from woomera_milter import config
from woomera_milter.submission.mailer import Mailer, from_config

SENDER = "sender@example.com"
ANN, BOB, CAT = "ann@example.org", "bob@example.org", "cat@example.org"
MESSAGE = b"From: sender@example.com\r\nTo: ann@example.org\r\n\r\n.\r\n..\r\nlast\r\n"
KEYS = {"access_key_id": "AKIARIG0000000000000", "secret_access_key": "s" * 40}


class Pauses:
    """Waits for nothing, writes down for how long, and lets something happen at the pause of a number."""

    def __init__(self) -> None:
        self.taken_s: list[float] = []
        self.events: dict[int, Callable[[], None]] = {}

    def __call__(self, pause_s: float) -> None:
        self.taken_s.append(pause_s)
        self.events.get(len(self.taken_s), lambda: None)()


def mailer(
    pauses: Pauses, storage: dict[str, Any] | None = None, *, jitter: float = 1.0, **mail: Any
) -> Mailer:
    section = {"bucket": "example-large-mail", "region": "us-east-1"} | (KEYS if storage is None else storage)
    configuration = config.validate({"storage": section, "mail": mail}, "config.yaml")
    return from_config(configuration, pause=pauses, jitter=lambda: jitter)
