"""Access tokens of an application (OAuth 2.0 client credentials), by Microsoft's own library; held in memory alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidedoor.errors import InputError, UsageError

_AUTHORITY = "https://login.microsoftonline.com"


class TokenError(OSError):
    """No token could be had: the way is closed for now. Its text has the error's code and never a secret."""


@dataclass(frozen=True, slots=True)
class Application:
    """tenant: id or domain. scope: `https://.../.default`. authority: of another cloud, None for the public one."""

    tenant: str
    client_id: str
    scope: str
    authority: str | None = None


class TokenSource:
    """`await token()` gives one that is still good; MSAL keeps it until shortly before it ends."""

    def __init__(self, application: Application, secret: str | None, certificate: tuple[Path, Path] | None) -> None:
        """One of `secret` and `certificate` (PEM certificate, PEM key). Raises InputError, UsageError without MSAL."""
        self._application = application
        self._credential: Any = secret if certificate is None else _credential(*certificate)
        self._client: Any = None
        self._lock = asyncio.Lock()
        _msal()

    async def token(self) -> str:
        """Raises TokenError, which a delivery takes for a temporary failure."""
        async with self._lock:
            return await asyncio.to_thread(self._acquire)

    def _acquire(self) -> str:
        application = self._application
        try:
            if self._client is None:
                # MSAL asks the authority for its endpoints here already, hence in the thread.
                self._client = _msal().ConfidentialClientApplication(
                    application.client_id,
                    authority=f"{application.authority or _AUTHORITY}/{application.tenant}",
                    client_credential=self._credential,
                )
            answer = self._client.acquire_token_for_client(scopes=[application.scope])
        except Exception as error:  # noqa: BLE001  # MSAL's are many; their texts may hold what was sent
            raise TokenError(f"no access token ({type(error).__name__})") from None
        token = answer.get("access_token")
        if not token:
            raise TokenError(f"no access token ({answer.get('error', 'no reason given')})")
        return str(token)


def _msal() -> Any:
    try:
        import msal  # type: ignore[import-untyped]
    except ModuleNotFoundError as error:
        raise UsageError("OAuth needs msal: install sidedoor[edge]") from error
    return msal


def _credential(certificate: Path, key: Path) -> dict[str, str]:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1

    try:
        public = certificate.read_bytes()
        # Entra finds the certificate by its SHA-1 thumbprint; nothing is proven by it.
        thumbprint = x509.load_pem_x509_certificate(public).fingerprint(SHA1()).hex()  # noqa: S303
        private = key.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise InputError(str(certificate), "not readable", "a PEM certificate, and its key in PEM") from error
    return {"private_key": private, "thumbprint": thumbprint, "public_certificate": public.decode("ascii")}
