"""AWS sessions as the configuration names them: keys, a profile, or the AWS default chain."""

from datetime import datetime
from typing import Any

import boto3
import botocore.session
from botocore.loaders import create_loader
from botocore.utils import parse_timestamp
from pydantic import SecretStr

_MODELS = create_loader()
"""What botocore knows of the services, for all sessions: 12 MB and a fifth of a second for S3 alone."""


def session(
    profile: str | None, access_key_id: str | None, secret_access_key: SecretStr | None
) -> boto3.Session:
    """Return a new session, which reads its credentials anew (files, environment, instance role).

    Raise botocore.exceptions.ProfileNotFound where there is no such profile.
    """
    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    made = boto3.Session(
        botocore_session=core,
        profile_name=profile,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key.get_secret_value() if secret_access_key else None,
    )
    # Not before: boto3 adds a folder to the loader that it finds, once more for each session.
    core.register_component("data_loader", _MODELS)
    return made


def _timestamp(value: Any) -> datetime:
    """Read a time in a reply; ISO 8601, that of listings, at a fifth of what dateutil takes for a page."""
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return parse_timestamp(value)
