"""What `woomera check` says: one finding for each thing that was looked at, in words for a postmaster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Literal

from woomera_milter.errors import TemporaryError, WoomeraError
from woomera_milter.store.inspection import code_of

Status = Literal["pass", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is empty where nothing needs doing.

    A failure is `temporary` where the outside world failed in a way that may pass.
    """

    status: Status
    subject: str
    detail: str
    remedy: str = ""
    temporary: bool = False


def passed(subject: str, detail: str) -> Finding:
    """All is well with it."""
    return Finding("pass", subject, detail)


def warning(subject: str, detail: str, remedy: str) -> Finding:
    """It works and is probably not meant, or nobody can tell."""
    return Finding("warning", subject, detail, remedy)


def failure(subject: str, detail: str, remedy: str, *, temporary: bool = False) -> Finding:
    """It does not work."""
    return Finding("failure", subject, detail, remedy, temporary)


def failed(subject: str, error: WoomeraError) -> Finding:
    """It raised an error of ours."""
    return failure(subject, error.problem, error.remedy, temporary=isinstance(error, TemporaryError))


def guarded(subject: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """Yield what `look` finds; whatever it raises is a failure, and other things are still looked at."""
    try:
        yield from look()
    except WoomeraError as error:
        yield failed(subject, error)
    except Exception as error:
        # Its text could quote a link or a key, and its type says nothing to a postmaster.
        places = ">".join(f"{Path(it.filename).name}:{it.lineno}" for it in extract_tb(error.__traceback__))
        detail = f"could not be looked at, because of a mistake at {places}"
        yield failure(subject, detail, "it is Woomera's own: report it with this line")


_DENIED = frozenset({"AccessDenied", "403"})
_UNKNOWN_TO_THE_SERVER = frozenset({"NotImplemented", "MethodNotAllowed", "501", "405"})


def is_denied(error: WoomeraError) -> bool:
    """Tell whether a right is missing."""
    return code_of(error) in _DENIED


def is_unknown(error: WoomeraError) -> bool:
    """Tell whether the server does not know what was asked."""
    return code_of(error) in _UNKNOWN_TO_THE_SERVER


def unseen(subject: str, error: WoomeraError, right: str) -> Finding:
    """Say that something could not be looked at, which is no failure of it."""
    if is_denied(error):
        return warning(
            subject, f"cannot be seen: {right} is missing", f"grant {right}, or look at it yourself"
        )
    if is_unknown(error):
        return warning(subject, f"cannot be seen: the server answers {code_of(error)}", "look at it yourself")
    return failed(subject, error)
