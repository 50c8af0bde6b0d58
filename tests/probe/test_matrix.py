"""What is asked, of whom, and what cannot be: out of the tenant's settings and DNS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sidedoor.errors import UsageError
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.domain import Domain, parse_domain
from sidedoor.mailauth.resolver import Answer, Failure, Kind, NoSuchName, Offline, Records, Resolver
from sidedoor.probe.matrix import Wanted, request_of
from sidedoor.probe.model import Request, Role, SenderKind
from sidedoor.tenant.snapshot import TenantSnapshot
from tests.audit.audit_kit import accepted_domain, write_settings

OWN = parse_domain("northwind.example")
DOOR = "northwind-example.mail.protection.outlook.com"


@dataclass
class Dns:
    """Answers by name and kind; no such name otherwise."""

    records: Mapping[tuple[str, Kind], Answer] = field(default_factory=dict)

    def lookup(self, name: Domain | str, kind: Kind) -> Answer:
        return self.records.get((str(name), kind), NoSuchName())


def snapshot(folder: Path, *names: str, initial: str = "northwind.onmicrosoft.com") -> TenantSnapshot:
    rows = [accepted_domain(name, InitialDomain=name == initial) for name in ("northwind.example", *names)]
    write_settings(folder, rows)
    if initial.endswith(".us"):
        (folder / "OrganizationConfig.json").unlink()  # its name is another
    return read_tenant(folder).snapshot


def asked(tenant: TenantSnapshot, resolver: Resolver | None = None, *, zones: bool = False, **wanted: Any) -> Request:
    return request_of(OWN, tenant, Wanted(**wanted), resolver or Offline(), zones=zones)


def hosts(request: Request) -> list[tuple[str, Role]]:
    return [(target.host, target.role) for target in request.targets]


def mx(*hosts: str) -> dict[tuple[str, Kind], Answer]:
    return {("northwind.example", Kind.MX): Records(tuple(f"10 {host}" for host in hosts))}


def test_mx_and_front_door(tmp_path: Path) -> None:
    tenant = snapshot(tmp_path)
    assert hosts(asked(tenant, Dns(mx("mx.filter.example")))) == [
        ("mx.filter.example", Role.MX), (DOOR, Role.ENDPOINT)
    ]  # fmt: skip
    both = asked(tenant, Dns(mx(DOOR)))
    assert hosts(both) == [(DOOR, Role.ENDPOINT)]
    assert any("asked once" in note for note in both.notes)
    named = asked(tenant, Dns(mx("mx.filter.example")), endpoint=("[::1]:2525",))
    assert hosts(named) == [("mx.filter.example", Role.MX), ("::1", Role.ENDPOINT)]
    assert hosts(asked(tenant, mx=("127.0.0.1:25",), endpoint=("127.0.0.1:26",))) == [
        ("127.0.0.1", Role.MX), ("127.0.0.1", Role.ENDPOINT)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "note"),
    [(Failure("timed out", temporary=True), "timed out"), (NoSuchName(), "no MX"), (Records(("0 .",)), "no MX")],
)
def test_an_mx_that_is_not_known_is_said(tmp_path: Path, answer: Answer, note: str) -> None:
    request = asked(snapshot(tmp_path), Dns({("northwind.example", Kind.MX): answer}))
    assert hosts(request) == [(DOOR, Role.ENDPOINT)]
    assert any(note in text for text in request.notes)


def test_the_front_door_of_other_clouds_and_of_names_that_dns_does_not_have(tmp_path: Path) -> None:
    us = snapshot(tmp_path / "us", "northwind.onmicrosoft.us", initial="northwind.onmicrosoft.us")
    assert hosts(asked(us, Dns()))[0][0] == "northwind-example.mail.protection.office365.us"
    tenant = snapshot(tmp_path / "com", "northwind.onmicrosoft.com")
    other = {("northwind.onmicrosoft.com", Kind.MX): Records(("0 northwind.mail.protection.outlook.com",))}
    assert hosts(asked(tenant, Dns(other)))[0][0] == "northwind.mail.protection.outlook.com"
    known = Dns(other | {(DOOR, Kind.A): Records(("192.0.2.1",))})
    assert hosts(asked(tenant, known))[0][0] == DOOR


def test_master_files_tell_addresses_too(tmp_path: Path) -> None:
    dns = Dns(mx("mx.filter.example") | {("mx.filter.example", Kind.A): Records(("127.0.0.9",))})
    first, second = asked(snapshot(tmp_path), dns, zones=True).targets
    assert (first.addresses, second.addresses) == (("127.0.0.9",), ())


@pytest.mark.parametrize(
    ("names", "initial", "expected"),
    [
        (("northwind.mail.onmicrosoft.com", "northwind.onmicrosoft.com"), "northwind.onmicrosoft.com", "northwind"),
        (("a.mail.onmicrosoft.com", "a.onmicrosoft.com"), "", "a"),
        ((), "", "northwind"),  # OrganizationConfig's name
    ],
)
def test_the_initial_domain(tmp_path: Path, names: tuple[str, ...], initial: str, expected: str) -> None:
    senders = dict(asked(snapshot(tmp_path, *names, initial=initial), endpoint=("x",)).senders)
    assert senders[SenderKind.ONMICROSOFT] == f"sidedoor-probe@{expected}.onmicrosoft.com"
    assert senders[SenderKind.NULL] == ""


def test_a_matrix_without_an_initial_domain_says_so(tmp_path: Path) -> None:
    tenant = TenantSnapshot(accepted_domains=snapshot(tmp_path).accepted_domains)
    request = asked(tenant, endpoint=("x",))
    assert SenderKind.ONMICROSOFT not in dict(request.senders)
    assert any("onmicrosoft.com" in note for note in request.notes)


@pytest.mark.parametrize(
    "wanted",
    [
        {"foreign_sender": "a@northwind.example"},
        {"foreign_sender": "bücher@elsewhere.example"},
        {"foreign_sender": "a@b>\r\nDATA"},
        {"foreign_sender": '"a b"@elsewhere.example'},
        {"recipient": "a@elsewhere.example"},
        {"send": True},
        {"endpoint": ("host:99999",)},
        {"mx": ("",)},
        {"helo": "a b"},
    ],
)
def test_what_cannot_be_asked(tmp_path: Path, wanted: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        asked(snapshot(tmp_path), **({"endpoint": ("x",)} | wanted))


def test_another_tenants_domain_and_an_unknown_tenant_are_refused(tmp_path: Path) -> None:
    for tenant in (TenantSnapshot(), snapshot(tmp_path)):
        with pytest.raises(UsageError):
            request_of(parse_domain("sub.northwind.example"), tenant, Wanted(("x",)), Offline())
