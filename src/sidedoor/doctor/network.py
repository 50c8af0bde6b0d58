"""What can be reached. The only part that asks anybody, and only when it is told to."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from sidedoor.doctor.model import Check, State
from sidedoor.mailauth.resolver import Failure, Kind, Records, Resolver

ASKED = "outlook.com"
_SECONDS = 5.0


def unasked() -> Check:
    """What stands there without `--network`."""
    return Check("dns", State.UNASKED, "DNS was not asked; --network asks for one record")


def dns(resolver: Resolver, domain: str) -> Check:
    """One question, for the MX records of a domain."""
    answer = resolver.lookup(domain, Kind.MX)
    if isinstance(answer, Failure):
        return Check(
            "dns", State.MISSING, f"MX of {domain}: {answer.reason}",
            "without DNS use --offline or --dns; with it, mind the resolver in /etc/resolv.conf",
        )  # fmt: skip
    found = ", ".join(answer.values[:2]) if isinstance(answer, Records) else "no such record"
    return Check("dns", State.OK, f"MX of {domain}: {found}")


def reach(addresses: Iterable[str]) -> Iterator[Check]:
    """Whether somebody takes a connection there. Nothing is said over it."""
    for address in dict.fromkeys(addresses):
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
        try:
            socket.create_connection((host, port), _SECONDS).close()
        except (OSError, UnicodeError) as error:
            yield Check(
                "service", State.MISSING, f"{host}:{port} cannot be reached ({error})",
                "let this machine connect there, or set HTTPS_PROXY",
            )  # fmt: skip
        else:
            yield Check("service", State.OK, f"{host}:{port} takes connections")
