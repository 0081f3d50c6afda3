"""AWS sessions as the configuration names them: keys, a profile, or the AWS default chain."""

import boto3
from pydantic import SecretStr


def session(
    profile: str | None, access_key_id: str | None, secret_access_key: SecretStr | None
) -> boto3.Session:
    """Return a new session, which reads its credentials anew (files, environment, instance role).

    Raise botocore.exceptions.ProfileNotFound where there is no such profile.
    """
    return boto3.Session(
        profile_name=profile,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key.get_secret_value() if secret_access_key else None,
    )
