"""Promise 1 for mail that sendmail lets grow behind us: what it adds to address fields counts beforehand."""

import pytest

from tests.unit.milter.interceptions import (
    ALLOWANCE_BYTES,
    LIMIT_BYTES,
    LINE,
    Interceptions,
    MakeSession,
    no_progress,
    replaces,
)
from woomera_milter.message.fields import HeaderField
from woomera_milter.message.rewriting import most_added_bytes
from woomera_milter.milter.session import Replacement, Session

OWN_NAMES = ("mail.example.com",)
TO = HeaderField("To", b" " + b",\r\n ".join(b"user%d" % number for number in range(130)))
HEADERS = b"To:" + TO.value + b"\r\n\r\n"
ADDED_BYTES = most_added_bytes([TO], OWN_NAMES)
SMALL_BYTES = (LIMIT_BYTES - ALLOWANCE_BYTES - ADDED_BYTES) // 2


@pytest.fixture
def interceptor() -> Interceptions:
    return Interceptions(replaces)


@pytest.fixture
def session(interceptor: Interceptions, make_session: MakeSession) -> Session:
    """One that has seen the local names, which sendmail qualifies."""
    session = make_session(interceptor)
    session.add_recipient("recipient@example.org", "relay")
    session.add_header("To", TO.value.replace(b"\r\n", b"\n"))
    return session


@pytest.mark.parametrize(("msg_size", "wants_body"), [(SMALL_BYTES, False), (SMALL_BYTES + 1, True)])
def test_msg_size_proves_a_message_small_only_with_what_its_addresses_grow_by(
    msg_size: int, wants_body: bool, session: Session
) -> None:
    assert session.end_headers("4AO9Xk1S012345", msg_size, OWN_NAMES) == wants_body


@pytest.mark.parametrize(("over_bytes", "is_intercepted"), [(0, False), (1, True)])
def test_message_is_intercepted_from_the_first_byte_that_it_grows_over_the_limit(
    over_bytes: int, is_intercepted: bool, session: Session, interceptor: Interceptions
) -> None:
    body_bytes = LIMIT_BYTES - ALLOWANCE_BYTES - ADDED_BYTES - len(HEADERS) + over_bytes
    lines, rest = divmod(body_bytes - len(LINE), len(LINE))
    session.end_headers("4AO9Xk1S012345", None, OWN_NAMES)
    session.add_body(LINE * lines + b"x" * rest + LINE)

    assert isinstance(session.decide(no_progress), Replacement) == is_intercepted

    assert [(it.measured_bytes, it.own_names) for it in interceptor.asked] == [
        (LIMIT_BYTES + 1, OWN_NAMES)
    ] * is_intercepted
