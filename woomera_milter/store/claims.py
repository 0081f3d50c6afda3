"""Exactly-once work: a claim on each archived message, an object of its own that one sweep at a time holds.
And a claim on each period's report, likewise.

    claimed -> handing-over -> done | failed        (dead or failed: taken over, claimed anew)

Every step is a conditional write (S3 User Guide, "Conditional writes"), so of any number of sweeps on any
number of hosts one wins, and one that was overtaken finds out before it hands anything over. How old a
claim is, the server's clock tells, so that hosts need not agree on the time.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from woomera_milter.clock import rfc3339
from woomera_milter.errors import PermanentError, Reason, TemporaryError
from woomera_milter.store.answers import odd
from woomera_milter.store.documents import Claim, State, validated, written
from woomera_milter.store.keys import claim_key, conditional_writes_key
from woomera_milter.store.objects import Document, Store


class IgnoredConditionsError(PermanentError):
    """The server ignores the conditions of a write, so nobody can claim anything."""


class LostClaimError(TemporaryError):
    """Another run has taken the claim over, since our lease had ended: the work is its own now."""


class Claims:
    """The claims in the bucket. Safe to use from many threads at once; raises the errors of Store."""

    def __init__(
        self,
        store: Store,
        host: str,
        lease: timedelta,
        *,
        single_host: bool = False,
        key_of: Callable[[str], str] | None = None,
    ) -> None:
        """`single_host`: the server cannot do conditional writes, and nobody does the same work meanwhile.

        `key_of` gives the key of the claim on what is called so (None: claim_key, for archived objects).
        """
        self._key_of = key_of or claim_key
        self._store = store
        self._host = host
        self._lease_s = lease.total_seconds()
        self._single_host = single_host

    def check_server(self) -> None:
        """Raise IgnoredConditionsError where the server ignores the conditions of a write."""
        if self._single_host:
            return
        probe = {"about": "written twice to see whether this server honours conditional writes"}
        nonces = [probe | {"nonce": secrets.token_hex(8)} for _ in range(2)]
        probe_key = conditional_writes_key(self._key_of(""))
        created = [self._store.create_json(probe_key, nonce) for nonce in nonces]
        replaced = self._store.replace_json(probe_key, nonces[0] | {"replaced": True}, f'"{"0" * 32}"')
        if created[1] or replaced:
            raise IgnoredConditionsError(
                "this S3 server ignores conditional writes (If-None-Match, If-Match), so two runs at once "
                "would send each mail twice",
                remedy="see that only one runs at a time, and give it --single-host",
                reason=Reason.CLAIM,
            )

    def for_single_host(self) -> "Claims":
        """Return the same claims, for a server that ignores conditions and work that may be done twice."""
        alone = copy(self)
        alone._single_host = True
        return alone

    def find(self, work: str) -> Claim | None:
        """Return the claim on an archived object, or a message, as it stands, None where there is none."""
        found = self._store.get_json(self._key_of(work))
        return self._read(work, found) if found else None

    def take(self, key: str, work: str = "") -> Claim | None:
        """Claim an archived object; None where it is done with, or in the hands of a sweep that lives.

        `work` names what is to be done once, where other objects mean the same; else it is the object's key.
        """
        work = work or key
        mine = self._new(key, work)
        if self._single_host:
            before = self.find(work)
            return None if before and before.state is State.DONE else self._write(_successor(mine, before))
        if etag := self._store.create_json(self._key_of(work), written(mine)):
            return replace(mine, etag=etag)
        found = self._store.get_json(self._key_of(work))
        if found is None:
            return None  # just deleted: the next sweep sees it anew
        before = self._read(work, found)
        if before.state is State.DONE or (before.state is not State.FAILED and _is_alive(before, found)):
            return None
        try:
            return self._write(_successor(mine, before))
        except LostClaimError:
            return None

    def hand_over(self, claim: Claim, accepted: Sequence[str] = ()) -> Claim:
        """Record that the notice is about to be handed over to all but `accepted`; begin the lease anew.

        Raise LostClaimError if it must not be.
        """
        # A new token makes another ETag: whoever saw the old one, and its lease at an end, cannot take over.
        token = secrets.token_hex(16)
        accepted = _joined(claim.accepted, accepted)
        return self._write(replace(claim, state=State.HANDING_OVER, token=token, accepted=accepted))

    def finish(self, claim: Claim, accepted: list[str], mail: Mapping[str, Any]) -> Claim:
        """Record that all recipients are served who ever can be."""
        accepted = _joined(claim.accepted, accepted)
        done = replace(claim, state=State.DONE, accepted=accepted, mail=dict(mail), done_at=_now())
        return self._write(replace(done, may_repeat=False, reason=""))

    def repeat(self, done: Claim, key: str) -> None:
        """Say by the key of a copy that its message is done with, so that no sweep has to read it again."""
        if done.work != key:
            self._store.create_json(self._key_of(key), written(replace(done, key=key, is_repeated=True)))

    def fail(
        self,
        claim: Claim,
        accepted: list[str],
        reason: str,
        *,
        unsure: bool = False,
        given_up_of: datetime | None = None,
    ) -> Claim:
        """Record why it failed, and who is served all the same; the next sweep tries the rest.

        `unsure`: some of the rest may be served too, since the relay never said. `given_up_of`: when the
        copy was written that nothing can be made of.
        """
        failed = replace(
            claim,
            state=State.FAILED,
            accepted=_joined(claim.accepted, accepted),
            reason=reason,
            given_up_of=rfc3339(given_up_of) if given_up_of else "",
            first_failed_at=claim.first_failed_at or _now(),
            # A hand-over whose end is known settles the question.
            may_repeat=unsure or (claim.may_repeat and claim.state is State.CLAIMED),
        )
        return self._write(failed)

    def _new(self, key: str, work: str) -> Claim:
        return Claim(key, secrets.token_hex(16), self._host, _now(), self._lease_s, work=work)

    def _read(self, work: str, found: Document) -> Claim:
        claim = validated(Claim, found.value, self._store.name_of(self._key_of(work)))
        return replace(claim, etag=found.etag, work=work)

    def _write(self, claim: Claim) -> Claim:
        document = written(claim)
        if self._single_host:
            self._store.put_json(self._key_of(claim.work), document)
            return claim
        etag = self._store.replace_json(self._key_of(claim.work), document, claim.etag)
        if etag is None:
            raise LostClaimError(
                f"the claim on {claim.key} was taken over by another run",
                remedy="a longer sweep.lease gives slow work more time",
                reason=Reason.CLAIM,
            )
        return replace(claim, etag=etag)


def _successor(mine: Claim, before: Claim | None) -> Claim:
    """Return the new claim with what has to outlive the one before."""
    if before is None:
        return mine
    return replace(
        mine,
        may_repeat=before.may_repeat or before.state is State.HANDING_OVER,
        accepted=before.accepted,
        first_failed_at=before.first_failed_at,
        etag=before.etag,
    )


def _is_alive(claim: Claim, found: Document) -> bool:
    if found.age is None:
        what = "the server's answer lacks Date or Last-Modified"
        raise odd(f"telling the age of the claim on {claim.key}", what)
    return found.age < timedelta(seconds=claim.lease_s)


def _joined(before: Sequence[str], now: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*before, *now]))


def _now() -> str:
    return rfc3339(datetime.now(UTC))
