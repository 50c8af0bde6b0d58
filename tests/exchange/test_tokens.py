"""Signing in: certificates in all their files, secrets, persons; and that nothing of it shows."""

from __future__ import annotations

import traceback
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from sidedoor.errors import InputError
from sidedoor.exchange.credentials import certificate
from sidedoor.exchange.tokens import AppTokens, DeviceTokens, FixedToken, NoTokenError
from tests.exchange.entra import Entra, served

PASSPHRASE = "correct horse"
SCOPE = "https://outlook.office365.com/.default"


def made(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, end)
    return builder.sign(key, SHA256())


KEY, OTHER = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
OURS, ISSUER = made(KEY, "app"), made(OTHER, "issuer")
EC = ec.generate_private_key(ec.SECP256R1())


def pem(
    *things: x509.Certificate | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, under: str = "", old: bool = False
) -> bytes:
    """A PEM file; keys PKCS #8, or as OpenSSL once wrote them, under a passphrase or none."""
    shape = form.PrivateFormat.TraditionalOpenSSL if old else form.PrivateFormat.PKCS8
    lock = form.BestAvailableEncryption(under.encode()) if under else form.NoEncryption()
    return b"".join(
        thing.public_bytes(form.Encoding.PEM)
        if isinstance(thing, x509.Certificate)
        else thing.private_bytes(form.Encoding.PEM, shape, lock)
        for thing in things
    )


def pfx(under: str) -> bytes:
    lock = form.BestAvailableEncryption(under.encode()) if under else form.NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"app", KEY, OURS, [ISSUER], lock)


