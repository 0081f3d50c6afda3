"""Keys: where each object of a message lies."""

from datetime import UTC, datetime, timedelta

from woomera_milter.store.keys import message_key, sidecar_key


def test_keys_stand_in_the_folder_of_the_utc_day() -> None:
    received_at = datetime(2026, 11, 24, 1, 30, tzinfo=UTC).astimezone(None) - timedelta(hours=2)

    assert message_key("Q-1", received_at) == "messages/2026/11/23/Q-1/message.eml"
    assert sidecar_key("Q-1", received_at) == "messages/2026/11/23/Q-1/envelope.json"
