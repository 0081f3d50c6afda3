"""CloudFront's signed URLs: links on a domain of one's own, whose end no session token cuts short.

Amazon CloudFront Developer Guide, "Create a signed URL using a canned policy".
"""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from botocore.signers import CloudFrontSigner as UrlSigner
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from woomera_milter import config
from woomera_milter.errors import PermanentError, Reason

_KEY_BITS = 2048  # the only length of RSA that CloudFront takes


class CloudFrontSigner:
    """Signs URLs of objects. The private key is read once; raise PermanentError where it is none."""

    def __init__(self, settings: config.CloudFront, prefix: str) -> None:
        """`settings` has all of its keys (the configuration is valid); `prefix` is storage's."""
        if not (settings.domain and settings.key_pair_id and settings.private_key_file):
            raise ValueError("links.cloudfront is not set")
        self._base_url = f"https://{settings.domain}/"
        self._prefix = prefix
        self._private_key = _read(settings.private_key_file)
        self._signer = UrlSigner(settings.key_pair_id, self._signature)

    def sign(self, key: str, ends_at: datetime) -> str:
        """Return a link to `key` (below storage.prefix) that works until `ends_at`."""
        url = self._base_url + quote(self._prefix + key, safe="/~")
        return self._signer.generate_presigned_url(url, date_less_than=ends_at.astimezone(UTC))

    def _signature(self, policy: bytes) -> bytes:
        # CloudFront's digest where no Hash-Algorithm is named. A collision in it would gain a sender nothing,
        # who cannot know the id in the URL beforehand.
        return self._private_key.sign(policy, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # nosec B303


def _read(path: Path) -> RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise _error(path, f"cannot be read ({error.strerror})") from error
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise _error(path, "is no private key in PEM form without a passphrase") from error
    if not isinstance(key, RSAPrivateKey) or key.key_size != _KEY_BITS:
        raise _error(path, f"is no RSA key of {_KEY_BITS} bits")
    return key


def _error(path: Path, problem: str) -> PermanentError:
    return PermanentError(
        f"links.cloudfront.private_key_file: {path} {problem}",
        remedy=f"make one with `openssl genrsa {_KEY_BITS}`, and give its public key to CloudFront",
        reason=Reason.LINKS,
    )
