"""web.toml: who may sign in to `sidedoor web`, and how it is reached. Nothing in it is needed on one's own machine."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sidedoor.toml_file import Keys, TomlFile, TomlValueError, domain_name, text, texts, whole
from sidedoor.watch.workspace import from_environment
from sidedoor.web.access.roles import EVERYWHERE, Grant, role_of

NAME = "web.toml"
WHAT = "the settings of `sidedoor web` (docs/web.md)"
_LEAST_TOKEN = 20


@dataclass(frozen=True, slots=True)
class Oidc:
    """Where people sign in. claim: of the ID token, that `grants` look at: `roles` of an Entra ID application."""

    issuer: str
    client_id: str
    client_secret: str
    claim: str = "roles"
    scopes: tuple[str, ...] = ("openid", "profile", "email")


@dataclass(frozen=True, slots=True)
class ClaimGrant:
    """Whoever has `value` in the claim gets these."""

    value: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The whole file. public_url: as browsers reach the page, "" where it is the address that is listened at.

    metrics_token: whoever shows it may read /metrics from elsewhere. idle_minutes, hours: a session is over after so
    long without a request, and after so long altogether.
    """

    public_url: str = ""
    store: str = ""
    oidc: Oidc | None = None
    grants: tuple[ClaimGrant, ...] = ()
    metrics_token: str = ""
    idle_minutes: int = 60
    hours: int = 12

    def granted(self, values: Sequence[str]) -> tuple[Grant, ...]:
        """What the values of a claim give, each once."""
        wanted = frozenset(values)
        return tuple(dict.fromkeys(each for row in self.grants if row.value in wanted for each in row.grants))


def _secret(value: object) -> str:
    """`env:NAME`: what is secret does not stand in a file that is shown to others."""
    name = text(value)
    if not name.startswith("env:"):
        raise TomlValueError("***", "env:NAME, the environment variable that holds it")
    return from_environment(name, WHAT)


def _url(value: object) -> str:
    address = text(value).rstrip("/")
    parts = urlsplit(address)
    loopback = parts.hostname is not None and is_loopback(parts.hostname)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise TomlValueError(value, "a URL: https://HOST")
    if parts.scheme == "http" and not loopback:
        raise TomlValueError(value, "https, unless it is this machine")
    return address


def _issuer(value: object) -> str:
    """As it stands: a slash at its end is part of it (OpenID Connect Core 1.0 section 2, `iss`)."""
    _url(value)
    return text(value)


def _origin(value: object) -> str:
    address = _url(value)
    if urlsplit(address).path:
        raise TomlValueError(value, "a URL without a path")
    return address


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine by definition (RFC 6761 section 6.3)."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _role(value: object) -> Any:
    try:
        return role_of(text(value))
    except ValueError as error:
        raise TomlValueError(value, "reader, operator or admin") from error


def _domains(value: object) -> tuple[str, ...]:
    return tuple(map(domain_name, texts(value)))


def _token(value: object) -> str:
    token = _secret(value)
    if len(token) < _LEAST_TOKEN:
        raise TomlValueError("***", f"at least {_LEAST_TOKEN} characters")
    return token


def _tables(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TomlValueError(value, "tables [[grants]]")
    return value


_TOP: Keys = {"public_url": _origin}
_STORE: Keys = {"url": text}
_OIDC: Keys = {"issuer": _issuer, "client_id": text, "client_secret": _secret, "claim": text, "scopes": texts}
_GRANT: Keys = {"value": text, "role": _role, "tenants": _domains}
_METRICS: Keys = {"token": _token}
_SESSION: Keys = {"idle_minutes": whole(1, 1440), "hours": whole(1, 720)}


def read_web_settings(path: Path) -> WebSettings:
    """Read web.toml. Raises InputError that names the line, UsageError for a secret that is not in the environment."""
    return parse_web_settings(TomlFile.read(path, WHAT))


def parse_web_settings(file: TomlFile) -> WebSettings:
    """The settings of a parsed file. Raises InputError, UsageError."""
    file.only(("public_url", "store", "oidc", "grants", "metrics", "session"))
    top = file.table((), {key: value for key, value in file.body.items() if key in _TOP}, _TOP)
    session = file.part("session", _SESSION)
    return WebSettings(
        public_url=top.get("public_url", ""),
        store=file.part("store", _STORE).get("url", ""),
        oidc=_oidc(file),
        grants=_grants(file),
        metrics_token=file.part("metrics", _METRICS).get("token", ""),
        **session,
    )


def _oidc(file: TomlFile) -> Oidc | None:
    if "oidc" not in file.body:
        return None
    body = file.part("oidc", _OIDC)
    for name in ("issuer", "client_id", "client_secret"):
        if not body.get(name):
            raise file.error(("oidc", name), f"no {name}", "issuer, client_id and client_secret in [oidc]")
    if "openid" not in body.get("scopes", ("openid",)):
        raise file.error(("oidc", "scopes"), "no scope openid", "openid among the scopes")
    return Oidc(**body)


def _grants(file: TomlFile) -> tuple[ClaimGrant, ...]:
    rows = file.table((), {"grants": file.body.get("grants", [])}, {"grants": _tables})["grants"]
    found = []
    for row in rows:
        body = file.table(("grants",), row, _GRANT)
        for name in ("value", "role"):
            if not body.get(name):
                raise file.error(("grants",), f"a grant without {name}", "value and role in each [[grants]]")
        tenants = body.get("tenants", (EVERYWHERE,))
        found.append(ClaimGrant(body["value"], tuple(Grant(body["role"], tenant) for tenant in tenants)))
    return tuple(found)
