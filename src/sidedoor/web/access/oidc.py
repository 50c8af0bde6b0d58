"""Signing in with OpenID Connect: the authorization code flow with PKCE, and an ID token that is believed only whole.

OpenID Connect Core 1.0 section 3.1; RFC 7636 (PKCE); RFC 9207 (who answers); RFC 9700 (best current practice). What a
sign-in rests on is kept here and taken once, so that neither state nor code can be played again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry

from sidedoor.store.sessions import digest_of
from sidedoor.store.store import Store
from sidedoor.web.access.provider import Provider
from sidedoor.web.problems import Problem

PURPOSE = "oidc"
LASTS = timedelta(minutes=10)
_BYTES = 32
_LEEWAY = 60  # seconds that two clocks may differ
# Signatures that only the provider can make: no "none", and no HS256, whose key the client has too.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_MOST_NAME = 200
_MOST_VALUES = 1_000


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it must bring back in a cookie."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, by the provider's word. values: of the claim that grants look at. onward: where to."""

    name: str
    values: tuple[str, ...]
    onward: str


def begin(provider: Provider, store: Store, redirect_uri: str, onward: str, now: datetime) -> Begun:
    """Begin a sign-in. Raises UnreachableError where the provider does not answer."""
    state, browser, nonce, verifier = (secrets.token_urlsafe(_BYTES) for _ in range(4))
    body = {"nonce": nonce, "verifier": verifier, "browser": digest_of(browser), "onward": onward}
    store.put_token(digest_of(state), PURPOSE, now + LASTS, body)
    query = {
        "response_type": "code", "client_id": provider.settings.client_id, "redirect_uri": redirect_uri,
        "scope": " ".join(provider.settings.scopes), "state": state, "nonce": nonce,
        "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    endpoint = provider.metadata()["authorization_endpoint"]
    return Begun(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", browser)


def _challenge(verifier: str) -> str:
    """S256 (RFC 7636 section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def finish(
    provider: Provider, store: Store, redirect_uri: str, answer: Mapping[str, str], *, browser: str, now: datetime
) -> Person:
    """What the provider says of who came back. Raises Problem for anything that does not fit, UnreachableError."""
    state = answer.get("state", "")
    begun = store.take_token(digest_of(state), PURPOSE, now) if 0 < len(state) <= 4 * _BYTES else None
    if begun is None:
        raise Problem(403, "This sign-in was not begun here, or is over. Begin again.")
    body = begun["value"]
    if not hmac.compare_digest(digest_of(browser), str(body["browser"])):
        raise Problem(403, "This sign-in was begun in another browser. Begin again.")
    if answer.get("iss", provider.settings.issuer) != provider.settings.issuer:  # RFC 9207 section 2.4
        raise Problem(403, "Somebody else has answered. Begin again.")
    if "code" not in answer:
        raise Problem(403, "The sign-in was refused where you have your account.")
    tokens = provider.exchange(answer["code"], redirect_uri, str(body["verifier"]))
    claims = _claims(provider, tokens, str(body["nonce"]), now)
    return Person(_name(claims), _values(claims, provider.settings.claim), str(body["onward"]))


def _claims(provider: Provider, tokens: Mapping[str, Any], nonce: str, now: datetime) -> Mapping[str, Any]:
    """The ID token's claims, once everything about it is right (OpenID Connect Core section 3.1.3.7)."""
    settings = provider.settings
    expected = {"iss": settings.issuer, "aud": settings.client_id}
    options = {name: {"essential": True, "value": value} for name, value in expected.items()}
    try:
        token = _decoded(provider, str(tokens["id_token"]))
        claims = CodeIDToken(
            token.claims, token.header, options,
            {"nonce": nonce, "client_id": settings.client_id, "access_token": tokens.get("access_token")},
        )  # fmt: skip
        claims.validate(now=int(now.timestamp()), leeway=_LEEWAY)
    except (JoseError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise Problem(403, "What the sign-in brought back cannot be trusted. Begin again.") from error
    found: Mapping[str, Any] = dict(claims)
    return found


def _decoded(provider: Provider, text: str) -> jwt.Token:
    """The token with a valid signature; new keys are fetched once where none of the known ones made it."""
    offered = provider.metadata().get("id_token_signing_alg_values_supported", ["RS256"])
    allowed = [name for name in _ALGORITHMS if name in offered]
    registry = JWSRegistry(algorithms=allowed, strict_check_header=False)
    try:
        return jwt.decode(text, provider.keys(), registry=registry)
    except (JoseError, ValueError):
        return jwt.decode(text, provider.keys(fresh=True), registry=registry)


def _name(claims: Mapping[str, Any]) -> str:
    """What the trail calls them; grants never look at it, because people may choose it."""
    for claim in ("preferred_username", "email", "upn", "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_MOST_NAME]
    raise Problem(403, "The sign-in does not tell who you are.")


def _values(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = claims.get(name, ())
    values: Sequence[Any] = [found] if isinstance(found, str) else found if isinstance(found, list) else ()
    return tuple(value for value in values[:_MOST_VALUES] if isinstance(value, str))
