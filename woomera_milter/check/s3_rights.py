"""What a refusal of S3's means for a finding: a right that is missing, or a server that does not know it."""

from woomera_milter.check.finding import Finding, failed, warning
from woomera_milter.errors import WoomeraError
from woomera_milter.store.inspection import code_of

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
