"""Access tokens by Microsoft's own library. They live in memory, are written nowhere and are in no message."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from sidedoor.errors import UnreachableError, UsageError
from sidedoor.exchange.links import is_loopback, origin

# The mailbox that app-only requests are routed by; the same in every tenant.
_SYSTEM_MAILBOX = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
_TIMEOUT = 30.0  # seconds; MSAL by itself waits for ever
_KEPT = 600.0  # seconds; far less than any token lasts
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
# OAuth's words for "ask again" (RFC 6749 section 4.1.2.1).
_PASSING = frozenset({"temporarily_unavailable", "server_error"})


class NoTokenError(UnreachableError):
    """There is no token. final: asking again is of no use."""

    def __init__(self, why: str, *, final: bool) -> None:
        super().__init__(f"no access token: {why}")
        self.final = final


class Tokens(Protocol):
    """Gives access tokens."""

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """One that is still good; `fresh`: not the one given before. Raises NoTokenError."""

    def anchor(self) -> str:
        """The X-AnchorMailbox header: whose mailbox the request is routed by. Known once there was a token."""


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

    def __init__(self, tenant: str, client_id: str, authority: str, credential: object) -> None:
        """`authority`: the base address that gives tokens. Raises UsageError; asks nothing yet."""
        self._tenant = tenant
        self._app = _Application("ConfidentialClientApplication", client_id, authority, tenant, credential)

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """MSAL keeps a token until shortly before it ends."""

        def acquire(app: Any) -> Any:
            if fresh:
                app.remove_tokens_for_client()
            return app.acquire_token_for_client(scopes=[scope])

        return self._app.taken(acquire)

    def anchor(self) -> str:
        """The system mailbox."""
        return f"APP:{_SYSTEM_MAILBOX}@{self._tenant}"


class DeviceTokens:
    """A person who signs in in a browser; asked once, afterwards MSAL renews by itself."""

    def __init__(self, tenant: str, client_id: str, authority: str, say: Callable[[str], None]) -> None:
        """Raises UsageError; asks nothing yet."""
        self._tenant, self._say = tenant, say
        self._kept: dict[str, tuple[str, float]] = {}
        self._app = _Application("PublicClientApplication", client_id, authority, tenant)
        self._user = ""

    def token(self, scope: str, *, fresh: bool = False) -> str:
        """Silently where that is possible. Raises NoTokenError where nobody signs in."""
        kept, until = self._kept.get(scope, ("", 0.0))
        if kept and not fresh and time.monotonic() < until:
            return kept
        found = self._app.taken(lambda app: self._silent(app, scope, fresh=fresh) or self._sign_in(app, scope))
        # MSAL finds what it keeps by the scopes that came, which need not be those that were asked for.
        self._kept[scope] = (found, time.monotonic() + _KEPT)
        return found

    def _silent(self, app: Any, scope: str, *, fresh: bool) -> Any:
        accounts = app.get_accounts()
        if not accounts:
            return None
        self._user = self._user or str(accounts[0].get("username") or "")
        found = app.acquire_token_silent_with_error([scope], accounts[0], force_refresh=fresh)
        # A renewal that only failed on the way is no reason to fetch the person again.
        return found if found and ("access_token" in found or found.get("error") in _PASSING) else None

    def _sign_in(self, app: Any, scope: str) -> Any:
        flow = app.initiate_device_flow(scopes=[scope])
        if "user_code" not in flow:
            return flow
        self._say(str(flow.get("message", "")))
        answer = app.acquire_token_by_device_flow(flow)
        claims = answer.get("id_token_claims")
        if isinstance(claims, dict):
            self._user = str(claims.get("preferred_username") or "")
        return answer

    def anchor(self) -> str:
        """The person who signed in."""
        user = self._user or f"{_SYSTEM_MAILBOX}@{self._tenant}"
        return f"UPN:{user}".encode("ascii", "replace").decode()


class _Application:
    """MSAL's application, made when the first token is wanted: already then MSAL asks for the authority's endpoints."""

    def __init__(self, kind: str, client_id: str, authority: str, tenant: str, credential: object = None) -> None:
        try:
            import msal  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            raise UsageError("signing in needs msal: install sidedoor[live]") from error
        self._make, self._client_id, self._app = getattr(msal, kind), client_id, None
        self._authority, self._tenant = authority, tenant
        self._more = {} if credential is None else {"client_credential": credential}

    def taken(self, acquire: Callable[[Any], Any]) -> str:
        """The access token that `acquire` gets. Raises NoTokenError; MSAL's errors, which may quote much, end here."""
        trouble, answer = "", None
        try:
            if self._app is None:
                self._app = self._made()
            answer = acquire(self._app)
        except Exception as error:  # noqa: BLE001  # MSAL's are many
            trouble = type(error).__name__
        if trouble:
            if trouble == "ValueError" and self._app is None:
                raise NoTokenError(f"{self._authority} knows no tenant {self._tenant}", final=True)
            raise NoTokenError(f"{self._authority} is not reached ({trouble})", final=False)
        token = answer.get("access_token") if isinstance(answer, dict) else None
        if not token:
            raise NoTokenError(_why(answer), final=not (isinstance(answer, dict) and answer.get("error") in _PASSING))
        return str(token)

    def _made(self) -> Any:
        # instance_discovery asks login.microsoftonline.com whether the authority is genuine; ours come from a table
        # or from the user.
        address, client = _loopback(self._authority)
        return self._make(
            self._client_id, authority=f"{address}/{self._tenant}", http_client=client, timeout=_TIMEOUT,
            instance_discovery=False, **self._more,
        )  # fmt: skip


def _loopback(authority: str) -> tuple[str, Any]:
    """The authority as MSAL takes it, which is HTTPS only, and what speaks HTTP with a stand-in on this machine."""
    found = origin(authority)
    if found is None or found[0] != "http" or not is_loopback(found[1]):
        return authority, None
    session: Any = import_module("requests").Session()  # what MSAL itself uses
    plain, shown, ask = authority, "https" + authority.removeprefix("http"), session.request

    def request(method: str, url: str, **given: Any) -> Any:
        answer = ask(method, url.replace(shown, plain, 1), **{**given, "timeout": _TIMEOUT})
        answer._content = answer.content.replace(plain.encode(), shown.encode())  # noqa: SLF001
        return answer

    session.request = request
    session.trust_env = False  # no proxy lies between this machine and itself
    return shown, session


def _why(answer: Any) -> str:
    """The error's code and what it means. The description is Entra's and holds ids and times, but is long."""
    if not isinstance(answer, dict):
        return "no answer"
    code = re.search(r"AADSTS\d{4,8}", str(answer.get("error_description", "")))
    if code is None:
        return str(answer.get("error", "no reason given"))[:100]
    return f"{code[0]}, {_KNOWN[code[0]]}" if code[0] in _KNOWN else code[0]
