"""Addresses that a token may be sent to. One parser reads an address for the check and for the request. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address

import httpx

from sidedoor.errors import UsageError

_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")  # nothing that another reader may take for the end of it


def origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for what is no address of a service."""
    try:
        found = httpx.URL(url)
        port = found.port or _PORTS.get(found.scheme)
    except (httpx.InvalidURL, ValueError):
        return None
    host = found.host.lower()
    if not _HOST.fullmatch(host) or found.userinfo or port is None:
        return None
    return found.scheme, host, port


def joined(base: str, location: str) -> str:
    """Where a Location header leads; "" where it is no address."""
    try:
        return str(httpx.URL(base).join(location)) if location else ""
    except (httpx.InvalidURL, ValueError):
        return ""


def stays(url: str, base: str, hosts: Collection[str]) -> bool:
    """Whether a link stays with the service: the origin of `base`, or HTTPS to a host that ends as one of `hosts`."""
    there, here = origin(url), origin(base)
    if there is None or here is None:
        return False
    scheme, host, port = there
    return there == here or ((scheme, port) == ("https", 443) and f".{host}".endswith(tuple(hosts) or ("\0",)))


def is_other_port(url: str, base: str) -> bool:
    """Whether both lie on this machine under the same address: a stand-in for a service has its regions there."""
    there, here = origin(url), origin(base)
    return there is not None and here is not None and there[1] == here[1] and is_loopback(there[1])


def is_loopback(host: str) -> bool:
    """This machine; `localhost` is never anything else (RFC 6761 section 6.3)."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def checked_base(text: str) -> str:
    """A base address without a slash at its end. Raises UsageError: a token goes over HTTPS, or to loopback."""
    found = origin(text)
    if found is None or found[0] not in _PORTS or "?" in text or "#" in text or not text.isprintable():
        raise UsageError(f"{text}: not https://HOST[:PORT]")
    if found[0] == "http" and not is_loopback(found[1]):
        raise UsageError(f"{text}: a token goes over HTTPS only, or over HTTP to this machine")
    return text.rstrip("/")


def hosts_of(base: str) -> tuple[str, ...]:
    """Suffixes of hosts that a redirect from an address of the user's own may lead to: those below its name."""
    found = origin(base)
    if found is None or found[0] != "https" or is_loopback(found[1]) or "." not in found[1] or _is_address(found[1]):
        return ()
    return (f".{found[1]}",)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
