"""The invented tenant's settings, in three of PowerShell's forms, and its DNS zones."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection
from pathlib import Path
from xml.sax.saxutils import escape

from sidedoor.demo.names import filtered_domain, first_label, legacy_domain
from sidedoor.demo.population import FILTER, RELAY

TENANT_ID = "0c0ffee0-1111-4222-8333-444455556666"


def write_settings(folder: Path, domain: str) -> None:
    """OrganizationConfig and connectors as JSON, accepted domains as CliXML, the rest as CSV and JSON."""
    name = first_label(domain)
    organization = {"Name": f"{name}.onmicrosoft.com", "DisplayName": name.title(), "RejectDirectSend": False}
    _json(folder / "OrganizationConfig.json", organization)
    _json(folder / "InboundConnector.json", _connectors(domain))
    _clixml(folder / "AcceptedDomain.xml", _accepted(domain))
    _csv(folder / "TransportRule.csv", [
        {"Name": "External banner", "Priority": "0", "State": "Enabled", "Mode": "Enforce",
         "FromScope": "NotInOrganization", "PrependSubject": "[External]", "SenderAddressLocation": "Header"},
    ])  # fmt: skip
    _json(folder / "HostedConnectionFilterPolicy.json", {
        "Name": "Default", "IsDefault": True, "IPAllowList": [],
        "IPBlockList": ["192.0.2.250"], "EnableSafeList": False,
    })  # fmt: skip


def _accepted(domain: str) -> list[dict[str, object]]:
    name = first_label(domain)
    rows = [(domain, "Authoritative", True, False), (f"{name}.onmicrosoft.com", "Authoritative", False, False),
            (f"{name}.mail.onmicrosoft.com", "Authoritative", False, False),
            (filtered_domain(domain), "Authoritative", False, False),
            (legacy_domain(domain), "InternalRelay", False, True)]  # fmt: skip
    return [
        {"DomainName": text, "DomainType": kind, "Default": default, "MatchSubDomains": subdomains}
        for text, kind, default, subdomains in rows
    ]


def _connectors(domain: str) -> list[dict[str, object]]:
    common: dict[str, object] = {
        "Enabled": True, "ConnectorSource": "AdminUI", "SenderIPAddresses": [], "SenderDomains": ["smtp:*;1"],
        "AssociatedAcceptedDomains": [], "TrustedOrganizations": [], "RequireTls": False,
        "RestrictDomainsToIPAddresses": False, "RestrictDomainsToCertificate": False, "TlsSenderCertificateName": None,
        "CloudServicesMailEnabled": False, "TreatMessagesAsInternal": False,
    }  # fmt: skip
    return [
        {**common, "Name": RELAY, "ConnectorType": "OnPremises", "SenderIPAddresses": ["192.0.2.10"]},
        # Not restricted to the filter's addresses: who dials Exchange Online himself comes in beside the filter.
        {**common, "Name": FILTER, "ConnectorType": "Partner",
         "SenderIPAddresses": ["198.51.100.210", "198.51.100.211"]},
        # Names only domains: it attributes nothing, and administrators believe that it does.
        {**common, "Name": "Own domain", "ConnectorType": "Partner", "SenderDomains": [f"smtp:{domain};1"]},
        {**common, "Name": "Old scanner", "ConnectorType": "Partner", "Enabled": False,
         "SenderIPAddresses": ["203.0.113.40"], "SenderDomains": [f"smtp:{domain};1"]},
    ]  # fmt: skip


def _json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def _csv(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def _clixml(path: Path, rows: list[dict[str, object]]) -> None:
    """Export-Clixml of Windows PowerShell 5.1: UTF-16LE with BOM."""
    objects = "".join(
        f'<Obj RefId="{number}"><MS>{"".join(_property(name, value) for name, value in row.items())}</MS></Obj>\n'
        for number, row in enumerate(rows)
    )
    schema = "http://schemas.microsoft.com/powershell/2004/04"
    path.write_text(f'<Objs Version="1.1.0.1" xmlns="{schema}">\n{objects}</Objs>', encoding="utf-16")


def _property(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f'<B N="{name}">{str(value).lower()}</B>'
    return f'<S N="{name}">{escape(str(value))}</S>'


_HEAD = "@ 3600 IN SOA ns.{0}. hostmaster.{0}. 1 7200 3600 604800 3600\n@ 3600 IN NS ns.{0}.\n"
# Zones of everybody else: services that the tenant's SPF includes, an attacker who publishes SPF, reverse names.
_OTHERS = {
    "tickets.example": '_spf 3600 IN TXT "v=spf1 ip4:198.51.100.40/30 -all"\n',
    "mailer.example": '_spf 3600 IN TXT "v=spf1 ip4:198.51.100.80/29 -all"\n',
    "survey.example": "smtp 3600 IN A 198.51.100.90\n",
    "protection.outlook.com": 'spf 3600 IN TXT "v=spf1 ip4:198.51.100.250 -all"\n',
    "filter.example": "mx1 3600 IN A 198.51.100.212\nmx2 3600 IN A 198.51.100.213\n",
    "supplier.example": '@ 3600 IN TXT "v=spf1 ip4:198.51.100.220 -all"\n',
    "attacker.example": '@ 3600 IN TXT "v=spf1 ip4:192.0.2.240 -all"\n',
    "100.51.198.in-addr.arpa": "200 3600 IN PTR mx.alumni.example.\n90 3600 IN PTR smtp.survey.example.\n",
    "2.0.192.in-addr.arpa": "",
}


def fixed_zones() -> Collection[str]:
    """Names of the zones that do not depend on the tenant's domain, and so cannot be it."""
    return _OTHERS.keys()


