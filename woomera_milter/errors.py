"""What can go wrong, and what each failure means to the one who hears of it.

    WoomeraError
    ├── PermanentError       trying again unchanged cannot help      exit 78 (EX_CONFIG)
    │   ├── ConfigError      the configuration cannot work
    │   ├── DamagedError     a stored document is not what it should be
    │   └── FrozenError      an object in an archive class of S3 cannot be read
    └── TemporaryError       the outside world failed, try later     exit 75 (EX_TEMPFAIL)
        └── DeadlineError    it took longer than it may

Every error says what was attempted, what went wrong and what to do about it; it never
holds a link, a key or any part of a message. Exit statuses are those of sysexits(3).
"""

import ssl
from enum import StrEnum

EX_TEMPFAIL = 75
EX_CONFIG = 78


class Reason(StrEnum):
    """Why something failed, as a short, stable word for logs and statistics; `meaning` is for the report.

    What reads a word decides nothing by it: for that there are the classes below.
    """

    meaning: str

    def __new__(cls, word: str, meaning: str) -> "Reason":
        """Make a member of the word that others see and what it means."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    @classmethod
    def meaning_of(cls, word: str) -> str:
        """Return what a word in a document means, which a later version may have written."""
        return next((reason.meaning for reason in cls if reason == word), "see the log")

    ARCHIVE = "archive", "what `woomera archive` did could not be told to the report"
    ARCHIVED = "archived", "the copy in the archive is no mail that can have come through sendmail"
    ARCHIVE_SPOOL = "archive-spool", "the folder archive.spool could not hold copies"
    BUSY = "busy", "another program holds the lock"
    CLAIM = "claim", "another run has taken the work over, or S3 ignores conditional writes"
    CONFIG = "config", "the configuration cannot work"
    DAMAGED = "damaged", "a document in the bucket is not what it should be"
    DEADLINE = "deadline", "storing took longer than milter.deadline"
    DISK_FLOOR = "disk-floor", "a copy would have left less of the disk than archive.min_free"
    ENVELOPE = "envelope", "the envelope beside a copy is missing or damaged"
    ID = "id", "no stored message has this id"
    INTERNAL = "internal", "a mistake of ours; please report the line of the log"
    LINKS = "links", "their links would have ended too soon"
    MAIL = "mail", "the relay took no mail"
    MAILDIR = "maildir", "the folder is no Maildir"
    MBOX = "mbox", "the file is no mbox"
    MTA = "mta", "sendmail was gone before it took the notice"
    NOTICE = "notice", "the notice does not fit, because of notice.templates"
    READ = "read", "a file could not be read or removed"
    RECIPIENTS = "recipients", "nobody is known who could be told"
    REFUSED = "refused", "the relay refused some of the recipients"
    REPORT = "report", "the report does not fit into a mail"
    SENDER = "sender", "the message names no sender, and sweep.sender is not set"
    SENDMAIL = "sendmail", "sendmail's configuration could not be read"
    SOCKET = "socket", "the socket could not be served"
    SPOOL = "spool", "the folder milter.spool could not hold them"
    STORE = "store", "S3 refused them, or could not be reached"
    UNANNOUNCED = "unannounced", "its client was told to try again, and nobody was told of this attempt"


class WoomeraError(Exception):
    """The base of all errors that we raise on purpose."""

    exit_status = EX_TEMPFAIL

    def __init__(self, problem: str, *, remedy: str = "", reason: Reason = Reason.INTERNAL) -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy
        self.reason = reason


def in_words(error: OSError) -> str:
    """Say what went wrong with a connection: the system's own words, or ours where it has none."""
    if isinstance(error, TimeoutError):
        return "no answer came in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted ({error.verify_message})"
    return error.strerror or "it ended the conversation"  # smtplib's own errors have no words of the system


class TemporaryError(WoomeraError):
    """The outside world failed in a way that may pass: S3 down, disk full, network cut."""


class DeadlineError(TemporaryError):
    """Work took longer than its deadline, which the problem names: `milter.deadline`, `sweep.lease`, ..."""

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        super().__init__(problem, remedy=remedy, reason=Reason.DEADLINE)


class PermanentError(WoomeraError):
    """Trying again unchanged cannot help: missing bucket, wrong keys, a signer that cannot keep its word."""

    exit_status = EX_CONFIG


class DamagedError(PermanentError):
    """A stored document is no JSON, or not what it should be: others wrote it, or somebody's hand."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem, remedy="see who wrote it, and mend or delete it", reason=Reason.DAMAGED)


class FrozenError(PermanentError):
    """An object lies in a storage class from which it has to be restored before anybody can read it."""


class ConfigError(PermanentError):
    """The configuration is missing, unreadable or wrong. `problems` holds one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems), reason=Reason.CONFIG)
        self.problems = problems
