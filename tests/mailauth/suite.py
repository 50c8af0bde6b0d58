"""The RFC 7208 test suite: its zones as a resolver, by the rules its driver in pyspf goes by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Failure

SUITE = Path(__file__).parent.parent / "data" / "spf" / "suite" / "suite.json"
_SILENCE = Failure("the suite says TIMEOUT", temporary=True)


@dataclass(frozen=True)
class Case:
    """One question with the results that the suite allows."""

    name: str
    clause: str
    ip: str
    helo: str
    mail_from: str
    results: tuple[str, ...]
    explanation: str | None
    zone: Zone


@dataclass
class Zone:
    """Records by name, and what keeps silent."""

    records: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    failures: dict[str | tuple[str, str], Failure] = field(default_factory=dict)

    def resolver(self) -> MemoryResolver:
        return MemoryResolver(self.records, self.failures)


def cases() -> Iterator[Case]:
    for section in json.loads(SUITE.read_text(encoding="utf-8")):
        zone = _zone(section["zonedata"])
        for name, test in section["tests"].items():
            results = [test["result"]] if isinstance(test["result"], str) else test["result"]
            said = test.get("explanation")
            clause = ", ".join(_list(test["spec"]))
            yield Case(name, clause, test["host"], test["helo"], test["mailfrom"], tuple(results), said, zone)


def _zone(data: dict[str, list[Any]]) -> Zone:
    """SPF entries stand for TXT ones where a name has no TXT entry of its own, not even NONE."""
    zone = Zone()
    for name, entries in data.items():
        rows = [(kind, value) for entry in entries if isinstance(entry, dict) for kind, value in entry.items()]
        own_txt = any(kind == "TXT" for kind, _ in rows)
        for kind, value in rows:
            _add(zone, name, "TXT" if kind == "SPF" and not own_txt else kind, value)
        for kind in {"A", "AAAA", "MX", "TXT", "PTR", "SPF"} - set(zone.records.get(name, {})):
            if "TIMEOUT" in entries:
                zone.failures[name, kind] = _SILENCE
    return zone


def _add(zone: Zone, name: str, kind: str, value: Any) -> None:
    if value == "TIMEOUT":
        zone.failures[name, kind] = _SILENCE
    elif value != "NONE":
        text = f"{value[0]} {_host(value[1])}" if kind == "MX" else "".join(_list(value))
        zone.records.setdefault(name, {}).setdefault(kind, []).append(_host(text) if kind in {"PTR", "CNAME"} else text)


def _host(name: str) -> str:
    return name.lower().removesuffix(".") or "."


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [str(value)]
