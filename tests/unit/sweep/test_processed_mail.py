"""The first Woomera's JSON of processed mail, kept up to date whatever stands in a claim."""

import json

from tests.fakes.bucket import MemoryStore
from woomera_milter.store.documents import Claim, State
from woomera_milter.sweep.processed_mail import ProcessedMail


def test_claim_without_an_account_of_its_mail_is_recorded_all_the_same() -> None:
    store = MemoryStore()
    ledger = ProcessedMail(store, "processed.json")
    ledger.record(Claim("a.eml", "t", "host-1", "2026-11-24T09:00:00Z", 900, State.DONE, accepted=["a@b"]))
    ledger.save()
    mail = {"from": "", "to": ["a@b"], "subject": ""}
    expected = {"a.eml": {"date": "", "emailSent": "24-11-2026", "email": [mail]}}
    assert json.loads(store.objects["processed.json"].octets) == expected