GOOD: dict[str, tuple[bytes, str | None]] = {
    "certificate first": (pem(OURS, KEY), None),
    "key first": (pem(KEY, OURS), None),
    "with its issuer before it": (pem(ISSUER, OURS, KEY), None),
    "words between, Windows line ends": (
        (b"Bag Attributes\n  x\n" + pem(OURS) + b"Bag\n" + pem(KEY)).replace(b"\n", b"\r\n"), None,
    ),
    "under a passphrase": (pem(OURS, KEY, under=PASSPHRASE), PASSPHRASE),
    "under a passphrase, as of old": (pem(KEY, OURS, under=PASSPHRASE, old=True), PASSPHRASE),
    "a passphrase that is not needed": (pem(OURS, KEY), PASSPHRASE),
    "PKCS #12": (pfx(PASSPHRASE), PASSPHRASE),
    "PKCS #12 without a passphrase": (pfx(""), None),
}  # fmt: skip
BAD: dict[str, tuple[bytes, str | None, str]] = {
    "nothing": (b"", None, "no key and certificate"),
    "no key": (pem(OURS), None, "no key and certificate"),
    "no certificate": (pem(KEY), None, "no key and certificate|none of them"),
    "another's certificate": (pem(ISSUER, KEY), None, "none of them the key's"),
    "not RSA": (pem(made(EC, "x"), EC), None, "no RSA key"),
    "no passphrase": (pem(OURS, KEY, under=PASSPHRASE), None, "--certificate-passphrase-env"),
    "the wrong passphrase": (pem(OURS, KEY, under=PASSPHRASE), "wrong horse", "with this passphrase"),
    "PKCS #12, the wrong passphrase": (pfx(PASSPHRASE), "wrong horse", "with this passphrase"),
    "garbage": (b"-----BEGIN PRIVATE KEY-----\nS3CRET\n-----END PRIVATE KEY-----\n", None, "no key and certificate"),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_certificate_s_file(tmp_path: Path, name: str) -> None:
    data, passphrase = GOOD[name]
    (tmp_path / "app").write_bytes(data)
    found = certificate(tmp_path / "app", passphrase)
    assert found["thumbprint"] == OURS.fingerprint(SHA1()).hex()  # what Entra wants
    assert form.load_pem_private_key(found["private_key"].encode(), None).private_numbers() == KEY.private_numbers()  # type: ignore[union-attr]
    assert "PRIVATE" not in found["public_certificate"]


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_none(tmp_path: Path, name: str) -> None:
    data, passphrase, told = BAD[name]
    (tmp_path / "app").write_bytes(data)
    with pytest.raises(InputError, match=told) as caught:
        certificate(tmp_path / "app", passphrase)
    shown = "".join(traceback.format_exception(caught.value))
    assert not any(secret in shown for secret in ("S3CRET", "PRIVATE KEY-----", "correct horse\n", "wrong horse"))
    with pytest.raises(InputError):
        certificate(tmp_path / "none", None)


def test_an_application_proves_itself_by_certificate_and_gets_another_token_when_one_has_ended(tmp_path: Path) -> None:
    (tmp_path / "app").write_bytes(pem(OURS, KEY))
    entra = Entra()
    with served(entra) as base:
        tokens = AppTokens("contoso.example", "id", base, certificate(tmp_path / "app"))
        assert [tokens.token(SCOPE), tokens.token(SCOPE), tokens.token(SCOPE, fresh=True)] == [
            "TOKEN-1", "TOKEN-1", "TOKEN-2",
        ]  # fmt: skip
    assert all(sent["scope"] == SCOPE and sent["client_assertion"].count(".") == 2 for sent in entra.forms)
    assert tokens.anchor().endswith("@contoso.example")


def test_a_person_signs_in_once_and_is_whom_requests_are_routed_by() -> None:
    said: list[str] = []
    entra = Entra()
    with served(entra) as base:
        tokens = DeviceTokens("contoso.example", "id", base, said.append)
        first = tokens.token(SCOPE)
        assert tokens.token(SCOPE) == first
        assert tokens.token(SCOPE, fresh=True) != first
        tokens.token("https://graph.microsoft.com/.default")
    assert said == ["open https://login.example/device and enter ABCD"]
    assert tokens.anchor() == "UPN:anna@contoso.example"


def refused(error: str, description: str) -> httpx.Response:
    return httpx.Response(400, json={"error": error, "error_description": description})


@pytest.mark.parametrize(
    ("answer", "final", "told"),
    [
        (
            refused("invalid_client", "AADSTS7000215: Invalid client secret provided: S3CRET"),
            True,
            "the secret is wrong",
        ),
        (refused("unauthorized_client", "AADSTS700016: no such"), True, "no such application"),
        (refused("invalid_grant", "AADSTS99999: whatever S3CRET"), True, "AADSTS99999"),
        (refused("temporarily_unavailable", "busy"), False, "temporarily_unavailable"),
        (httpx.Response(200, content=b"\0" * 9), False, "not reached"),
        (httpx.Response(500, content=b"oops S3CRET"), False, "no access token"),
    ],
)
def test_why_there_is_no_token(answer: httpx.Response, final: bool, told: str) -> None:
    with served(Entra([answer] * 9)) as base:
        tokens = AppTokens("contoso.example", "id", base, "S3CRET")
        with pytest.raises(NoTokenError, match=told) as caught:
            tokens.token(SCOPE)
    assert caught.value.final is final
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


def test_an_authority_that_is_not_there_or_knows_no_tenant() -> None:
    with pytest.raises(NoTokenError, match="not reached") as caught:
        AppTokens("contoso.example", "id", "http://127.0.0.1:1", "S3CRET").token(SCOPE)
    assert caught.value.final is False
    stranger = served(lambda _: httpx.Response(400, json={"error": "invalid_tenant"}))
    with stranger as base, pytest.raises(NoTokenError, match="knows no tenant") as caught:
        AppTokens("contoso.example", "id", base, "S3CRET").token(SCOPE)
    assert caught.value.final is True


def test_no_value_shows_its_secret() -> None:
    assert "S3CRET" not in repr(FixedToken("contoso.example", "S3CRET"))
    assert "S3CRET" not in repr(AppTokens("contoso.example", "id", "https://login.example", "S3CRET"))
