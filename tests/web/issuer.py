"""An OpenID Provider on this machine, for tests: it gives what it is told to, right or wrong."""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "sidedoor", "not for anybody else"
KEYS = {name: RSAKey.generate_key(2048, {"kid": name, "use": "sig"}) for name in ("first", "second", "stranger")}


@dataclass
class Code:
    """What a code gives, and what it was given for."""

    claims: dict[str, Any]
    challenge: str
    redirect_uri: str
    key: str = "first"
    header: dict[str, Any] = field(default_factory=dict)
    raw: str = ""


@dataclass
class Issuer:
    """The provider. published: names of the keys it shows; codes: those that still count."""

    url: str = ""
    published: list[str] = field(default_factory=lambda: ["first"])
    codes: dict[str, Code] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def configuration(self) -> dict[str, Any]:
        usual = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }  # fmt: skip
        return usual | self.metadata

    def exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """RFC 6749 section 4.1.3, RFC 7636 section 4.6; a code counts once."""
        code = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=")
        if code is None or challenge.decode() != code.challenge or form.get("redirect_uri") != code.redirect_uri:
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": code.raw or signed(code)}


def signed(code: Code) -> str:
    """The ID token of a code."""
    return jwt.encode({"alg": "RS256", "kid": code.key} | code.header, code.claims, KEYS[code.key])


@contextmanager
def issuing() -> Iterator[Issuer]:
    """A provider that listens."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            if self.path.endswith("/openid-configuration"):
                self.answer(200, issuer.configuration())
            elif self.path == "/keys":
                self.answer(200, {"keys": [KEYS[name].as_dict(private=False) for name in issuer.published]})
            else:
                self.answer(404, {})

        def do_POST(self) -> None:
            issuer.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*issuer.exchange({name: values[0] for name, values in parse_qs(body).items()}))

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked_for(location: str) -> dict[str, str]:
    """The query of an authorization request."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
