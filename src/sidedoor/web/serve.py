"""Where the server listens, what it asks for that, and how it is run."""

from __future__ import annotations

import gc
import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from sidedoor.errors import UsageError
from sidedoor.web.access.guard import Reach, reach_of
from sidedoor.web.settings import WebSettings, is_loopback

_COLLECT = (200_000, 20, 100)
_GRACE = 3  # seconds for requests under way when the server ends
_MOST_AT_ONCE = 256
_IDLE = 15  # seconds that a connection may wait for its next request


@dataclass(frozen=True, slots=True)
class Listen:
    """host: an address or localhost. proxies: networks whose word about clients is taken. TLS: both files, or none."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Whether this server itself talks TLS."""
        return self.certificate is not None

    @property
    def url(self) -> str:
        """As this machine reaches it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT, with brackets around an IPv6 address. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    name = host.removeprefix("[").removesuffix("]")
    if not colon or not name or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"--listen: {text[:60]!r} is no HOST:PORT")
    if name != "localhost":
        try:
            ipaddress.ip_address(name)
        except ValueError:
            raise UsageError(
                f"--listen: {name[:60]!r} is no address; localhost, or an address of this machine"
            ) from None
    return name, int(port)


def parse_proxies(given: Sequence[str]) -> tuple[str, ...]:
    """Addresses or networks. Raises UsageError: everybody is no proxy."""
    try:
        networks = [ipaddress.ip_network(text, strict=False) for text in given]
    except ValueError as error:
        raise UsageError(f"--behind-proxy: {error}") from error
    if any(network.prefixlen == 0 for network in networks):
        raise UsageError("--behind-proxy: name the proxy's address, not all there are")
    return tuple(map(str, networks))


def reach(listen: Listen, settings: WebSettings) -> Reach:
    """How browsers come. Raises UsageError where the page would lie open."""
    if bool(listen.certificate) is not bool(listen.key):
        raise UsageError("--tls-certificate and --tls-key go together")
    exposed = not is_loopback(listen.host) or bool(listen.proxies)
    if exposed and settings.oidc is None:
        raise UsageError("beyond this machine people sign in with OpenID Connect: [oidc] in web.toml (docs/web.md)")
    if exposed and not listen.tls and not listen.proxies:
        raise UsageError(
            "beyond this machine TLS is needed: --tls-certificate and --tls-key, or --behind-proxy ADDRESS"
        )
    if (exposed or settings.oidc is not None) and not settings.public_url:
        raise UsageError("web.toml: public_url, as browsers reach the page, is needed for signing in")
    if exposed and not settings.public_url.startswith("https://"):
        raise UsageError("web.toml: public_url begins with https://, beyond this machine")
    if exposed and not settings.grants:
        raise UsageError("web.toml: no [[grants]], so nobody could sign in")
    scheme = "https" if listen.tls else "http"
    names = ("127.0.0.1", "localhost", "[::1]")
    return reach_of([f"{scheme}://{name}:{listen.port}" for name in names], settings.public_url)


def serve(app: FastAPI, listen: Listen, started: Callable[[], None]) -> None:
    """Serve until a signal says to end. Raises UsageError where the port cannot be had."""
    config = uvicorn.Config(
        app,
        host=listen.host,
        port=listen.port,
        ssl_certfile=listen.certificate,
        ssl_keyfile=listen.key,
        proxy_headers=bool(listen.proxies),
        forwarded_allow_ips=list(listen.proxies) or None,
        access_log=False,  # it would hold the tokens of links
        server_header=False,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_GRACE,
        limit_concurrency=_MOST_AT_ONCE,
    )
    # An answer over 20,000 senders makes as many small values; to look for cycles among them, of which there are none,
    # takes longer than the answer. They are freed all the same, and what has cycles is found a little later.
    gc.set_threshold(*_COLLECT)
    try:
        _Server(config, app, started).run()
    except SystemExit as error:  # uvicorn's way of saying that it could not bind; its log has the reason
        raise UsageError(f"{listen.host}:{listen.port} cannot be listened at") from error


class _Server(uvicorn.Server):
    """Says when it listens, and ends streams of pages when it is told to end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._told = app, started

    async def startup(self, *args: object, **kwargs: object) -> None:
        """See uvicorn."""
        await super().startup(*args, **kwargs)  # type: ignore[arg-type]
        if self.started:
            self._told()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn."""
        self._app.state.streams.closing = True
        super().handle_exit(sig, frame)
