"""Links by CloudFront: checked as CloudFront checks them, with the public key."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from woomera_milter import config
from woomera_milter.errors import PermanentError
from woomera_milter.store.links import Signer

KEY = "messages/2026/11/24/ID-0123/2/Übersicht & Plan+#1.pdf"
NOW = datetime.now(UTC)
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def signer(folder: Path, key: bytes, key_pair_id: str = "K2JCJMDEHXQW5F", **links: Any) -> Signer:
    key_file = folder / "key.pem"
    key_file.write_bytes(key)
    cloudfront = {
        "domain": "files.example.com",
        "key_pair_id": key_pair_id,
        "private_key_file": str(key_file),
    }
    section = {"kind": "cloudfront", "expires": "30d", "cloudfront": cloudfront} | links
    storage = {"bucket": "example-large-mail", "prefix": "woomera/"}
    configuration = config.validate({"storage": storage, "links": section}, "config.yaml")
    return Signer(configuration.links, configuration.storage)


def verify(url: str, public_key: rsa.RSAPublicKey, key_pair_id: str = "K2JCJMDEHXQW5F") -> datetime:
    """Do what CloudFront does with a canned policy, and return when the link ends."""
    resource, _, query = url.partition("?")
    fields = {name: value for name, [value] in parse_qs(query).items()}
    assert set(fields) == {"Expires", "Signature", "Key-Pair-Id"}
    assert fields["Key-Pair-Id"] == key_pair_id
    condition = {"DateLessThan": {"AWS:EpochTime": int(fields["Expires"])}}
    policy = {"Statement": [{"Resource": resource, "Condition": condition}]}
    signature = fields["Signature"].translate(str.maketrans("-_~", "+=/"))
    octets = json.dumps(policy, separators=(",", ":")).encode()
    public_key.verify(base64.b64decode(signature), octets, padding.PKCS1v15(), hashes.SHA1())
    return datetime.fromtimestamp(int(fields["Expires"]), UTC)


def test_cloudfront_accepts_the_link_until_the_moment_named(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    one = signer(tmp_path, pem(private_key))

    ends_at = one.ends_at(NOW, NOW + MONTH)
    url = one.sign(KEY, ends_at)

    assert verify(url, private_key.public_key()) == ends_at == (NOW + MONTH).replace(microsecond=0)
    assert len(one.sign("messages/2026/11/24/ID-0123/index.html", ends_at)) < 600


def test_link_leads_to_the_object_on_the_domain_of_ones_own(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    url = urlsplit(signer(tmp_path, pem(private_key)).sign(KEY, NOW + MONTH))

    assert (url.scheme, url.netloc, unquote(url.path)) == ("https", "files.example.com", f"/woomera/{KEY}")
    assert url.path.isascii()
    assert not url.fragment


def test_link_that_somebody_prolonged_is_refused(tmp_path: Path, private_key: rsa.RSAPrivateKey) -> None:
    url = signer(tmp_path, pem(private_key)).sign(KEY, NOW)
    later = url.replace(f"Expires={int(NOW.timestamp())}", f"Expires={int((NOW + MONTH).timestamp())}")

    with pytest.raises(InvalidSignature):
        verify(later, private_key.public_key())


def test_links_of_the_old_key_and_of_the_new_one_work_as_long_as_the_key_group_holds_both(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    keys = {"K1OLDKEYPAIR": private_key, "K2NEWKEYPAIR": rsa.generate_private_key(65537, 2048)}
    links = {name: signer(tmp_path, pem(key), name).sign(KEY, NOW) for name, key in keys.items()}

    for name, link in links.items():
        assert verify(link, keys[name].public_key(), name) == NOW.replace(microsecond=0)


def test_link_lives_longer_than_sigv4_allows_but_never_longer_than_its_object(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    one = signer(tmp_path, pem(private_key), expires="20d")

    assert one.ends_at(NOW, NOW + MONTH) == (NOW + timedelta(days=20)).replace(microsecond=0)
    assert one.ends_at(NOW, NOW + timedelta(days=9)) == (NOW + timedelta(days=9)).replace(microsecond=0)


def test_link_needs_no_aws_credentials(
    tmp_path: Path, private_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    one = signer(tmp_path, pem(private_key))

    assert one.sign(KEY, one.ends_at(NOW, NOW + MONTH))


def test_object_that_is_deleted_too_soon_is_named_with_its_remedy(
    tmp_path: Path, private_key: rsa.RSAPrivateKey
) -> None:
    with pytest.raises(PermanentError, match="let the bucket's lifecycle keep messages longer"):
        signer(tmp_path, pem(private_key), minimum="2d").ends_at(NOW, NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        pytest.param(b"not a key", "is no private key in PEM form", id="no key"),
        pytest.param(
            pem(rsa.generate_private_key(65537, 2048), b"secret"), "without a passphrase", id="locked"
        ),
        pytest.param(pem(rsa.generate_private_key(65537, 1024)), "is no RSA key of 2048 bits", id="short"),
        pytest.param(pem(ec.generate_private_key(ec.SECP256R1())), "is no RSA key of 2048 bits", id="EC"),
    ],
)
def test_key_that_cloudfront_would_not_take_is_refused_at_start(
    key: bytes, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(PermanentError, match=problem) as refusal:
        signer(tmp_path, key)

    assert "private_key_file" in str(refusal.value)
    assert "openssl genrsa 2048" in str(refusal.value)
