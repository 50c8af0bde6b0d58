"""A compiled SPF record in columns says of each address what the scalar evaluation says."""

from __future__ import annotations

import io
import ipaddress
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.audit.engine.database import open_database
from sidedoor.audit.engine.spf import SpfColumns
from sidedoor.audit.engine.spf_file import AddressLine, evaluate_file
from sidedoor.errors import InputError
from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.spf import SpfEvidence, SpfSet, compile_spf


def compiled(record: str) -> SpfSet:
    """The record of contoso.com, with a service that it may include."""
    return compile_spf(
        "contoso.com",
        MemoryResolver({
            "contoso.com": {"TXT": [record]},
            "_spf.mailer.example": {"TXT": ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8:5::/48 ~all"]},
        }),
    )  # fmt: skip


def in_columns(folder: Path, spf: SpfSet, addresses: Sequence[int | None], version: int) -> list[SpfEvidence | None]:
    """Evidence for each address, by the columnar engine."""
    with open_database(folder) as database:
        columns = SpfColumns(database, spf)
        kind = "UINTEGER" if version == 4 else "UHUGEINT"
        database.load("clients", {"id": "INTEGER", "ip": kind}, enumerate(addresses))
        rows = database.rows(f"SELECT id, run FROM ({columns.evaluated('clients', 'ip', version)}) ORDER BY id")
        assert [number for number, _ in rows] == list(range(len(addresses)))
        return [None if run is None else columns.runs[run] for _, run in rows]


NETWORK4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: ipaddress.ip_network((pair[0], pair[1]), strict=False)
)
TERM = st.tuples(st.sampled_from(["", "-", "~", "?"]), NETWORK4).map(lambda pair: f"{pair[0]}ip4:{pair[1]}")


@settings(max_examples=25, deadline=None)
@given(st.lists(TERM, max_size=30), st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_random_records_over_random_addresses(
    tmp_path_factory: pytest.TempPathFactory, terms: list[str], more: list[int]
) -> None:
    spf = compiled(" ".join(["v=spf1", *terms, "include:_spf.mailer.example", "-all"]))
    edges = [edge for first, last, _ in spf.runs(4) for edge in (first, last)]
    addresses = [*edges, *more]
    expected = [spf.evaluate(ipaddress.IPv4Address(number)) for number in addresses]
    assert in_columns(tmp_path_factory.mktemp("db"), spf, addresses, 4) == expected


def test_thousands_of_networks_in_one_place(tmp_path: Path) -> None:
    spf = compiled("v=spf1 " + " ".join(f"ip4:10.0.{n // 128}.{n % 128 * 2}" for n in range(5_000)) + " -all")
    addresses = [*range(0x0A000000, 0x0A000400), None, 0, 2**32 - 1]
    expected = [None if n is None else spf.evaluate(ipaddress.IPv4Address(n)) for n in addresses]
    assert in_columns(tmp_path, spf, addresses, 4) == expected


def test_ip6(tmp_path: Path) -> None:
    spf = compiled("v=spf1 ip6:2001:db8::/33 include:_spf.mailer.example ~ip6:::/1 -all")
    dice = random.Random(7)
    addresses: list[int | None] = [int(ipaddress.ip_address("2001:db8::")) + dice.randrange(2**96) for _ in range(500)]
    addresses += [0, 2**128 - 1, 2**127 - 1, 2**127, None]
    expected = [None if n is None else spf.evaluate(ipaddress.IPv6Address(n)) for n in addresses]
    assert in_columns(tmp_path, spf, addresses, 6) == expected


def lines_of(folder: Path, spf: SpfSet, data: bytes) -> list[AddressLine]:
    """The file's lines with their evidence."""
    with open_database(folder) as database:
        return list(evaluate_file(database, spf, io.BytesIO(data), "clients.txt").lines())


def test_a_file_of_all_sorts(tmp_path: Path) -> None:
    spf = compiled("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all")
    text = (
        "# exported\r\n192.0.2.7\r\n\r\n"
        "  203.0.113.5 \n2001:DB8::1\n[192.0.2.9]\n::ffff:192.0.2.7\nnobody\n192.0.2.256\n"
        "192.0.02.7\n1.2.3\n\x1b]0;x\x07\n" + "9" * 5000 + "\n192.0.2.7"
    )
    found = lines_of(tmp_path, spf, text.encode())
    assert [(line.number, line.evidence and line.evidence.result.value) for line in found] == [
        (2, "pass"), (4, "fail"), (5, "pass"), (6, "pass"), (7, "pass"), (8, None), (9, None), (10, None), (11, None),
        (12, None), (13, None), (14, "pass"),
    ]  # fmt: skip
    assert found[-2].text == "9" * 100


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_what_windows_writes(tmp_path: Path, encoding: str) -> None:
    [line] = lines_of(tmp_path, compiled("v=spf1 ip4:192.0.2.7 -all"), "192.0.2.7\r\n".encode(encoding))
    assert line.evidence is not None
    assert line.evidence.result.value == "pass"


def test_no_text_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"clients\.txt, line 2: found a NUL character"):
        lines_of(tmp_path, compiled("v=spf1 -all"), b"192.0.2.7\n\0\0\0\n")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=20), st.ip_addresses().map(str), st.text("0123456789.:", max_size=16))))
def test_any_lines(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    spf = compiled("v=spf1 ip4:0.0.0.0/1 ip6:::/1 -all")
    data = "\n".join(texts).encode("utf-8", "replace").replace(b"\0", b"")
    found = lines_of(tmp_path_factory.mktemp("db"), spf, data)
    for line in found:
        if line.evidence is not None:
            assert line.evidence == spf.evaluate(line.text)
    assert [line.number for line in found] == sorted({line.number for line in found})


def test_counts(tmp_path: Path) -> None:
    spf = compiled("v=spf1 ip4:192.0.2.0/24 -all")
    with open_database(tmp_path) as database:
        data = b"192.0.2.1\n192.0.2.2\n192.0.2.1\n203.0.113.1\n?\n!\n"
        file = evaluate_file(database, spf, io.BytesIO(data), "clients.txt")
        counted = [(evidence.result.value, lines, some, one) for evidence, lines, some, one in file.counts()]
        assert counted == [("pass", 3, 2, "192.0.2.1"), ("fail", 1, 1, "203.0.113.1")]
        assert file.unreadable(1) == (2, [AddressLine(5, "?", None)])
