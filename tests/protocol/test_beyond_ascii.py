"""Addresses beyond ASCII as an MTA that takes SMTPUTF8 (RFC 6531) hands them over: UTF-8 in MAIL and RCPT."""

import json

import pytest

from rig.jobs import run_argv
from rig.lab import ArchiveMilter, Milter
from rig.mta.packets import Mta, Outcome, body_of, head_of
from tests.protocol.conftest import OVER, StartTarget, Target
from woomera_milter.check.milter_client import ACCEPT

SENDER, RECIPIENT = "用户@例子.公司", "jörg@bücher.example"


def handed_over(mta: Mta, sender: str, recipient: str) -> Outcome:
    mta.say(head_of(OVER, sender=sender, recipient=recipient))
    assert mta.read()
    mta.say(body_of(OVER))
    return mta.outcome()


@pytest.fixture(scope="module")
def target(start_target: StartTarget, tmp_path_factory: pytest.TempPathFactory) -> Target:
    return start_target(Milter, tmp_path_factory.mktemp("beyond-ascii"))


@pytest.mark.parametrize(
    ("sought", "text"),
    [
        ("--sender", "用户@"),
        ("--sender", "xn--fsqu00a.xn--55qx5d"),
        ("--recipient", "JÖRG@BÜCHER.EXAMPLE"),
        ("--recipient", "xn--bcher-kva.example"),
    ],
)
def test_message_is_stored_replaced_and_found(sought: str, text: str, target: Target) -> None:
    with target.connect() as mta:
        target.assert_served(handed_over(mta, SENDER, RECIPIENT))

    found = run_argv(target.milter.command_line("list", "--json", sought, text)).document
    assert {(it["envelope_sender"], *it["recipients"]) for it in found} == {(SENDER, RECIPIENT)}


def test_copy_of_the_archive_has_them(
    start_target: StartTarget, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = start_target(ArchiveMilter, tmp_path_factory.mktemp("beyond-ascii-archive"))

    with target.connect() as mta:
        assert handed_over(mta, SENDER, RECIPIENT).answer == ACCEPT

    [record] = [json.loads(path.read_bytes()) for path in target.spool.glob("*.json")]
    assert (record["envelope_sender"], record["recipients"]) == (SENDER, [RECIPIENT])
