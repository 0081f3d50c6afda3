"""S3's errors in words: what was attempted, whether trying again helps, and what to do.

S3 API reference, "Error responses".
"""

from botocore.exceptions import ClientError

from woomera_milter import aws
from woomera_milter.errors import FrozenError, PermanentError, Reason, TemporaryError, WoomeraError

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
    "AccessDenied": "grant s3:PutObject on the bucket to these credentials (and the use of the KMS key), or "
    "satisfy a policy that asks for encryption, a tag or an ACL (storage.encryption, tags, acl); "
    "sweep, list and resend need s3:GetObject and s3:ListBucket too",
    "SSLError": "name the private authority's certificates in storage.ca_bundle, or correct "
    "storage.endpoint_url",
    "NotImplemented": "leave out what this server does not know: storage.encryption: bucket, "
    "storage.checksum: md5, no storage.tags, no storage.acl",
    "InvalidObjectState": "it is in Glacier: restore it (`aws s3api restore-object`), or let it rest",
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
_ROLES = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_ROLE = (
    "let these credentials take the role of storage.profile: sts:AssumeRole in their policy, and their name "
    "in the role's trust policy"
)
_KMS = (
    "see the KMS key, storage.kms_key_id or the bucket's own: enabled, in the bucket's region, and usable by "
    "these credentials (kms:GenerateDataKey, kms:Decrypt)"
)
_TOO_LARGE = "let proxies before the server, and the server itself, take bodies as large as mail may be"
_REFUSED = (
    "see the bucket's policy, proxies on the way, and what the server takes (storage.checksum: md5 where it "
    "refuses x-amz-checksum-sha256)"
)
_OUT_OF_ORDER = "wait until S3 is well; it is tried again when the client sends again"
_UNREACHABLE = "see storage.endpoint_url and the network; it is tried again when the client sends again"


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
    permanent = (300 <= status < 500 or status == 501) and not passes
    kind: type[WoomeraError] = (
        PermanentError if permanent or code in {"ProfileNotFound", "NoCredentialsError"} else TemporaryError
    )
    words = f"{aws.in_words(error)} ({status})" if status else aws.in_words(error)
    if isinstance(error, ClientError) and error.operation_name in _ROLES:
        return kind(f"{attempted} failed: STS gives no keys: {words}", remedy=_ROLE, reason=Reason.STORE)
    problem = f"{attempted} failed: {words}"
    if code == "InvalidObjectState":
        kind = FrozenError
    return kind(problem, remedy=_remedy(code, status), reason=Reason.STORE)


def _remedy(code: str, status: int) -> str:
    """Return what to do: a 4xx is a refusal, a 5xx an outage, and no status at all the network."""
    if code in _REMEDIES:
        return _REMEDIES[code]
    if code.startswith("KMS."):
        return _KMS
    if status == 413 or code in {"EntityTooLarge", "RequestEntityTooLarge"}:
        return _TOO_LARGE
    if 300 <= status < 500 and status not in _PASSING_STATUSES and code not in _PASSING_CODES:
        return _REFUSED
    return _OUT_OF_ORDER if status else _UNREACHABLE
