"""Master files: what is given, what is absent inside, what lies outside, and what is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoData, NoSuchName, Records
from sidedoor.mailauth.zonefile import decode_master_file, origin_of_file_name, parse_master_file, read_zones
from sidedoor.mailauth.zones import ZoneResolver

ZONES = """\
; two zones in one file, neither with SOA or NS
$TTL 1h
$ORIGIN contoso.com.
@            MX   0 Contoso-com.mail.protection.outlook.com.
@            TXT  "v=spf1 ip4:192.0.2.0/24" " include:_spf.mailer.example -all"
             A    192.0.2.80
www          CNAME @
far          CNAME web.fabrikam.example.
round        CNAME about.contoso.com.
about        CNAME round
*.wild       A    192.0.2.81
a.deep       AAAA 2001:DB8::1
sub          NS   ns1.sub
ns1.sub      A    192.0.2.53
_dmarc       TXT  "v=DMARC1; p=none; rua=mailto:a@contoso.com"
$ORIGIN example.
mailer       SOA  ns.mailer hostmaster.mailer 1 3600 600 86400 300
_spf.mailer  TXT  ( "v=spf1 "
                    "ip4:198.51.100.0/24 ~all" )
4.3.2.1.in-addr.arpa. PTR Host.Mailer.Example.
"""
OUTSIDE = "no zone given for {}"
ANSWERS: list[tuple[str, Kind, Answer]] = [
    ("contoso.com", Kind.MX, Records(("0 contoso-com.mail.protection.outlook.com",))),
    ("CONTOSO.com.", Kind.TXT, Records(("v=spf1 ip4:192.0.2.0/24 include:_spf.mailer.example -all",))),
    ("www.contoso.com", Kind.A, Records(("192.0.2.80",))),
    ("www.contoso.com", Kind.AAAA, NoData()),
    ("a.deep.contoso.com", Kind.AAAA, Records(("2001:db8::1",))),
    ("deep.contoso.com", Kind.A, NoData()),
    ("nothing.contoso.com", Kind.A, NoSuchName()),
    ("x.y.wild.contoso.com", Kind.A, Records(("192.0.2.81",))),
    ("wild.contoso.com", Kind.A, NoData()),
    ("_spf.mailer.example", Kind.TXT, Records(("v=spf1 ip4:198.51.100.0/24 ~all",))),
    ("absent.mailer.example", Kind.TXT, NoSuchName()),
    ("4.3.2.1.in-addr.arpa", Kind.PTR, Records(("host.mailer.example",))),
    ("far.contoso.com", Kind.A, Failure(OUTSIDE.format("web.fabrikam.example"), temporary=False)),
    ("fabrikam.com", Kind.MX, Failure(OUTSIDE.format("fabrikam.com"), temporary=False)),
    ("com", Kind.A, Failure(OUTSIDE.format("com"), temporary=False)),
    ("other.example", Kind.A, Failure(OUTSIDE.format("other.example"), temporary=False)),
    ("ns1.sub.contoso.com", Kind.A, Failure(OUTSIDE.format("sub.contoso.com"), temporary=False)),
    ("round.contoso.com", Kind.A, Failure("aliases of round.contoso.com lead in a circle", temporary=True)),
]


def zones(folder: Path, text: str | bytes, name: str = "zones.txt") -> ZoneResolver:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_zones([path])


@pytest.mark.parametrize(("name", "kind", "answer"), ANSWERS, ids=[f"{name} {kind}" for name, kind, _ in ANSWERS])
def test_answers(tmp_path: Path, name: str, kind: Kind, answer: Answer) -> None:
    assert zones(tmp_path, ZONES).lookup(name, kind) == answer


def test_several_files_each_named_after_its_zone(tmp_path: Path) -> None:
    (tmp_path / "contoso.com.zone").write_text("@ MX 10 mail\nmail A 192.0.2.1\n")
    (tmp_path / "db.fabrikam.com").write_text("@ MX 10 mail.contoso.com.\n")
    resolver = read_zones(sorted(tmp_path.iterdir()))
    assert resolver.origins == {"contoso.com", "fabrikam.com"}
    assert resolver.lookup("contoso.com", Kind.MX) == Records(("10 mail.contoso.com",))
    assert resolver.lookup("fabrikam.com", Kind.MX) == Records(("10 mail.contoso.com",))


def test_an_origin_above_the_zones_is_no_zone(tmp_path: Path) -> None:
    resolver = zones(tmp_path, "$ORIGIN com.\ncontoso MX 0 .\n")
    assert resolver.origins == {"contoso.com"}
    assert isinstance(resolver.lookup("fabrikam.com", Kind.MX), Failure)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_that_editors_and_powershell_write(tmp_path: Path, codec: str) -> None:
    text = "; Z\u00fcrich\n$ORIGIN contoso.com.\n@ A 192.0.2.1\n"
    assert zones(tmp_path, text.encode(codec)).lookup("contoso.com", Kind.A) == Records(("192.0.2.1",))


BAD = {
    "include": ("$ORIGIN a.example.\n$INCLUDE /etc/passwd\n", 2),
    "generate": ("$ORIGIN a.example.\n\n$GENERATE 1-100000000 a$ A 192.0.2.1\n", 3),
    "no origin": ("; nothing\nwww A 192.0.2.1\n", 2),
    "no origin in the data": ("a.example. MX 10 mail\n", 1),
    "no address": ("$ORIGIN a.example.\n@ A 192.0.2.1\n@ A 192.0.2.256\n", 3),
    "unknown type": ("$ORIGIN a.example.\n@ NONSENSE x\n", 2),
    "a CSV": ("date_time,sender_address\n2026-11-01,a@contoso.com\n", 1),
    "long label": (f"{'a' * 64}.example. A 192.0.2.1\n", 1),
    "a NUL": ("$ORIGIN a.example.\n@ TXT \0\n", 2),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_master_file_is_refused_with_its_line(tmp_path: Path, what: str) -> None:
    text, line = BAD[what]
    with pytest.raises(InputError) as caught:
        zones(tmp_path, text)
    assert caught.value.line == line, caught.value
    assert caught.value.found


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        read_zones([tmp_path / "absent.zone"])
    with pytest.raises(InputError):
        read_zones([tmp_path])


LINES = st.lists(
    st.sampled_from(
        [*ZONES.splitlines(), "$ORIGIN", "$TTL x", '@ TXT "open', "@ TXT (", "\\256 A 1", "@ 1 IN", "@ CH A 1"]
    )
    | st.text(max_size=30),
    max_size=12,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(LINES.map("\n".join).map(str.encode) | st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InputError):
        for owner, kind, value in parse_master_file(decode_master_file(data, "x"), "x"):
            assert owner == owner.lower()
            assert kind
            assert value


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("contoso.com.zone", "contoso.com"),
        ("db.contoso.com", "contoso.com"),
        ("Contoso.com.dns", "contoso.com"),
        ("zones.txt", ""),
        ("zone", ""),
        ("b\u00fccher.example.zone", "xn--bcher-kva.example"),
    ],
)
def test_origin_of_a_file_name(name: str, origin: str) -> None:
    assert origin_of_file_name(name) == origin
