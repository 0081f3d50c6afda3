"""What can go wrong, and what each failure means to the one who hears of it.

    WoomeraError
    ├── PermanentError       trying again unchanged cannot help      exit 78 (EX_CONFIG)
    │   └── ConfigError      the configuration cannot work
    └── TemporaryError       the outside world failed, try later     exit 75 (EX_TEMPFAIL)
        └── DeadlineError    it took longer than it may

Every error says what was attempted, what went wrong and what to do about it; it never
holds a link, a key or any part of a message. Exit statuses are those of sysexits(3).
"""

EX_TEMPFAIL = 75
EX_CONFIG = 78


class WoomeraError(Exception):
    """The base of all errors that we raise on purpose.

    `reason` is a short, stable word for logs and statistics ("store", "links", ...).
    """

    exit_status = EX_TEMPFAIL

    def __init__(self, problem: str, *, remedy: str = "", reason: str = "internal") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy
        self.reason = reason


class TemporaryError(WoomeraError):
    """The outside world failed in a way that may pass: S3 down, disk full, network cut."""


class DeadlineError(TemporaryError):
    """Work took longer than its deadline, which the problem names: `milter.deadline`, `sweep.lease`, ..."""

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy, reason="deadline")


class PermanentError(WoomeraError):
    """Trying again unchanged cannot help: missing bucket, wrong keys, a signer that cannot keep its word."""

    exit_status = EX_CONFIG


class ConfigError(PermanentError):
    """The configuration is missing, unreadable or wrong. `problems` holds one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems), reason="config")
        self.problems = problems
