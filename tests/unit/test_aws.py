"""Times in AWS's replies are read fast, and in whatever form they come."""

from datetime import UTC, datetime

import pytest

from woomera_milter import aws


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-11-24T09:00:00.000Z", id="a listing"),
        pytest.param("2026-11-24T09:00:00Z", id="a token's end"),
        pytest.param("Tue, 24 Nov 2026 09:00:00 GMT", id="an HTTP header"),
        pytest.param(1795510800, id="JSON"),
    ],
)
def test_every_form_of_a_time_means_the_same(value: object) -> None:
    session = aws.session(None, "AKIASTORAGE000000000", None)
    parser = session._session.get_component("response_parser_factory")._defaults["timestamp_parser"]
    assert parser(value) == datetime(2026, 11, 24, 9, tzinfo=UTC)
