"""The first Woomera's JSON of processed mail, for those who come from there.

    {"KEY": {"date": "<the mail's Date>", "emailSent": "24-11-2026",
             "email": [{"from": "...", "to": ["...", "..."], "subject": "..."}]}}

The claims are what decides; this file is kept beside them, and whatever it names is never sent again.
"""

import contextlib
import threading
import time
from datetime import datetime
from typing import Any

from woomera_milter.errors import PermanentError, Reason, TemporaryError, WoomeraError
from woomera_milter.store.documents import Claim
from woomera_milter.store.objects import Store

_SAVE_EVERY_S = 10
_SAVE_TRIES = 8


class ProcessedMail:
    """The JSON of processed mail under one key (from the bucket's root). Safe to use from many threads.

    What is killed before it is saved is added from the claims by the next sweep.
    """

    def __init__(self, bucket: Store, key: str) -> None:
        """Read it. Raise PermanentError where it is not what it should be."""
        self._bucket = bucket
        self._key = key
        self._lock = threading.Lock()
        self._known, self._etag = self._load()
        self._new: dict[str, Any] = {}
        self._saved_at = time.monotonic()

    def __contains__(self, key: str) -> bool:
        return key in self._known or key in self._new

    @property
    def count(self) -> int:
        """How many objects it names."""
        return len(self._known | self._new)

    def record(self, claim: Claim) -> None:
        """Add what a claim says is done; save every few seconds, or leave that to `save` where it fails."""
        with self._lock:
            self._new[claim.key] = _entry(claim)
            if time.monotonic() - self._saved_at > _SAVE_EVERY_S:
                self._saved_at = time.monotonic()
                with contextlib.suppress(WoomeraError):
                    self._save()

    def save(self) -> None:
        """Save what is new. Raise TemporaryError where others write it all the time, and Store's errors."""
        with self._lock:
            self._save()

    def _save(self) -> None:
        if not self._new:
            return
        for _ in range(_SAVE_TRIES):
            merged = self._known | self._new
            if self._etag is None:
                etag = self._bucket.create_json(self._key, merged)
            else:
                etag = self._bucket.replace_json(self._key, merged, self._etag)
            if etag:
                self._known, self._etag, self._new = merged, etag, {}
                self._saved_at = time.monotonic()
                return
            self._known, self._etag = self._load()  # another sweep was faster: add to its version
        raise TemporaryError(
            f"{self._bucket.name_of(self._key)} could not be brought up to date",
            remedy="others write it at the same time; the next sweep adds what is missing",
            reason=Reason.STORE,
        )

    def _load(self) -> tuple[dict[str, Any], str | None]:
        found = self._bucket.get_json(self._key)
        if found is None:
            return {}, None
        if not isinstance(found.value, dict | None):
            raise PermanentError(
                f"{self._bucket.name_of(self._key)} is not a JSON object of processed mail",
                remedy="correct --processedEmails, or mend the file",
                reason=Reason.CONFIG,
            )
        return found.value or {}, found.etag


def _entry(claim: Claim) -> dict[str, Any]:
    sent_at = datetime.fromisoformat(claim.done_at or claim.claimed_at)
    told = {"from": "", "subject": "", "date": ""} | claim.mail
    mail = {"from": told["from"], "to": claim.accepted, "subject": told["subject"]}
    return {"date": told["date"], "emailSent": f"{sent_at:%d-%m-%Y}", "email": [mail]}
