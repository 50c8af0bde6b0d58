"""How fast is SPF? A message checked by a compiled record beside pyspf's check2(), both on DNS held in memory; then
ten million client addresses against 5,000 networks in columns.

    pip install -e '.[bench]' && python benchmarks/spf.py

pyspf's look-ups are answered by its documented hook: the module-level function `DNSLookup`.
"""

from __future__ import annotations

import importlib
import ipaddress
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidedoor.audit.engine.database import open_database
from sidedoor.audit.engine.spf import SpfColumns
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.spf import SpfMessage, check_host, compile_spf

# This file is called spf too: its folder must not be where `import spf` looks first.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != Path(__file__).resolve().parent]
pyspf: Any = importlib.import_module("spf")

INCLUDES = 5
ADDRESSES, NETWORKS = 10_000_000, 5_000
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


def scalar(title: str, domain: str, ip: str, goal: int) -> bool:
    """One line: rates and their ratio; the results must agree. False where the goal is missed."""
    resolver = MemoryResolver(WORLD)
    compiled = compile_spf(domain, resolver)
    sender, helo = f"user@{domain}", "mail.example"
    theirs = pyspf.check2(i=ip, s=sender, h=helo)[0]
    ours = compiled.check(ip, SpfMessage(sender, helo), resolver).result.value
    if not ours == theirs == check_host(ip, domain, sender, helo, resolver).result.value:
        raise SystemExit(f"{title}: we say {ours}, pyspf says {theirs}")
    fast = rate(lambda: compiled.check(ip, SpfMessage(sender, helo), resolver))
    once = rate(lambda: check_host(ip, domain, sender, helo, resolver))
    slow = rate(lambda: pyspf.check2(i=ip, s=sender, h=helo))
    print(
        f"{title}: {ours}; compiled {fast:,.0f}/s, pyspf {slow:,.0f}/s, ratio {fast / slow:.0f} (goal {goal}); "
        f"check_host without compiling {once:,.0f}/s"
    )
    return fast / slow >= goal


def columns() -> bool:
    """Ten million addresses, half of them inside the networks; False where it takes longer than a second."""
    dice = random.Random(7)
    sizes = [dice.choice([20, 22, 24, 24, 26, 28, 32]) for _ in range(NETWORKS)]
    networks = [ipaddress.ip_network((dice.randrange(2**32), size), strict=False) for size in sizes]
    records = {
        f"n{n}.example": {"TXT": ["v=spf1 " + " ".join(f"ip4:{each}" for each in networks[n::5]) + " -all"]}
        for n in range(5)
    }
    top = "v=spf1 " + " ".join(f"include:{name}" for name in records) + " -all"
    compiled = compile_spf("big.example", MemoryResolver({"big.example": {"TXT": [top]}, **records}))
    with tempfile.TemporaryDirectory() as scratch, open_database(Path(scratch)) as database:
        edges = ((n, int(each.network_address), each.num_addresses) for n, each in enumerate(networks))
        database.load("nets", {"n": "INTEGER", "first": "UBIGINT", "size": "UBIGINT"}, edges)
        database.run(
            "CREATE TEMP TABLE clients AS SELECT id, (CASE WHEN id % 2 = 0 THEN first + floor(random() * size) "
            "ELSE floor(random() * 4294967296) END)::UINTEGER AS ip "
            f"FROM range({ADDRESSES}) AS given(id) JOIN nets ON nets.n = id % {NETWORKS}"
        )
        started = time.perf_counter()
        table = SpfColumns(database, compiled)
        query = table.evaluated("clients", "ip", 4)
        database.run(f"CREATE TEMP TABLE answers AS SELECT id, run FROM ({query}) ORDER BY id")
        spent = time.perf_counter() - started
        for ip, run in database.rows("SELECT ip, run FROM clients JOIN answers USING (id) USING SAMPLE 1000"):
            assert table.runs[run] == compiled.evaluate(ipaddress.IPv4Address(ip))
    print(
        f"columns: {ADDRESSES:,} addresses against {NETWORKS:,} networks in {spent:.2f} s (goal 1 s), "
        "a column in row order, loading the networks included"
    )
    return spent <= 1


def main() -> int:
    """A line a case. 1 where a goal is missed."""
    pyspf.DNSLookup = dns_lookup
    reached = [scalar(*case) for case in CASES]
    return 0 if all([*reached, columns()]) else 1


if __name__ == "__main__":
    sys.exit(main())
