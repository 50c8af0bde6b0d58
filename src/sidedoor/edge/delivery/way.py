"""Which way accepted mail goes on, as an operator writes it down: a TOML file, checked before anything is started.

Passwords and keys stand in files of their own, so that this one can be shown to others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidedoor.edge.delivery.graph import ENDPOINT, GraphTransport
from sidedoor.edge.delivery.oauth import Application, TokenSource
from sidedoor.edge.delivery.smtp import NextHop, SmtpTransport, Tls
from sidedoor.edge.delivery.transport import Transport
from sidedoor.errors import InputError

Token = Callable[[], Awaitable[str]]
_SMTP_SCOPE = "https://outlook.office365.com/.default"  # SMTP.SendAsApp, learn.microsoft.com (SMTP AUTH with OAuth)
_GRAPH_SCOPE = "https://graph.microsoft.com/.default"
_MOST = 64 * 1024
_KEYS = {
    "method": str, "host": str, "port": int, "tls": str, "certificate": str, "key": str, "user": str,
    "password_file": str, "endpoint": str, "oauth": dict,
}  # fmt: skip
_OAUTH_KEYS = {"tenant": str, "client_id": str, "secret_file": str, "certificate": str, "key": str, "authority": str}
_ONLY_GRAPH = frozenset({"method", "endpoint", "oauth"})


@dataclass(frozen=True, slots=True)
class _File:
    """The file while it is read: every complaint names it."""

    path: Path

    def wrong(self, found: str, expected: str) -> InputError:
        return InputError(str(self.path), found, expected)

    def beside(self, name: str) -> Path:
        """A path in the file is relative to the file."""
        return self.path.parent / name

    def secret(self, name: str) -> str:
        """The first line of a file that holds a secret."""
        path = self.beside(name)
        try:
            text = path.read_text(encoding="utf-8")[:_MOST]
        except (OSError, ValueError) as error:
            raise InputError(str(path), "cannot be read", "a file with the secret in its first line") from error
        if not text.strip():
            raise InputError(str(path), "nothing in it", "the secret in its first line")
        return text.splitlines()[0].strip()

    def table(self, given: Mapping[str, Any], keys: Mapping[str, type], where: str) -> Mapping[str, Any]:
        """Refuse what is not known or of the wrong type."""
        for name, value in given.items():
            kind = keys.get(name)
            if kind is None:
                raise self.wrong(f"{where}{name}", f"one of {', '.join(keys)}")
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.wrong(f"{where}{name} = {value!r}", f"a value of type {kind.__name__}")
        return given


def read_way(path: Path, hostname: str) -> Transport:
    """The transport that the file asks for. Raises InputError."""
    file = _File(path)
    try:
        with path.open("rb") as stream:
            given = tomllib.loads(stream.read(_MOST).decode("utf-8"))
    except OSError as error:
        raise file.wrong(error.strerror or "cannot be read", "a TOML file") from error
    except ValueError as error:  # of TOML and of UTF-8 alike
        raise file.wrong(str(error), "a TOML file") from error
    file.table(given, _KEYS, "")
    method = given.get("method")
    if method == "graph":
        return _graph(file, given)
    if method in {"smtp", "lmtp"}:
        return _smtp(file, given, hostname)
    raise file.wrong(f"method = {method!r}", 'method = "smtp", "lmtp" or "graph"')


def next_hop(host: str, port: int, hostname: str) -> Transport:
    """A mail server in the clear or by whatever TLS it offers."""
    return SmtpTransport(NextHop(host, port, name=hostname))


def _graph(file: _File, given: Mapping[str, Any]) -> Transport:
    for name in given:
        if name not in _ONLY_GRAPH:
            raise file.wrong(name, f'with method = "graph" only {", ".join(sorted(_ONLY_GRAPH))}')
    token = _token(file, given, _GRAPH_SCOPE)
    if token is None:
        raise file.wrong("no [oauth]", "the application that may send: tenant, client_id, and secret_file or key")
    endpoint = str(given.get("endpoint", ENDPOINT))
    if not endpoint.startswith("https://"):
        raise file.wrong(f"endpoint = {endpoint!r}", "an https address: the token travels there")
    return GraphTransport(token, endpoint)


def _smtp(file: _File, given: Mapping[str, Any], hostname: str) -> Transport:
    if not given.get("host"):
        raise file.wrong("no host", 'host = "contoso-com.mail.protection.outlook.com", say')
    try:
        tls = Tls(given.get("tls", Tls.OFFERED.value))
    except ValueError as error:
        raise file.wrong(f"tls = {given['tls']!r}", f"one of {', '.join(member.value for member in Tls)}") from error
    certificate, key = given.get("certificate"), given.get("key")
    if (certificate is None) != (key is None):
        raise file.wrong("certificate without key, or key without certificate", "both, PEM")
    token = _token(file, given, _SMTP_SCOPE)
    password = file.secret(given["password_file"]) if "password_file" in given else None
    if (token or password) and not given.get("user"):
        raise file.wrong("a login without user", 'user = "scan@contoso.com", say')
    try:
        return SmtpTransport(
            NextHop(
                host=given["host"],
                port=_port(file, given.get("port", 24 if given["method"] == "lmtp" else 25)),
                tls=tls,
                name=hostname,
                lmtp=given["method"] == "lmtp",
                certificate=file.beside(certificate) if certificate else None,
                key=file.beside(key) if key else None,
                user=given.get("user"),
                password=password,
                token=token,
            )
        )
    except ValueError as error:
        raise file.wrong(f"tls = {tls.value!r} with a login", f'tls = "verified" or "implicit" ({error})') from error
    except OSError as error:  # ssl.SSLError among them
        raise file.wrong(f"certificate {certificate!r}: {error}", "a PEM certificate and its key") from error


def _port(file: _File, port: int) -> int:
    if not 0 < port < 65_536:
        raise file.wrong(f"port = {port}", "1 to 65535")
    return port


def _token(file: _File, given: Mapping[str, Any], scope: str) -> Token | None:
    if "oauth" not in given:
        return None
    oauth = file.table(given["oauth"], _OAUTH_KEYS, "oauth.")
    for name in ("tenant", "client_id"):
        if not oauth.get(name):
            raise file.wrong(f"no oauth.{name}", "the application that may send")
    secret = file.secret(oauth["secret_file"]) if "secret_file" in oauth else None
    certificate = None
    if "certificate" in oauth and "key" in oauth:
        certificate = (file.beside(oauth["certificate"]), file.beside(oauth["key"]))
    if (secret is None) == (certificate is None):
        raise file.wrong("oauth", "either secret_file, or certificate and key")
    application = Application(oauth["tenant"], oauth["client_id"], scope, oauth.get("authority"))
    return TokenSource(application, secret, certificate).token
