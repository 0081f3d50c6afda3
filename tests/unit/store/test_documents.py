"""JSON of others is what it should be, or is told by name: one of our errors, never a traceback."""

import pytest
from pydantic import BaseModel

from woomera_milter.clock import Moment, moment
from woomera_milter.errors import DamagedError, Reason
from woomera_milter.store.documents import parsed, validated


@pytest.mark.parametrize(
    "octets",
    [b"{", b"\xff", b"[" * 100_000, b"NaN", b"-Infinity", b'["\\ud800"]', b'{"\\udfff": 1}', b"9" * 5000],
    ids=["half", "no UTF-8", "deep", "no number", "no end", "half a character", "half in a key", "digits"],
)
def test_what_cannot_be_read_or_written_again_is_no_json(octets: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        parsed(octets)


def test_json_with_escaped_characters_is_read() -> None:
    assert parsed(b'{"a": "\\ud83d\\ude00 \\u00fc"}') == {"a": "\U0001f600 \u00fc"}
    assert parsed(b" \n") is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-11-24", "2026-11-24T09:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)
def test_moment_without_a_zone_or_beyond_reckoning_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of whatever kind
        moment(text)


class Thing(BaseModel):
    at: Moment
    names: list[str]


@pytest.mark.parametrize(
    ("value", "places"),
    [
        (None, "all of it"),
        ([], "all of it"),
        ({"at": "2026-11-24T09:00:00Z"}, "names"),
        ({"at": "2026-11-24T09:00:00", "names": ["a", 1]}, "at, names.1"),
    ],
)
def test_document_of_another_shape_is_named_with_what_is_wrong_and_nothing_of_it(
    value: object, places: str
) -> None:
    with pytest.raises(DamagedError) as caught:
        validated(Thing, value, "s3://bucket/thing.json")
    assert caught.value.problem == f"reading s3://bucket/thing.json: {places} is not what it should be"
    assert caught.value.reason is Reason.DAMAGED
