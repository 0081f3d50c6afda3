"""AWS sessions as the configuration names them: keys, a profile, or the AWS default chain."""

from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
from botocore.credentials import create_credential_resolver
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.utils import parse_timestamp
from pydantic import SecretStr

from woomera_milter.credentials import BoundedResolver

_WORDS = {
    "ConfigParseError": "AWS's own configuration file cannot be read",
    "ConnectTimeoutError": "nobody answers in time",
    "ConnectionClosedError": "the connection broke",
    "CredentialRetrievalError": "what gives the credentials failed",
    "EndpointConnectionError": "nobody answers there",
    "HTTPError": "the connection broke",  # urllib3's, amid a body
    "InvalidConfigError": "AWS's own configuration file contradicts itself",
    "NoCredentialsError": "there are no credentials",
    "NoRegionError": "no region is set",
    "OSError": "a program or file that gives them cannot be used",
    "PartialCredentialsError": "half of the credentials is missing",
    "ProfileNotFound": "there is no such profile",
    "ProxyConnectionError": "the proxy does not answer",
    "ReadTimeoutError": "no answer came in time",
    "ResponseParserError": "the answer is not one of AWS's API",
    "ResponseStreamingError": "the connection broke",
    "RuntimeError": "what gives them gives keys that have ended",
    "SSLError": "TLS cannot be had, since the certificate is not trusted or the connection broke",
    "SSOError": "the single sign-on has ended",
    "ValueError": "what gives them gives nothing that can be read",
}
"""What botocore's errors, by class, mean."""

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
    resolver = BoundedResolver(lambda: create_credential_resolver(core), profile or "the default chain")
    core.register_component("credential_provider", resolver)
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
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        try:
            moment = parse_timestamp(value)
        except ValueError as error:
            raise ResponseParserError("a time in the answer is none") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # as all of AWS's times are


def in_words(error: BaseException) -> str:
    """Say what went wrong: AWS's code for it, or words; never the error's text, which may hold URLs."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "a refusal without a code"))
    if isinstance(error, CredentialRetrievalError) and type(error.__cause__).__name__ != "TimeoutError":
        error = error.__cause__ or error
    names = [it.__name__ for it in type(error).__mro__]
    return next((_WORDS[name] for name in names if name in _WORDS), "the request came to nothing")
