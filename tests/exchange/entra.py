"""What gives tokens, on loopback, as far as MSAL asks Entra; and a bridge from sockets to a service's function."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import httpx

Answer = Callable[[httpx.Request], httpx.Response]


@contextmanager
def served(answer: Answer, host: str = "127.0.0.1") -> Iterator[str]:
    """A base address at which `answer` answers; where it raises, the connection is cut within the body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            url = f"http://{self.headers['Host']}{self.path}"
            try:
                found = answer(
                    httpx.Request(self.command, url, headers=dict(self.headers), content=self.rfile.read(size))
                )
            except httpx.HTTPError:
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{"value": [')
                self.close_connection = True
                return
            self.send_response(found.status_code)
            for name, value in found.headers.items():
                if name not in {"content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST  # noqa: N815  # http.server's names

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Entra:
    """Tokens TOKEN-1, TOKEN-2 ...; `failures`: answers given first. Remembers the forms that it got."""

    failures: list[httpx.Response] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    pending: int = 1

    def __call__(self, request: httpx.Request) -> httpx.Response:
        base = str(request.url).partition("/contoso.example")[0] + "/contoso.example"
        if request.url.path.endswith("openid-configuration"):
            ends = {"token_endpoint": "token", "authorization_endpoint": "authorize"}
            ends["device_authorization_endpoint"] = "devicecode"
            found = {name: f"{base}/oauth2/v2.0/{end}" for name, end in ends.items()}
            return httpx.Response(200, json={**found, "issuer": f"{base}/v2.0"})
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.forms.append(form)
        if request.url.path.endswith("devicecode"):
            return httpx.Response(200, json=_DEVICE)
        if self.failures:
            return self.failures.pop(0)
        if "device_code" in form.get("grant_type", "") and self.pending:
            self.pending -= 1
            return httpx.Response(400, json={"error": "authorization_pending"})
        return httpx.Response(200, json=self._token(form))

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        self.tokens.append(f"TOKEN-{len(self.tokens) + 1}")
        found: dict[str, Any] = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": 3600}
        if form.get("grant_type") != "client_credentials":
            claims = {
                "aud": form.get("client_id"), "iss": "x", "sub": "s", "oid": "o", "tid": "t",
                "preferred_username": "anna@contoso.example", "iat": int(time.time()), "exp": int(time.time()) + 3600,
            }  # fmt: skip
            found |= {"refresh_token": "REFRESH-SECRET", "id_token": f"{_part({'alg': 'none'})}.{_part(claims)}."}
            found |= {"client_info": _part({"uid": "o", "utid": "t"})}
        return found


_DEVICE = {
    "user_code": "ABCD", "device_code": "DEVICE-SECRET", "verification_uri": "https://login.example/device",
    "expires_in": 60, "interval": 0, "message": "open https://login.example/device and enter ABCD",
}  # fmt: skip


def _part(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
