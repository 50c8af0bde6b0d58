"""How fast is SPF? A message checked by a compiled record beside pyspf's check2(), both on DNS held in memory; then
ten million client addresses against 5,000 networks in columns.

    python benchmarks/spf.py [--quick] [--addresses 10000000]

pyspf's look-ups are answered by its documented hook: the module-level function `DNSLookup`. In columns, the floors are
as-of joins of the same addresses with the networks' first addresses, the answers in row order, by DuckDB alone and by
polars.
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

from gather.form import Bench
from sidedoor.audit.engine.database import Database, open_database
from sidedoor.audit.engine.spf import SpfColumns
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.spf import SpfMessage, check_host, compile_spf

# This file is called spf too: its folder must not be where `import spf` looks first.
sys.path[:] = [folder for folder in sys.path if Path(folder or ".").resolve() != Path(__file__).resolve().parent]
pyspf: Any = importlib.import_module("spf")

INCLUDES = 5
NETWORKS = 5_000
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
    ("three ip4 terms", "plain.example", "203.0.113.7", "spf-plain"),
    ("five includes and mx", "services.example", "10.4.19.9", "spf-includes"),
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


def scalar(bench: Bench, title: str, domain: str, ip: str, goal: str) -> None:
    """Rates beside pyspf's; the results must agree."""
    resolver = MemoryResolver(WORLD)
    compiled = compile_spf(domain, resolver)
    sender, helo = f"user@{domain}", "mail.example"
    theirs = pyspf.check2(i=ip, s=sender, h=helo)[0]
    ours = compiled.check(ip, SpfMessage(sender, helo), resolver).result.value
    if not ours == theirs == check_host(ip, domain, sender, helo, resolver).result.value:
        raise SystemExit(f"{title}: we say {ours}, pyspf says {theirs}")
    slow = "pyspf", rate(lambda: pyspf.check2(i=ip, s=sender, h=helo))
    fast = rate(lambda: compiled.check(ip, SpfMessage(sender, helo), resolver))
    bench.tell(f"{title}, compiled", fast, "/s", slow, goal=goal)
    once = rate(lambda: check_host(ip, domain, sender, helo, resolver))
    bench.tell(f"{title}, check_host", once, "/s", slow)


def columns(bench: Bench, addresses: int) -> None:
    """So many addresses, half of them inside the networks, a column in row order, loading the networks included."""
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
            f"FROM range({addresses}) AS given(id) JOIN nets ON nets.n = id % {NETWORKS}"
        )
        started = time.perf_counter()
        table = SpfColumns(database, compiled)
        query = table.evaluated("clients", "ip", 4)
        database.run(f"CREATE TEMP TABLE answers AS SELECT id, run FROM ({query}) ORDER BY id")
        spent = time.perf_counter() - started
        for ip, run in database.rows("SELECT ip, run FROM clients JOIN answers USING (id) USING SAMPLE 1000"):
            assert table.runs[run] == compiled.evaluate(ipaddress.IPv4Address(ip))
        what = f"{addresses:,} addresses, {NETWORKS:,} networks"
        bench.tell(what, spent, "s", ("DuckDB ASOF", duckdb_floor(database)), goal="spf-columns")
        if polars := polars_floor(database, Path(scratch)):
            bench.tell(what, spent, "s", ("polars join_asof", polars))
        else:
            bench.left_out("polars", "not installed (pip install -e '.[bench]')")


def duckdb_floor(database: Database) -> float:
    """Seconds of the join alone, by the same engine with the same memory."""
    started = time.perf_counter()
    database.run(
        "CREATE TEMP TABLE floor AS SELECT id, CASE WHEN ip < first + size THEN n END AS n "
        "FROM (SELECT id, ip::UBIGINT AS ip FROM clients) ASOF LEFT JOIN nets ON ip >= first ORDER BY id"
    )
    return time.perf_counter() - started


def polars_floor(database: Database, folder: Path) -> float:
    """The same by polars, the columns in its memory before; 0 where it is missing."""
    try:
        polars: Any = importlib.import_module("polars")
    except ImportError:
        return 0.0
    database.run(f"COPY (SELECT id, ip::UBIGINT AS ip FROM clients) TO '{folder / 'clients.parquet'}'")
    database.run(f"COPY (SELECT n, first, size FROM nets ORDER BY first) TO '{folder / 'nets.parquet'}'")
    clients, nets = (polars.read_parquet(folder / f"{name}.parquet") for name in ("clients", "nets"))
    started = time.perf_counter()
    joined = clients.sort("ip").join_asof(nets.set_sorted("first"), left_on="ip", right_on="first")
    inside = polars.when(polars.col("ip") < polars.col("first") + polars.col("size")).then(polars.col("n"))
    joined.select("id", inside.alias("n")).sort("id")
    return time.perf_counter() - started


def main() -> int:
    """Both records, then columns."""
    bench = Bench(__file__, __doc__)
    bench.size("--addresses", 10_000_000, quick=1_000_000)
    addresses = bench.options().addresses
    pyspf.DNSLookup = dns_lookup
    for case in CASES:
        scalar(bench, *case)
    columns(bench, addresses)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
