"""What a HELO or PTR name says of itself: specific enough to be an identity, or nameless."""

from __future__ import annotations

import re
import tomllib
from enum import Enum
from functools import lru_cache
from importlib.resources import files

_NAMES: dict[str, list[str]] = tomllib.loads(files(__package__).joinpath("names.toml").read_text("utf-8"))
_NAMELESS = frozenset(_NAMES["nameless"])
_MAIL_HOST = frozenset(_NAMES["mail_host"])
_SHARED = tuple(f".{name}" for name in _NAMES["shared"])
_DEVICE = re.compile(rf"(?:^|[-_0-9])(?:{'|'.join(map(re.escape, _NAMES['device']))})(?=$|[-_0-9])")
# What Windows setup calls a machine nobody named (WIN-4K2J9QX7, DESKTOP-1A2B3C4, LAPTOP-...).
_WINDOWS = re.compile(r"(?:win|desktop|laptop|ec2amaz|vps|vm)-[a-z0-9]{5,12}", re.ASCII)
_LITERAL = re.compile(r"\[.*\]|[0-9.]+|[0-9a-f]*:[0-9a-f:.]+")
# ip-10-0-0-12, 84-12-3-4.dyn.isp.example, p5b0a1c2d.dip0.isp.example: the address spelled out.
_EMBEDDED = re.compile(
    r"(?:^|[^0-9])(?:\d{1,3}[.-]){3}\d{1,3}(?:[^0-9]|$)|^[a-z]{1,4}[0-9a-f]{8}\.|^(?:dyn|dhcp|pool|ppp)"
)
_LOOPBACK = ("127.", "::1", "ipv6:::1")
# Second-level labels under which registries register (example.co.uk); too few to need the public suffix list,
# because a wrong answer only splits or joins hosts that authenticate alike.
_REGISTRY = frozenset({"co", "com", "net", "org", "ac", "gov", "edu", "ne", "or", "go"})
_LONGEST = 255


class HostKind(Enum):
    """What kind of name it is."""

    UNKNOWN = "unknown"  # no export tells
    NAMELESS = "nameless"  # loopback, a Windows default, "localhost", empty
    LITERAL = "literal"  # a bare or bracketed address: cheap devices and scripts alike
    DYNAMIC = "dynamic"  # spells an address out; changes when the address does
    DEVICE = "device"  # MFP-HQ3, nas2: the name of a device or server application
    MAIL_HOST = "mail host"  # mx1.example.org, lists.example.org
    HOST = "host"  # any other name

    @property
    def specific(self) -> bool:
        """Whether two hosts that say the same name may be taken for one, other evidence agreeing."""
        return self in _SPECIFIC


_SPECIFIC = frozenset({HostKind.DEVICE, HostKind.MAIL_HOST, HostKind.HOST})


@lru_cache(maxsize=65536)
def host_kind(name: str | None) -> HostKind:
    """The kind of a HELO or PTR name; None is unknown, "" is known absent."""
    if name is None:
        return HostKind.UNKNOWN
    host = fold_host(name)
    first = host.partition(".")[0]
    if _LITERAL.fullmatch(host):
        return HostKind.NAMELESS if host.strip("[]").startswith(_LOOPBACK) else HostKind.LITERAL
    if not host or host in _NAMELESS or host.endswith(".localdomain") or _WINDOWS.fullmatch(first):
        return HostKind.NAMELESS
    if _EMBEDDED.search(host):
        return HostKind.DYNAMIC
    return _kind_of_label(first, "." in host)


def _kind_of_label(first: str, qualified: bool) -> HostKind:
    if _DEVICE.search(first):
        return HostKind.DEVICE
    mail = qualified and first.rstrip("0123456789-") in _MAIL_HOST
    return HostKind.MAIL_HOST if mail else HostKind.HOST


def fold_host(name: str) -> str:
    """Comparable form: lower case, no trailing dot, bounded length."""
    return name.strip().lower().removesuffix(".")[:_LONGEST]


def specific_host(name: str | None) -> str:
    """The comparable form of a name that can be an identity, else ""."""
    return fold_host(name) if name and host_kind(name).specific else ""


@lru_cache(maxsize=65536)
def service_suffix(host: str) -> str:
    """What the hosts of one service share: `o40.mailer.fabrikam.com` gives `mailer.fabrikam.com`; "" for none."""
    labels = host.split(".")
    if len(labels) < 2:
        return ""
    registered = 3 if len(labels[-1]) == 2 and labels[-2] in _REGISTRY else 2
    if len(labels) < registered:
        return ""
    return ".".join(labels[1:] if len(labels) > registered else labels)


def shared_network(name: str) -> bool:
    """Whether the host name lies in a network that many customers share."""
    return f".{fold_host(name)}".endswith(_SHARED)
