"""Obtaining AWS credentials under a deadline, whoever gives them: a program, STS, the instance, a file.

botocore waits for ever for a `credential_process`, and keeps every other thread out meanwhile. Here a thread
of its own asks, one for each profile at a time; who needs keys waits a little, and what takes too long is
ended with all that it started. Keys that are still good serve on.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from woomera_milter import log

WAIT_S = 10.0
"""How long whoever needs keys waits for them."""
LIMIT_S = 30.0
"""How long obtaining them may take."""
_OWED_S = 60.0
"""How long keys that came too late for one are kept for the next; others are read anew each time."""
_SLOW_S, _FAILURE_S = 1.0, 5.0
"""Where it took longer to fail than the first, others hear of it for as long as the second."""
_RENEW_AHEAD_S, _GOOD_UNTIL_S = 15 * 60, 60


class Keys(NamedTuple):
    """What a provider of botocore's gave; `ends_at` None: they do not end, or do not say when."""

    access_key: str
    secret_key: str
    token: str | None
    ends_at: datetime | None
    method: str


class _Attempt:
    """One thread that obtains keys; `keys` gives them, None where there are none to be had."""

    def __init__(self, obtain: Callable[[], Keys | None], source: str) -> None:
        self._source = source
        self._began = time.monotonic()
        self._ended: float | None = None
        self._is_owed = False
        self._outcome: Future[Keys | None] = Future()
        self._thread = threading.Thread(target=self._run, args=(obtain,), name="credentials", daemon=True)
        self._thread.start()

    def _run(self, obtain: Callable[[], Keys | None]) -> None:
        end_it = threading.Timer(LIMIT_S, self._end_it)
        end_it.daemon = True
        end_it.start()
        try:
            keys = obtain()
        except Exception as error:  # a boundary: it is raised where the keys are needed
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(keys)
        finally:
            end_it.cancel()
            self._ended = time.monotonic()

    def _end_it(self) -> None:
        log.credentials_late(self._source, LIMIT_S)
        for pid in reversed(list(_descendants(Path(f"/proc/self/task/{self._thread.native_id}")))):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    @property
    def is_over(self) -> bool:
        """Whether another attempt may begin."""
        if self._ended is None:
            # Where a child of what was ended still holds its output, the attempt is left behind.
            return time.monotonic() - self._began > LIMIT_S + WAIT_S
        age_s = time.monotonic() - self._ended
        if self._outcome.exception() is None:
            return not self._is_owed or age_s > _OWED_S
        return self._ended - self._began < _SLOW_S or age_s > _FAILURE_S

    def keys(self) -> Keys | None:
        """Wait for the outcome, but no longer than WAIT_S after the beginning."""
        try:
            keys = self._outcome.result(max(0.0, self._began + WAIT_S - time.monotonic()))
        except TimeoutError as error:
            self._is_owed = True
            late = f"no keys within {WAIT_S:g} s"
            raise CredentialRetrievalError(provider=self._source, error_msg=late) from error
        except (OSError, RuntimeError, ValueError) as error:
            # botocore wraps none of these: a program that is missing, keys that come expired, bad JSON.
            what = type(error).__name__
            raise CredentialRetrievalError(provider=self._source, error_msg=what) from error
        self._is_owed = False
        return keys


_attempts: dict[str, _Attempt] = {}
_lock = threading.Lock()


class BoundedResolver:
    """In the place of botocore's CredentialResolver, of which it makes use; for one session."""

    def __init__(self, make_resolver: Callable[[], Any], source: str) -> None:
        """`make_resolver` gives botocore's own, anew; `source` names the profile."""
        self._make_resolver = make_resolver
        self._source = source

    def load_credentials(self) -> Credentials | None:
        """Return credentials that renew themselves where they end; None where there are none.

        Raise botocore's errors, CredentialRetrievalError where obtaining takes too long.
        """
        keys = self._keys()
        if keys is None:
            return None
        if keys.ends_at is None:
            return Credentials(keys.access_key, keys.secret_key, keys.token, method=keys.method)
        return RefreshableCredentials(
            keys.access_key,
            keys.secret_key,
            keys.token or "",  # those that end have one
            keys.ends_at,
            self._renewed,
            keys.method,
            advisory_timeout=_RENEW_AHEAD_S,
            mandatory_timeout=_GOOD_UNTIL_S,
        )

    def _keys(self) -> Keys | None:
        with _lock:
            attempt = _attempts.get(self._source)
            if attempt is None or attempt.is_over:
                attempt = _attempts[self._source] = _Attempt(self._obtain, self._source)
        return attempt.keys()

    def _renewed(self) -> dict[str, Any]:
        keys = self._keys()
        if keys is None or keys.ends_at is None:
            raise CredentialRetrievalError(provider=self._source, error_msg="no keys that end")
        if keys.ends_at <= datetime.now(UTC):  # botocore would raise what nobody expects of it
            raise CredentialRetrievalError(provider=self._source, error_msg="keys that have ended")
        return {
            "access_key": keys.access_key,
            "secret_key": keys.secret_key,
            "token": keys.token,
            "expiry_time": keys.ends_at.isoformat(),
        }

    def _obtain(self) -> Keys | None:
        credentials = self._make_resolver().load_credentials()
        if credentials is None:
            return None
        frozen = credentials.get_frozen_credentials()
        # The end of temporary credentials is a private matter of botocore's, but there is no other source.
        ends_at = getattr(credentials, "_expiry_time", None)
        return Keys(frozen.access_key, frozen.secret_key, frozen.token, ends_at, credentials.method)


def _descendants(task: Path) -> Iterator[int]:
    """Yield the processes that a thread has started, and those that they have started (proc(5))."""
    with suppress(OSError, ValueError):
        for pid in map(int, (task / "children").read_text().split()):
            yield pid
            for child_task in Path(f"/proc/{pid}/task").iterdir():
                yield from _descendants(child_task)
