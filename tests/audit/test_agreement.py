"""What the engine decides for classes of flows is what the rule says of each row's own facts."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.audit.run import AuditOptions, audit
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.address import parse_address, parse_envelope_sender
from sidedoor.mail.fact import Unknown
from sidedoor.mail.network import parse_ip
from sidedoor.mailauth.facts import gather
from sidedoor.mailauth.resolver import Offline, Resolver
from sidedoor.mailauth.zonefile import read_zones
from sidedoor.policy.facts import Connection, Direction, Envelope, MessageFacts
from sidedoor.policy.rule import decide
from tests.audit.audit_kit import accepted_domain, connector, key, write_settings

NAMES = (
    "northwind.example",
    "a.northwind.example",
    "b.a.northwind.example",
    "bücher.example",
    "far.example",
    "x.far.example",
)
ADDRESSES = ("203.0.113.10", "198.51.100.7", "198.51.100.200", "192.0.2.1", "2001:db8:10::25")
NETWORKS = ("198.51.100.0/24", "198.51.100.0/28", "192.0.2.1", "203.0.113.10")
ZONE = """$ORIGIN example.
@ 60 IN SOA ns.example. h.example. 1 3600 600 86400 60
northwind 60 IN MX 0 northwind-example.mail.protection.outlook.com.
xn--bcher-kva 60 IN MX 10 mx.filter.example.
"""
domain = st.sampled_from(NAMES)
some = st.booleans()
accepted = st.builds(
    lambda name, below, kind: accepted_domain(name, MatchSubDomains=below, DomainType=kind),
    domain,
    some,
    st.sampled_from(["Authoritative", "InternalRelay"]),
)
inbound = st.fixed_dictionaries(
    {
        "Enabled": some,
        "ConnectorType": st.sampled_from(["Partner", "OnPremises"]),
        "SenderIPAddresses": st.lists(st.sampled_from(NETWORKS), max_size=2, unique=True),
        "SenderDomains": st.lists(
            st.one_of(st.just("smtp:*;1"), domain.map("smtp:{};1".format), domain.map("smtp:*.{};1".format)),
            min_size=1,
            max_size=2,
        ),
        "TlsSenderCertificateName": st.sampled_from([None, "mail.northwind.example", "*.far.example"]),
        "RequireTls": some,
        "RestrictDomainsToIPAddresses": some,
        "RestrictDomainsToCertificate": some,
    }
)
DIRECTIONS = {"Inbound": Direction.INCOMING, "Outbound": Direction.OUTBOUND, "Intra-org": Direction.INTRA_ORG}
event = st.fixed_dictionaries(
    {
        "SenderMailFromAddress": st.one_of(st.none(), st.just("<>"), domain.map("app@{}".format)),
        "SenderFromAddress": domain.map("app@{}".format),
        "RecipientEmailAddress": domain.map("anna@{}".format),
        "SenderIPv4": st.one_of(st.none(), st.sampled_from(ADDRESSES)),
        "EmailDirection": st.one_of(st.none(), st.sampled_from(sorted(DIRECTIONS))),
        "Connectors": st.sampled_from(["connector-0", "connector-1", "unheard of"]),
    }
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(accepted, min_size=1, max_size=4, unique_by=lambda made: made["DomainName"]),
    st.lists(inbound, max_size=2),
    st.sampled_from([True, False, None]),
    st.lists(event, min_size=1, max_size=12),
    some,
)
def test_each_row_is_decided_by_its_own_facts(
    domains: list[dict[str, Any]],
    connectors: list[dict[str, Any]],
    rejects: bool | None,
    events: list[dict[str, Any]],
    online: bool,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        named = [connector(f"connector-{n}", **made) for n, made in enumerate(connectors)]
        write_settings(folder / "tenant", domains, named, reject_direct_send=rejects)
        (folder / "zone").write_text(ZONE, encoding="ascii")
        resolver: Resolver = read_zones([folder / "zone"]) if online else Offline()
        rows = [{"Timestamp": "2026-11-03T08:00:00Z", "NetworkMessageId": key(n)} | e for n, e in enumerate(events)]
        (folder / "events.json").write_text(json.dumps(rows), encoding="utf-8")
        out = folder / "out"
        out.mkdir()
        options = AuditOptions(resolver, datetime(2026, 11, 24, tzinfo=UTC), tenant=(folder / "tenant",))
        audit([folder / "events.json"], out, options, lambda *_: None)
        columns = (
            "network_message_id, envelope_sender, recipient, client_ip, connector, direction, submission, would_reject"
        )
        with duckdb.connect(":memory:") as connection:
            told = connection.execute(f"SELECT {columns} FROM read_parquet('{out / 'messages.parquet'}')").fetchall()
        snapshot = read_tenant(sorted((folder / "tenant").iterdir())).snapshot
        assert not isinstance(snapshot.accepted_domains, Unknown)
        mx = gather([made.domain for made in snapshot.accepted_domains], resolver).mx
    assert len(told) == len(events)
    snapshot = type(snapshot)(**{f: getattr(snapshot, f) for f in snapshot.__slots__} | {"mail_exchangers": mx})
    for _, sender, recipient, ip, connector_name, direction, submission, would_reject in told:
        unknown = Unknown("this test did not tell")
        decision = decide(
            snapshot,
            Connection(client_ip=unknown if ip is None else (parse_ip(ip) if ip else None), tls=unknown),
            Envelope(unknown if sender is None else parse_envelope_sender(sender), parse_address(recipient)),
            MessageFacts(
                connector=unknown if connector_name is None else (connector_name or None),
                direction=unknown if direction is None else Direction(direction),
                accepted=True,
            ),
        )
        if sender is None and ip == "":
            continue  # the engine knows more then: nobody connected and the header From stands in (audit/facts.py)
        assert (submission, would_reject) == (decision.submission.value, decision.would_reject)
