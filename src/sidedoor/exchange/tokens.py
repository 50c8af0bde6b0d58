"""Access tokens by Microsoft's own library. They live in memory, are written nowhere and are in no message."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sidedoor.errors import InputError, UnreachableError, UsageError

# The mailbox that app-only requests are routed by; the same in every tenant.
_SYSTEM_MAILBOX = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
_MOST_PEM = 1 << 20
_KNOWN = {
    "AADSTS7000215": "the secret is wrong; the value is wanted, not its id",
    "AADSTS7000222": "the secret has expired",
    "AADSTS700016": "the tenant has no such application",
    "AADSTS700027": "the certificate is not registered for this application",
    "AADSTS90002": "there is no such tenant",
    "AADSTS900023": "there is no such tenant",
    "AADSTS65001": "nobody has consented to what the application asks for",
    "AADSTS7000218": "the application does not allow public client flows, which --device-code is",
}
"""Entra's error codes that people meet here -> what to say."""


class Tokens(Protocol):
    """Gives access tokens."""

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """One that is still good; `fresh`: not the one given before. Raises UnreachableError."""

    def anchor(self) -> str:
        """The X-AnchorMailbox header: whose mailbox the request is routed by."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token from elsewhere, which cannot be renewed."""

    tenant: str
    text: str = field(repr=False)

    def token(self, scope: str, *, fresh: bool = False) -> str:  # noqa: ARG002
        """Always the same."""
        return self.text

    def anchor(self) -> str:
        """As an application's."""
        return f"APP:{_SYSTEM_MAILBOX}@{self.tenant}"


class AppTokens:
    """An application that proves itself with a secret or a certificate (OAuth 2.0 client credentials)."""

    def __init__(
        self, tenant: str, client_id: str, authority: str, credential: object, http_client: Any = None
    ) -> None:
        """`http_client`: what MSAL speaks HTTP with, its own if None. Raises UnreachableError, UsageError."""
        self._tenant = tenant
        self._app = _made("ConfidentialClientApplication", client_id, (authority, tenant), http_client, credential)

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """MSAL keeps a token until shortly before it ends."""
        if fresh:
            self._app.remove_tokens_for_client()
        return _taken(lambda: self._app.acquire_token_for_client(scopes=[scope]))

    def anchor(self) -> str:
        """The system mailbox."""
        return f"APP:{_SYSTEM_MAILBOX}@{self._tenant}"


class DeviceTokens:
    """A person who signs in in a browser; asked once, afterwards MSAL renews by itself."""

    def __init__(
        self, tenant: str, client_id: str, authority: str, say: Callable[[str], None], http_client: Any = None
    ) -> None:
        self._say = say
        self._app = _made("PublicClientApplication", client_id, (authority, tenant), http_client)
        self._user = ""

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """Silently where that is possible. Raises UnreachableError where nobody signs in."""
        accounts = self._app.get_accounts()
        if accounts:
            silent = self._app.acquire_token_silent([scope], accounts[0], force_refresh=fresh)
            if silent and "access_token" in silent:
                return str(silent["access_token"])
        return _taken(lambda: self._sign_in(scope))

    def _sign_in(self, scope: str) -> dict[str, Any]:
        flow = self._app.initiate_device_flow(scopes=[scope])
        if "user_code" not in flow:
            return dict(flow)
        self._say(str(flow.get("message", "")))
        answer = dict(self._app.acquire_token_by_device_flow(flow))
        claims = answer.get("id_token_claims")
        self._user = str(claims.get("preferred_username", "")) if isinstance(claims, dict) else self._user
        return answer

    def anchor(self) -> str:
        """The person who signed in."""
        return f"UPN:{self._user}"


def certificate(path: Path) -> dict[str, str]:
    """MSAL's credential from a PEM file with certificate and key. Raises InputError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        pem = path.read_bytes()[:_MOST_PEM]
        # Entra finds the certificate by its SHA-1 thumbprint; nothing is proven by it.
        thumbprint = x509.load_pem_x509_certificate(pem).fingerprint(SHA1()).hex()  # noqa: S303
        load_pem_private_key(pem, None)
        text = pem.decode("ascii")
    except (OSError, ValueError, TypeError) as error:
        expected = "a PEM file with the certificate and its key, without a passphrase"
        raise InputError(str(path), f"not readable ({type(error).__name__})", expected) from None
    return {"private_key": text, "thumbprint": thumbprint, "public_certificate": text}


def _made(kind: str, client_id: str, place: tuple[str, str], http_client: Any, credential: object = None) -> Any:
    """MSAL asks the authority for its endpoints here already."""
    try:
        import msal  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise UsageError("signing in needs msal: install sidedoor[live]") from error
    more = {} if credential is None else {"client_credential": credential}
    try:
        # instance_discovery asks login.microsoftonline.com whether the authority is genuine; ours come from a table.
        return getattr(msal, kind)(
            client_id, authority="/".join(place), http_client=http_client, instance_discovery=False, **more
        )
    except Exception as error:  # noqa: BLE001  # MSAL's are many; their texts may hold what was sent
        raise UnreachableError(_untold(*place, error)) from None


def _untold(authority: str, tenant: str, error: Exception) -> str:
    if isinstance(error, ValueError):
        return f"{authority} knows no tenant {tenant}, or is not reached"
    return f"{authority} is not reached ({type(error).__name__})"


def _taken(acquire: Callable[[], Any]) -> str:
    try:
        answer = acquire()
    except Exception as error:  # noqa: BLE001  # as above
        raise UnreachableError(f"no access token ({type(error).__name__})") from None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not token:
        raise UnreachableError(f"no access token: {_why(answer)}")
    return str(token)


def _why(answer: Any) -> str:
    """The error's code and what it means. The description is Entra's and holds ids and times, but is long."""
    if not isinstance(answer, dict):
        return "no answer"
    code = re.search(r"AADSTS\d{4,8}", str(answer.get("error_description", "")))
    if code is None:
        return str(answer.get("error", "no reason given"))[:100]
    return f"{code[0]}, {_KNOWN[code[0]]}" if code[0] in _KNOWN else code[0]
