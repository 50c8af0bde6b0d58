"""What a sender is called, its stable id, and the networks it was really seen in."""

from __future__ import annotations

import hashlib
import ipaddress
import unicodedata
from collections.abc import Iterable, Sequence

from sidedoor.audit.features import Features
from sidedoor.audit.hostname import HostKind, host_kind, service_suffix, specific_host
from sidedoor.audit.identify import proved
from sidedoor.audit.model import Verdict
from sidedoor.audit.patterns import commonest
from sidedoor.mail.network import IPAddress

_LONGEST = 80
# Cc control, Cf format (bidirectional overrides among them), Cs surrogates, Zl and Zp line and paragraph breaks.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ID_DIGITS = 10
_FEW = 3
_NEAR = {4: 24, 6: 64}


def printable(text: str) -> str:
    """`text` with what could rearrange or hide a line replaced by U+FFFD, and cut to 80 characters."""
    if not text.isascii() or not text.isprintable():
        text = "".join("\ufffd" if unicodedata.category(sign) in _UNPRINTABLE else sign for sign in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def networks(addresses: Sequence[IPAddress]) -> tuple[str, ...]:
    """The fewest networks that hold these addresses and no other, IPv4 first."""
    if len(addresses) == 1:
        return (f"{addresses[0]}/{addresses[0].max_prefixlen}",)
    four = [ipaddress.IPv4Network(address) for address in addresses if isinstance(address, ipaddress.IPv4Address)]
    six = [ipaddress.IPv6Network(address) for address in addresses if isinstance(address, ipaddress.IPv6Address)]
    return (*map(str, ipaddress.collapse_addresses(four)), *map(str, ipaddress.collapse_addresses(six)))


def name(features: Features, verdict: Verdict) -> str:
    """A name in plain words. What a spoofer calls itself is reported, never adopted."""
    place = _place(features)
    entry = proved(features)
    if entry is not None and verdict is not Verdict.SPOOFING:
        host = _service_host(features) or features.service or place
        return printable(f"{entry.name} ({host})")
    if features.service:
        host = _service_host(features)
        return printable(f"{host} (listed by {features.service})" if host else f"service listed by {features.service}")
    if verdict is Verdict.SPOOFING:
        return f"{printable(f'unknown host {place}')} {printable(f'posing as {_claim(features)}')}"
    host = commonest(features.hosts)
    if host_kind(host).specific:
        own = host_kind(host) is HostKind.DEVICE or bool(features.own_host)
        shown = host if own or len(features.addresses) <= 1 else service_suffix(specific_host(host)) or host
        return printable(f"{shown} ({place})")
    if features.distinct_claims and len(features.claims) <= _FEW:
        return printable(f"{commonest(features.claims)} from {place}")
    return printable(f"unknown host {place}")


def _service_host(features: Features) -> str:
    host = specific_host(commonest(features.hosts))
    return service_suffix(host) or host


def _claim(features: Features) -> str:
    if not features.claims:
        return features.envelope_domain or "the organisation"
    first = commonest(features.claims)
    others = features.distinct_claims - 1
    return first if others < 1 else f"{first} and {others} more"


def _place(features: Features) -> str:
    """`203.0.113.10`, `203.0.113.8/30 and 2 more`, or words where the address is unknown."""
    if not features.addresses:
        return "an unknown address"
    if len(features.addresses) == 1:
        return str(features.addresses[0])
    seen = networks(features.addresses)
    first = seen[0].removesuffix("/32").removesuffix("/128")
    return first if len(seen) == 1 else f"{first} and {len(seen) - 1} more"


def identities(all_features: Sequence[Features]) -> list[str]:
    """One id for each sender, from what defines it: the same in every run and whatever the order of the flows.

    Senders whose definitions agree are told apart by their addresses, the first seen keeping the plain id.
    """
    plain = [_definition(features) for features in all_features]
    order = sorted(range(len(plain)), key=lambda index: (plain[index], *_distinction(all_features[index])))
    taken: set[str] = set()
    ids = [""] * len(plain)
    for index in order:
        ids[index] = _free_id((*plain[index],), _distinction(all_features[index]), taken)
        taken.add(ids[index])
    return ids


def _definition(features: Features) -> tuple[str, ...]:
    """Submission, envelope domain, and the service or else the first network and the greeting or claimed address."""
    scope = (features.submission.value, features.envelope_domain)
    if features.service:
        return (*scope, "service", features.service)
    hosts = sorted(filter(None, map(specific_host, features.hosts)))
    claims = sorted(features.claims)
    key = f"host {hosts[0]}" if hosts else f"claim {claims[0]}" if len(claims) in range(1, _FEW + 1) else "many"
    return (*scope, _first_network(features.addresses), key)


def _first_network(addresses: Sequence[IPAddress]) -> str:
    if not addresses:
        return "no address"
    first = addresses[0]
    return str(ipaddress.ip_network((first, _NEAR[first.version]), strict=False))


def _distinction(features: Features) -> tuple[str, ...]:
    first_address = str(features.addresses[0]) if features.addresses else ""
    claims = sorted(features.claims)
    counts = (str(features.messages), features.last_seen.isoformat())
    return (features.first_seen.isoformat(), first_address, *claims[:_FEW], *sorted(features.hosts)[:_FEW], *counts)


def _free_id(plain: Sequence[str], distinction: Sequence[str], taken: set[str]) -> str:
    wanted = _hash(plain)
    attempt = 0
    while wanted in taken:
        wanted = _hash((*plain, *distinction, str(attempt)))
        attempt += 1
    return wanted


def _hash(parts: Iterable[str]) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:_ID_DIGITS]
