"""Signers of links for tests, and what their links say."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from woomera_milter import config
from woomera_milter.store.links import Signer

KEY = "messages/2026/11/24/4AO9Xk1S012345-0123456789abcdef/message.eml"
STORAGE_KEYS = {"access_key_id": "AKIASTORAGE000000000", "secret_access_key": "s" * 40}
SIGNER_KEYS = {"access_key_id": "AKIASIGNER0000000000", "secret_access_key": "l" * 40}
MONTH = timedelta(days=30)


def signer(storage: dict[str, Any] | None = None, **links: Any) -> Signer:
    """A signer for that configuration; an IAM user's keys, where `storage` is not given."""
    section = {"bucket": "example-large-mail", "region": "us-east-1"}
    section |= STORAGE_KEYS if storage is None else storage
    configuration = config.validate({"storage": section, "links": links}, "config.yaml")
    return Signer(configuration.links, configuration.storage)


def link_of(signer: Signer) -> str:
    now = datetime.now(UTC)
    return signer.sign(KEY, signer.ends_at(now, now + MONTH))


def query(link: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(link).query).items()}


def end_of(link: str) -> datetime:
    """When S3 stops honouring the link (S3 API reference, "Authenticating requests: query parameters")."""
    fields = query(link)
    signed_at = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed_at + timedelta(seconds=int(fields["X-Amz-Expires"]))


def write_keys(folder: Path, profile: str, keys: dict[str, str]) -> None:
    with (folder / "credentials").open("a") as file:
        file.write(
            f"[{profile}]\naws_access_key_id = {keys['access_key_id']}\n"
            f"aws_secret_access_key = {keys['secret_access_key']}\n"
        )
