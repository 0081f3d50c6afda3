"""Packets in any order, whole or mangled: the milter lives, and no over-limit message slips through."""

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rig.mta.packets import Mta, body_of, head_of
from tests.protocol.conftest import MARK, OVER, Target
from tests.protocol.test_packets import CONVERSATION
from woomera_milter.check.milter_client import MACROS, Packet

EXAMPLES = 60
STAGES = b"CHMRTNE"
_numbers = itertools.count()

values = st.binary(max_size=9).map(lambda it: it.replace(b"\0", b""))
# An MTA that says a size is believed, at whatever stage it says so: here none is said that is a number.
macros = (
    st.tuples(st.sampled_from(STAGES), st.sampled_from([b"i", b"{msg_size}", b"{rcpt_mailer}"]), values)
    .filter(lambda it: it[1] != b"{msg_size}" or not it[2].isdigit())
    .map(lambda it: (MACROS, bytes([it[0]]) + it[1] + b"\0" + it[2] + b"\0"))
)
honest = st.sampled_from([*CONVERSATION, ("A", b""), ("K", b""), ("U", MARK + b"\0"), ("z", b"")])
# Macros stay in pairs: of a name without a value libmilter itself may die (docs/security.md).
mangled = st.builds(
    lambda packet, data: (packet[0], data),
    honest.filter(lambda it: it[0] != MACROS),
    st.binary(max_size=80) | st.just(MARK * 8000),
)
conversations = st.lists(honest | mangled | macros, max_size=25)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(packets=conversations, negotiates=st.booleans())
def test_whatever_came_before_an_over_limit_message_never_passes_as_it_is(
    packets: list[Packet], negotiates: bool, target: Target
) -> None:
    queue_id = b"4AO9Xk1S%06d" % next(_numbers)

    with Mta(target.port) as mta:
        if negotiates:
            assert mta.negotiate() is not None
        mta.say(packets)
        mta.say([*head_of(OVER, queue_id=queue_id), *body_of(OVER)])
        mta.hang_up()

    assert target.milter.process.running
    log = target.new_log_text()
    assert MARK.decode() not in log
    assert f"{queue_id.decode()}: passed" not in log
    for path in target.spool.iterdir():  # the archive milter's, which keeps what passes
        path.unlink()
