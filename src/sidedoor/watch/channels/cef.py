"""ArcSight's Common Event Format, as the text of a syslog message. Pure; the mapping is in docs/channels.md.

Source: "ArcSight Common Event Format (CEF) Implementation Standard": the header escapes `|` and a backslash, an
extension value `=`, a backslash and line breaks; nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, ip_address

import sidedoor
from sidedoor.store.model import Alert, Occasion, Severity
from sidedoor.watch.channels.message import Message

SEVERITIES: Mapping[Severity, int] = {
    Severity.INFO: 2,  # Low: 0 to 3
    Severity.WARNING: 5,  # Medium: 4 to 6
    Severity.SERIOUS: 8,  # High: 7 and 8
    Severity.CRITICAL: 10,  # Very-High: 9 and 10
}
_KEY = re.compile(r"[A-Za-z0-9_]+")
_ADDRESS = frozenset({"address", "client address", "client_ip"})  # evidence that is a client's address


def cef(alert: Alert, occasion: Occasion, tenant: str, delivery_id: str, message: Message, *, repeat: bool) -> str:
    """One event, on one line."""
    finding = alert.finding
    severity = 1 if occasion is Occasion.RECOVERED else SEVERITIES[finding.severity]
    head = ("Sidedoor", "sidedoor", sidedoor.__version__, finding.kind, message.title, str(severity))
    pairs = [
        ("rt", str(round(message.at.timestamp() * 1000))), ("externalId", delivery_id), ("act", occasion.value),
        ("cat", finding.source), ("msg", message.text), *_address(message.evidence),
        ("cs1Label", "tenant"), ("cs1", tenant), ("cs2Label", "subject"), ("cs2", finding.subject),
        ("cs3Label", "alert"), ("cs3", alert.id), ("cs4Label", "advice"), ("cs4", message.advice),
        ("cs5Label", "evidence"), ("cs5", "; ".join(f"{name}: {value}" for name, value in message.evidence)),
        ("cs6Label", "severity"), ("cs6", finding.severity.value), ("cn1Label", "repeat"), ("cn1", str(int(repeat))),
    ]  # fmt: skip
    return f"CEF:0|{'|'.join(header_value(each) for each in head)}|{extension(pairs)}"


def header_value(text: str) -> str:
    """A field of the header: `|` and a backslash escaped, line breaks become blanks."""
    return re.sub(r"[\r\n]+", " ", text).replace("\\", "\\\\").replace("|", "\\|")


def extension(pairs: Iterable[tuple[str, str]]) -> str:
    """`key=value` pairs with a blank between; empty values are left out with their label."""
    given = [(key, told) for key, value in pairs if (told := extension_value(value))]
    keys = {key for key, _ in given}
    assert all(map(_KEY.fullmatch, keys))  # keys are ours
    return " ".join(
        f"{key}={told}" for key, told in given if not key.endswith("Label") or key.removesuffix("Label") in keys
    )


def extension_value(text: str) -> str:
    r"""A value: `=` and a backslash escaped, line breaks as `\n` and `\r`; blanks at its ends would be lost."""
    escaped = text.replace("\\", "\\\\").replace("=", "\\=").replace("\r", "\\r").replace("\n", "\\n")
    return escaped.strip(" ")


def _address(evidence: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first evidence that is a client's address: `src` takes IPv4 only."""
    for name, value in evidence:
        if name.lower() in _ADDRESS:
            try:
                found = ip_address(value)
            except ValueError:
                continue
            if isinstance(found, IPv4Address):
                return [("src", str(found))]
            return [("c6a2Label", "Source IPv6 Address"), ("c6a2", str(found))]
    return []
