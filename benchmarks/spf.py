"""How fast is compiled SPF? Our evaluate() beside pyspf's check2(), both on DNS held in memory.

    pip install -e '.[bench]' && python benchmarks/spf.py

pyspf's look-ups are answered by its documented hook: the module-level function `DNSLookup`.
"""

from __future__ import annotations

import importlib
import ipaddress
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.spf import compile_spf

# This file is called spf too: its folder must not be where `import spf` looks first.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != Path(__file__).resolve().parent]
pyspf: Any = importlib.import_module("spf")

INCLUDES = 5
WORLD: dict[str, dict[str, list[str]]] = {
    "plain.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/24 ip4:203.0.113.7 -all"]},
    "services.example": {
        "TXT": ["v=spf1 mx " + " ".join(f"include:_spf.s{n}.example" for n in range(INCLUDES)) + " -all"],
        "MX": ["10 mx.services.example"],
    },
    "mx.services.example": {"A": ["192.0.2.25"]},
} | {
    f"_spf.s{n}.example": {"TXT": ["v=spf1 " + " ".join(f"ip4:10.{n}.{i}.0/24" for i in range(20)) + " ~all"]}
    for n in range(INCLUDES)
}
CASES = [
    ("three ip4 terms", "plain.example", "203.0.113.7", 5),
    ("five includes and mx", "services.example", "10.4.19.9", 80),
]


def dns_lookup(name: str, qtype: str, *_: Any, **__: Any) -> list[Any]:
    """pyspf's hook: [((name, type), data)], IPv4 as text, IPv6 packed, text as a tuple of bytes."""
    values = WORLD.get(name.lower().rstrip("."), {}).get(qtype, ())
    return [((name, qtype), _data(value, qtype)) for value in values]


def _data(value: str, qtype: str) -> object:
    if qtype == "TXT":
        return (value.encode("ascii"),)
    if qtype == "MX":
        preference, _, host = value.partition(" ")
        return int(preference), host
    return ipaddress.ip_address(value).packed if qtype == "AAAA" else value


def rate(call: Callable[[], object], seconds: float = 1.0) -> float:
    """Calls a second, over at least `seconds`."""
    for _ in range(10):
        call()
    calls, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds:
        for _ in range(50):
            call()
        calls += 50
    return calls / spent


def main() -> int:
    """One line a case: both rates and their ratio; the results must agree. 1 where a goal is missed."""
    missed = 0
    pyspf.DNSLookup = dns_lookup
    for title, domain, ip, goal in CASES:
        compiled = compile_spf(domain, MemoryResolver(WORLD))
        theirs = pyspf.check2(i=ip, s=f"user@{domain}", h="mail.example")[0]
        ours = compiled.evaluate(ip).result.value
        if ours != theirs:
            raise SystemExit(f"{title}: we say {ours}, pyspf says {theirs}")
        fast = rate(lambda compiled=compiled, ip=ip: compiled.evaluate(ip))  # type: ignore[misc]
        slow = rate(lambda domain=domain, ip=ip: pyspf.check2(i=ip, s=f"user@{domain}", h="mail.example"))  # type: ignore[misc]
        started = time.perf_counter()
        compile_spf(domain, MemoryResolver(WORLD))
        once = time.perf_counter() - started
        print(
            f"{title}: {ours}; compiled {fast:,.0f}/s, pyspf {slow:,.0f}/s, ratio {fast / slow:.0f} (goal {goal}); "
            f"compiling once takes {once * 1000:.2f} ms"
        )
        missed += fast / slow < goal
    return min(1, missed)


if __name__ == "__main__":
    sys.exit(main())
