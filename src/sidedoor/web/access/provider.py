"""The OpenID Provider over HTTPS: its metadata, its keys, and the exchange of a code for tokens.

Every answer is bounded in time and size, no redirect is followed, and the provider must be who it was said to be
(OpenID Connect Discovery 1.0 section 4.3).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sidedoor.errors import UnreachableError
from sidedoor.web.problems import Problem
from sidedoor.web.settings import Oidc, is_loopback

_SECONDS = 10.0
_MOST_OCTETS = 1 << 20
_KEEP = 3_600.0  # seconds that metadata and keys are believed
_REST = 60.0  # seconds before keys are fetched again because none of them fits
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """For use by any number of threads. settings: where it is, and who we are there."""

    def __init__(self, settings: Oidc, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings, self._clock = settings, clock
        self._lock = Lock()
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def metadata(self) -> Mapping[str, Any]:
        """What it publishes of itself. Raises UnreachableError."""
        with self._lock:
            if self._metadata is None or self._clock() - self._metadata[0] > _KEEP:
                self._metadata = (self._clock(), self._discover())
            return self._metadata[1]

    def keys(self, *, fresh: bool = False) -> KeySet:
        """The keys it signs with; `fresh`, not older than a minute. Raises UnreachableError."""
        where = self.metadata()["jwks_uri"]
        with self._lock:
            age = None if self._keys is None else self._clock() - self._keys[0]
            if self._keys is None or age is None or age > (_REST if fresh else _KEEP):
                self._keys = (self._clock(), self._fetch_keys(where))
            return self._keys[1]

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> Mapping[str, Any]:
        """Tokens for a code (RFC 6749 section 4.1.3). Raises Problem where it is refused, UnreachableError."""
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier,
        }  # fmt: skip
        found = self.metadata()
        basic = "client_secret_post" not in found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        secret, who = self.settings.client_secret, self.settings.client_id
        if not basic:
            form |= {"client_id": who, "client_secret": secret}
        # RFC 6749 section 2.3.1: both parts are form-encoded before they are put together.
        auth = httpx.BasicAuth(quote(who, safe=""), quote(secret, safe="")) if basic else None
        status, body = self._ask("POST", found["token_endpoint"], data=form, auth=auth)
        if status != 200:
            raise Problem(403, "The sign-in was refused where you have your account.")
        return body

    def _discover(self) -> Mapping[str, Any]:
        issuer = self.settings.issuer
        status, body = self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if status != 200 or body.get("issuer") != issuer:
            raise UnreachableError(f"{issuer}: does not publish an OpenID configuration of its own")
        for name in _ENDPOINTS:
            if not _secure(body.get(name)):
                raise UnreachableError(f"{issuer}: its {name} is no https address")
        return body

    def _fetch_keys(self, where: str) -> KeySet:
        status, body = self._ask("GET", where)
        try:
            return KeySet.import_key_set(body if status == 200 else {})  # type: ignore[arg-type, typeddict-item]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise UnreachableError(f"{where}: holds no keys ({type(error).__name__})") from error

    def _ask(self, method: str, url: str, **more: Any) -> tuple[int, Mapping[str, Any]]:
        """Status and JSON object of an answer. Raises UnreachableError, which repeats nothing of it."""
        try:
            with (
                httpx.Client(timeout=_SECONDS, follow_redirects=False) as client,
                client.stream(method, url, headers={"Accept": "application/json"}, **more) as answer,
            ):
                body = json.loads(_bounded(answer) or b"{}")
        except httpx.HTTPError as error:
            raise UnreachableError(f"{url}: does not answer ({type(error).__name__})") from error
        except (ValueError, RecursionError) as error:
            raise UnreachableError(f"{url}: answers with no JSON") from error
        return answer.status_code, body if isinstance(body, dict) else {}


def _bounded(answer: httpx.Response) -> bytes:
    """The body. Raises ValueError where it is too long."""
    data = b""
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > _MOST_OCTETS:
            raise ValueError("more than 1 MB")
    return data


def _secure(address: object) -> bool:
    parts = urlsplit(address) if isinstance(address, str) else None
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