def write_zones(folder: Path, domain: str) -> None:
    """Master files (RFC 1035 section 5) for what the audit asks: MX, SPF with its includes, DMARC, reverse names."""
    folder.mkdir(exist_ok=True)
    for origin, records in {**_OTHERS, **_own_zones(domain)}.items():
        text = f"$ORIGIN {origin}.\n{_HEAD.format(origin)}{records}"
        (folder / f"{origin}.zone").write_text(text, encoding="ascii")


def _own_zones(domain: str) -> dict[str, str]:
    """The accepted domains. SPF lists all offices but North and West, which nobody thought of, and not the survey."""
    name = first_label(domain)
    mx = f"@ 3600 IN MX 0 {domain.replace('.', '-')}.mail.protection.outlook.com.\n"
    spf = (
        "v=spf1 ip4:203.0.113.10 ip4:203.0.113.22 ip4:203.0.113.23 ip4:203.0.113.24 ip6:2001:db8:10::25 "
        "ip4:192.0.2.10 include:spf.protection.outlook.com include:_spf.tickets.example ~all"
    )
    microsoft = f'{mx}@ 3600 IN TXT "v=spf1 include:spf.protection.outlook.com -all"\n'
    return {
        domain: f'{mx}@ 3600 IN TXT "{spf}"\n_dmarc 3600 IN TXT "v=DMARC1; p=none"\n'
                'bounces 3600 IN TXT "v=spf1 include:_spf.mailer.example -all"\nmon01 3600 IN A 203.0.113.22\n',
        f"{name}.onmicrosoft.com": microsoft,
        f"{name}.mail.onmicrosoft.com": microsoft,
        filtered_domain(domain): '@ 3600 IN MX 10 mx1.filter.example.\n@ 3600 IN MX 20 mx2.filter.example.\n'
                                 '@ 3600 IN TXT "v=spf1 -all"\n_dmarc 3600 IN TXT "v=DMARC1; p=reject"\n',
        legacy_domain(domain): f'{mx}@ 3600 IN TXT "v=spf1 -all"\n_dmarc 3600 IN TXT "v=DMARC1; p=reject"\n',
        "113.0.203.in-addr.arpa": f"22 3600 IN PTR mon01.{domain}.\n",
    }  # fmt: skip
