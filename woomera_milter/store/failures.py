"""S3's errors in words: what was attempted, whether trying again helps, and what to do.

S3 API reference, "Error responses".
"""

from botocore.exceptions import ClientError

from woomera_milter import aws
from woomera_milter.errors import PermanentError, Reason, TemporaryError, WoomeraError

# Credentials that rotated under us show as any of these; a session built anew reads the new ones.
CREDENTIAL_ERRORS = frozenset(
    {
        "AccessDenied",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoCredentialsError",
        "CredentialRetrievalError",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)
# What S3 answers with 4xx, though the same request may succeed later.
_PASSING_STATUSES = frozenset({408, 429})
_PASSING_CODES = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "SlowDown"})
_RENEWAL = "see why these credentials are not renewed: the instance's role, or storage.profile"
_REMEDIES = {
    "NoSuchBucket": "create the bucket, or correct storage.bucket",
    "PermanentRedirect": "set storage.region to the bucket's region",
    "AuthorizationHeaderMalformed": "set storage.region to the bucket's region",
    "AccessDenied": "grant s3:PutObject on the bucket to these credentials (and the use of the KMS key); "
    "sweep, list and resend need s3:GetObject and s3:ListBucket too",
    "InvalidObjectState": "the object is in Glacier: restore it (s3:RestoreObject), or let it rest",
    "NoSuchKey": "it was deleted, by the lifecycle perhaps",
    "404": "it was deleted, by the lifecycle perhaps",
    "ExpiredToken": _RENEWAL,
    "InvalidToken": _RENEWAL,
    "TokenRefreshRequired": _RENEWAL,
    "CredentialRetrievalError": _RENEWAL,
    "InvalidAccessKeyId": "correct the access key of storage",
    "SignatureDoesNotMatch": "correct the secret key of storage, and check the clock of this host",
    "RequestTimeTooSkewed": "set the clock of this host",
    "NoCredentialsError": "give storage a profile or keys, or the instance a role",
    "ProfileNotFound": "correct storage.profile",
}
_DEFAULT_REMEDY = "see whether S3 and the network are well; it is tried again when the client sends again"


def code_of(error: BaseException | None) -> str:
    """Return S3's code of an error; the name of its class where it is none of S3's."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code", "")
    return type(error).__name__


def explained(error: Exception, attempted: str) -> WoomeraError:
    """Say what went wrong without botocore's own text, which may hold URLs and keys."""
    code = code_of(error)
    answer = error.response if isinstance(error, ClientError) else {}
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # "Throttl": KMS names its own refusals as it likes (ThrottlingException, KMS.ThrottlingException).
    passes = code in _PASSING_CODES or status in _PASSING_STATUSES or "Throttl" in code
    permanent = 300 <= status < 500 and not passes
    kind = (
        PermanentError if permanent or code in {"ProfileNotFound", "NoCredentialsError"} else TemporaryError
    )
    problem = f"{attempted} failed: {aws.in_words(error)}" + (f" ({status})" if status else "")
    return kind(problem, remedy=_REMEDIES.get(code, _DEFAULT_REMEDY), reason=Reason.STORE)
