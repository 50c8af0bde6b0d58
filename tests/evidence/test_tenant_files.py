"""Settings out of files: every form gives the same tenant, several files are one tenant or an error."""

from __future__ import annotations

import csv
import io
import json
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.tenant_files import TenantReading, is_tenant_export, read_tenant
from sidedoor.mail.fact import Unknown
from sidedoor.tenant.snapshot import TenantSnapshot

DATA = Path(__file__).parent.parent / "data"
TENANT = DATA / "tenant"
API = sorted(TENANT.glob("*.admin-api.json"))
PS7 = sorted(TENANT.glob("*.ps7.json"))
CONNECTORS = sorted(TENANT.glob("inbound-connector.*"))
ID = "0c0ffee0-1111-4222-8333-444455556666"

Item = dict[str, object]
DOMAIN: Item = {"DomainName": "contoso.com", "DomainType": "Authoritative", "MatchSubDomains": False}
INITIAL: Item = {**DOMAIN, "DomainName": "contoso.onmicrosoft.com", "InitialDomain": True}
CONFIG: Item = {"Name": "contoso.onmicrosoft.com", "RejectDirectSend": False}
CONNECTOR: Item = {
    "Name": "Hygiene",
    "ConnectorType": "Partner",
    "Enabled": True,
    "SenderIPAddresses": ["198.51.100.64/27", "203.0.113.22"],
    "SenderDomains": ["smtp:*;1", "smtp:contoso.com;1"],
    "TlsSenderCertificateName": None,
    "RequireTls": True,
    "RestrictDomainsToIPAddresses": True,
    "RestrictDomainsToCertificate": False,
    "CloudServicesMailEnabled": False,
    "TreatMessagesAsInternal": False,
    "AssociatedAcceptedDomains": [],
    "TrustedOrganizations": [],
    "EFSkipLastIP": True,
    "EFSkipIPs": [],
    "ConnectorSource": "AdminUI",
    "WhenChangedUTC": "2026-07-23T22:55:13.0000000Z",
}


def wrote(path: Path, content: object) -> Path:
    """`content` as it is where it is bytes or text, else as JSON."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def snapshot_of(folder: Path, *contents: object) -> TenantSnapshot:
    return reading_of(folder, *contents).snapshot


def reading_of(folder: Path, *contents: object) -> TenantReading:
    return read_tenant([wrote(folder / f"{at}.export", content) for at, content in enumerate(contents)])


def as_csv(items: Sequence[Mapping[str, object]], delimiter: str = ",", type_line: bool = False) -> str:
    """As `... | Select-Object Name, @{n='SenderIPAddresses'; e={$_.SenderIPAddresses -join ' '}} | Export-Csv`."""
    out = io.StringIO()
    if type_line:
        out.write("#TYPE Selected.System.Management.Automation.PSCustomObject\r\n")
    writer = csv.DictWriter(out, list(items[0]), delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in item.items()} for item in items)
    return out.getvalue()


def _cell(value: object) -> object:
    return " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else value


def as_clixml(items: Sequence[Mapping[str, object]]) -> str:
    body = "".join(
        f'<Obj RefId="{at}"><MS>{"".join(_member(key, value) for key, value in item.items())}</MS></Obj>'
        for at, item in enumerate(items)
    )
    return f'<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{body}</Objs>'


def _member(key: str, value: object) -> str:
    if isinstance(value, list):
        return f'<Obj N="{key}"><LST>{"".join(f"<S>{escape(str(entry))}</S>" for entry in value)}</LST></Obj>'
    if value is None:
        return f'<Nil N="{key}" />'
    if isinstance(value, bool):
        return f'<B N="{key}">{str(value).lower()}</B>'
    return f'<S N="{key}">{escape(str(value))}</S>'


@pytest.mark.parametrize("paths", [API, PS7, [TENANT], API + PS7 + CONNECTORS], ids=["api", "ps7", "folder", "all"])
def test_the_sample_tenant(paths: list[Path]) -> None:
    reading = read_tenant(paths)
    tenant = reading.snapshot
    assert tenant.name == "contoso.onmicrosoft.com"
    assert tenant.tenant_id == ("" if paths is PS7 else ID)
    assert tenant.reject_direct_send is False
    assert not isinstance(tenant.accepted_domains, Unknown)
    assert [str(row.domain) for row in tenant.accepted_domains] == [
        "contoso.com", "contoso.onmicrosoft.com", "contoso.mail.onmicrosoft.com", "legacy.contoso.net",
    ]  # fmt: skip
    assert not isinstance(tenant.inbound_connectors, Unknown)
    assert [(row.kind.name, row.enabled) for row in tenant.inbound_connectors] == [
        ("PARTNER", True), ("PARTNER", False), ("ON_PREMISES", True),
    ]  # fmt: skip
    assert not isinstance(tenant.connection_filter, Unknown)
    assert [str(network) for network in tenant.connection_filter.allow] == ["203.0.113.31/32"]
    assert reading.warnings == ()


@pytest.mark.parametrize("path", CONNECTORS, ids=lambda path: path.name)
def test_every_form_of_the_connectors_is_the_same(path: Path) -> None:
    assert read_tenant(path).snapshot.inbound_connectors == read_tenant(PS7).snapshot.inbound_connectors


FORMS: dict[str, Callable[[list[Item]], bytes]] = {
    "json": lambda items: json.dumps(items).encode(),
    "one object": lambda items: b"\r\n".join(json.dumps(item).encode() for item in items),
    "value": lambda items: json.dumps({"value": items, "Count": len(items)}).encode("utf-16"),
    "clixml": lambda items: as_clixml(items).encode("utf-16"),
    "csv": lambda items: as_csv(items).encode(),
    "csv of Windows PowerShell": lambda items: as_csv(items, type_line=True).encode("utf-16"),
    "csv with semicolons": lambda items: as_csv(items, ";").encode("utf-8-sig"),
    "csv without a mark": lambda items: as_csv(items).encode("utf-16-le"),
}
NAMES = st.from_regex(r"[A-Za-zé用][A-Za-zé用 <&'\"-]{0,10}[A-Za-z]", fullmatch=True)
NETWORKS = st.builds(
    lambda low, size: f"203.0.113.{low & (0xFF << (32 - size)) & 0xFF}/{size}", st.integers(0, 255), st.integers(24, 32)
)
ITEMS = st.lists(
    st.builds(
        lambda name, networks, domains, certificate, flags: {
            **CONNECTOR, **flags, "Name": name, "SenderIPAddresses": networks, "SenderDomains": domains,
            "TlsSenderCertificateName": certificate,
        },
        NAMES,
        st.lists(NETWORKS, max_size=4),
        st.lists(st.sampled_from(["smtp:*;1", "smtp:*.contoso.com;1", "smtp:fabrikam.com;10"]), max_size=3),
        st.none() | st.sampled_from(["mail.contoso.com", "*.contoso.com"]),
        st.dictionaries(st.sampled_from(["Enabled", "RequireTls", "RestrictDomainsToIPAddresses"]), st.booleans()),
    ),
    min_size=1, max_size=3, unique_by=lambda item: str(item["Name"]).casefold(),
)  # fmt: skip


@given(ITEMS)
@settings(max_examples=40, deadline=None)
def test_every_form_of_any_connectors_gives_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, items: list[Item]
) -> None:
    folder = tmp_path_factory.mktemp("forms")
    paths = [wrote(folder / name, write(items)) for name, write in FORMS.items()]
    snapshots = [read_tenant(path).snapshot.inbound_connectors for path in paths]
    assert not isinstance(snapshots[0], Unknown)
    assert [row.name for row in snapshots[0]] == [item["Name"] for item in items]
    assert all(other == snapshots[0] for other in snapshots)
    together = read_tenant(paths)
    assert together.snapshot.inbound_connectors == snapshots[0]
    assert together.warnings == ()


def test_export_csv_destroys_lists_and_another_form_makes_up_for_it(tmp_path: Path) -> None:
    bare = {**CONNECTOR, "SenderIPAddresses": "System.Collections.ArrayList", "SenderDomains": "System.Object[]"}
    alone = snapshot_of(tmp_path, as_csv([bare])).inbound_connectors
    assert isinstance(alone, Unknown)
    assert "SenderIPAddresses" in alone.reason
    for contents in ((as_csv([bare]), [CONNECTOR]), ([CONNECTOR], as_csv([bare]))):
        rows = snapshot_of(tmp_path, *contents).inbound_connectors
        assert not isinstance(rows, Unknown)
        assert [str(network) for network in rows[0].sender_networks] == ["198.51.100.64/27", "203.0.113.22/32"]


def test_what_no_file_holds_is_unknown(tmp_path: Path) -> None:
    tenant = snapshot_of(tmp_path, [CONNECTOR])
    parts = (tenant.accepted_domains, tenant.reject_direct_send, tenant.connection_filter, tenant.transport_rules)
    assert all(isinstance(part, Unknown) for part in parts)
    assert read_tenant([]).snapshot == read_tenant([], explicit=False).snapshot
    assert isinstance(read_tenant([]).snapshot.inbound_connectors, Unknown)


SCUBA = {
    "spf_records": [{"domain": "contoso.com"}],
    "accepted_domains": [INITIAL],
    "org_config": [{"Name": "contoso.onmicrosoft.com", "AuditDisabled": False, "HybridConfigurationStatus": "None"}],
    "inbound_connectors": [None],
    "transport_rule": [None],
    "exo_unsuccessful_commands": [],
}


def test_scubagear(tmp_path: Path) -> None:
    tenant = snapshot_of(tmp_path, SCUBA)
    assert tenant.inbound_connectors == ()
    assert tenant.transport_rules == ()
    assert isinstance(tenant.reject_direct_send, Unknown)
    assert isinstance(tenant.connection_filter, Unknown)
    assert tenant.name == "contoso.onmicrosoft.com"
    assert is_tenant_export(tmp_path / "0.export")


def test_a_set_whose_cmdlet_failed_is_unknown_and_not_empty(tmp_path: Path) -> None:
    failed = {**SCUBA, "exo_unsuccessful_commands": ["Get-InboundConnector", "Get-TransportRule"]}
    tenant = snapshot_of(tmp_path, failed)
    assert isinstance(tenant.inbound_connectors, Unknown)
    assert "Get-InboundConnector" in tenant.inbound_connectors.reason
    assert isinstance(tenant.transport_rules, Unknown)


def test_an_empty_set_counts_where_it_says_of_what(tmp_path: Path) -> None:
    assert snapshot_of(tmp_path, {"cmdlet": "Get-InboundConnector", "value": []}).inbound_connectors == ()
    assert is_tenant_export(tmp_path / "0.export")
    silents: list[object] = ["[]", {"value": []}, "[null]"]
    for silent in silents:
        with pytest.raises(InputError, match="does not say of what"):
            snapshot_of(tmp_path, silent)


def test_a_set_that_goes_on_elsewhere_is_unknown(tmp_path: Path) -> None:
    page = {"@odata.context": f"https://x/{ID}/$metadata", "value": [CONNECTOR], "@odata.nextLink": "https://x/2"}
    assert isinstance(snapshot_of(tmp_path, page).inbound_connectors, Unknown)
    last = {"@odata.context": f"https://x/{ID.upper()}/$metadata", "value": [{**CONNECTOR, "Name": "Second"}]}
    both = reading_of(tmp_path, page, last)
    assert not isinstance(both.snapshot.inbound_connectors, Unknown)
    assert [row.name for row in both.snapshot.inbound_connectors] == ["Hygiene", "Second"]
    assert both.warnings == ()


OTHER = {"Name": "fabrikam.onmicrosoft.com", "RejectDirectSend": True}
TWO_TENANTS = [
    (CONFIG, OTHER),
    ([INITIAL], [{**INITIAL, "DomainName": "fabrikam.onmicrosoft.com"}]),
    ([INITIAL], OTHER),
    (
        {"@odata.context": f"https://x/{ID}/$metadata", "value": [CONFIG]},
        {"@odata.context": f"https://x/{ID[:-1]}0/$metadata", "value": [CONNECTOR]},
    ),
]


@pytest.mark.parametrize(("one", "other"), TWO_TENANTS)
def test_two_tenants_are_an_error_that_names_both(tmp_path: Path, one: object, other: object) -> None:
    with pytest.raises(InputError, match=r"two tenants: .*0\.export.*one at a time") as caught:
        snapshot_of(tmp_path, one, other)
    assert "1.export" in str(caught.value)


def test_of_two_exports_of_a_rule_the_whole_one_counts(tmp_path: Path) -> None:
    short = {"Name": "R", "Priority": 0, "State": "Enabled", "Mode": "Enforce", "DeleteMessage": True}
    whole = {**short, "Conditions": None, "Exceptions": None, "SenderDomainIs": ["contoso.com"]}
    damaged = {**whole, "SenderDomainIs": "System.Object[]"}
    rules = reading_of(tmp_path, [short], [damaged], [whole], [short]).snapshot.transport_rules
    assert not isinstance(rules, Unknown)
    assert [rule.settings["SenderDomainIs"] for rule in rules] == [["contoso.com"]]


def test_the_newer_version_counts_and_says_so(tmp_path: Path) -> None:
    older = {**CONNECTOR, "SenderIPAddresses": ["192.0.2.1"], "WhenChangedUTC": "2026-01-01T00:00:00.0000000Z"}
    for contents in (([older], [CONNECTOR]), ([CONNECTOR], [older])):
        reading = reading_of(tmp_path, *contents)
        rows = reading.snapshot.inbound_connectors
        assert not isinstance(rows, Unknown)
        assert [str(network) for network in rows[0].sender_networks] == ["198.51.100.64/27", "203.0.113.22/32"]
        assert len(reading.warnings) == 1
        assert "sender_networks" in reading.warnings[0]


@pytest.mark.parametrize(
    ("one", "other", "field"),
    [
        ([CONNECTOR], [{**CONNECTOR, "Enabled": False}], "enabled"),
        (CONFIG, {**CONFIG, "RejectDirectSend": True}, "reject_direct_send"),
        ([DOMAIN], [{**DOMAIN, "MatchSubDomains": True}], "match_subdomains"),
        ({"IPAllowList": [], "IPBlockList": []}, {"IPAllowList": ["192.0.2.1"], "IPBlockList": []}, "allow"),
    ],
)
def test_exports_that_contradict_each_other(tmp_path: Path, one: object, other: object, field: str) -> None:
    with pytest.raises(InputError, match=rf"contradicts .*0\.export in {field}"):
        snapshot_of(tmp_path, one, other)


def test_a_known_setting_beats_an_unknown_one(tmp_path: Path) -> None:
    trimmed = {"Name": "contoso.onmicrosoft.com", "IsMixedMode": True, "SendFromAliasEnabled": False}
    for contents in ((trimmed, {**CONFIG, "RejectDirectSend": True}), ({**CONFIG, "RejectDirectSend": True}, trimmed)):
        assert snapshot_of(tmp_path, *contents).reject_direct_send is True


def test_files_that_list_different_objects_are_joined_with_a_warning(tmp_path: Path) -> None:
    reading = reading_of(tmp_path, [DOMAIN, INITIAL], [INITIAL])
    assert not isinstance(reading.snapshot.accepted_domains, Unknown)
    assert len(reading.snapshot.accepted_domains) == 2
    assert len(reading.warnings) == 1
    assert "contoso.com" in reading.warnings[0]


ERRORS = {
    "bad-request.json": "Parameter set cannot be resolved",
    "too-many-requests.json": "surpassed the permitted limit",
    "unauthorized.json": "service principal",
    "forbidden.nul.bin": "nothing but NUL bytes",
}


@pytest.mark.parametrize(("name", "words"), ERRORS.items())
def test_an_api_error_is_no_export(tmp_path: Path, name: str, words: str) -> None:
    path = DATA / "tenant-errors" / name
    with pytest.raises(InputError, match=words):
        read_tenant(path)
    if path.suffix == ".json":
        with pytest.raises(InputError, match="an API error, not an export"):
            is_tenant_export(path)
    shutil.copy(path, tmp_path)
    wrote(tmp_path / "config.json", CONFIG)
    reading = read_tenant(tmp_path)
    assert [file.name for file in reading.files] == ["config.json"]
    assert len(reading.warnings) == 1
    assert words in reading.warnings[0]


STRANGERS = {
    "zone": "$ORIGIN contoso.com.\n@ 3600 IN MX 0 contoso-com.mail.protection.outlook.com.\n",
    "trace": "MessageTraceId,SenderAddress,Status\na,b@c.example,Delivered\n",
    "page": "<html></html>",
    "picture": b"\x89PNG\r\n\x1a\n\0\0",
    "workbook": b"PK\x03\x04\x00",
    "rows": '[{"MessageTraceId":"a"}]',
    ".hidden": json.dumps(OTHER),
}


def test_strangers_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    for name, content in STRANGERS.items():
        wrote(tmp_path / name, content)
    (tmp_path / "below").mkdir()
    wrote(tmp_path / "below" / "config.json", CONFIG)
    reading = read_tenant([tmp_path])
    assert [file.name for file in reading.files] == ["config.json"]
    assert reading.warnings == ()


@pytest.mark.parametrize("name", [name for name in STRANGERS if name != ".hidden"])
def test_a_named_stranger_is_an_error(tmp_path: Path, name: str) -> None:
    path = wrote(tmp_path / name, STRANGERS[name])
    assert not is_tenant_export(path)
    with pytest.raises(InputError, match="Get-InboundConnector"):
        read_tenant([path])
    assert read_tenant([path], explicit=False).files == ()


def test_a_folder_without_settings_and_a_path_without_anything(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError):
            read_tenant(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([{**CONNECTOR, "Name": None}], "without a Name"),
        ([{**CONNECTOR, "ConnectorType": "Sideways"}], "Sideways"),
        ([{**DOMAIN, "DomainName": "a..b"}], "a..b"),
        (as_csv([CONNECTOR]) + '"torn","row"\r\n', "a row that cannot be read"),
    ],
)
def test_a_broken_setting_is_an_error_that_names_the_file(tmp_path: Path, content: object, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        snapshot_of(tmp_path, content)
    assert "0.export" in str(caught.value)


@given(st.sampled_from([*CONNECTORS, *PS7, *API]), st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=120, deadline=None)
def test_a_mutated_export_is_read_or_is_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, good: Path, dice: random.Random, times: int
) -> None:
    content = bytearray(good.read_bytes())
    for _ in range(times):
        start = dice.randrange(len(content))
        content[start : start + dice.choice([0, 1, 8])] = dice.choice(
            [b"", b"\0", b'"', b"9", b"null", b"[]", b"{}", b"<"]
        )
    folder = tmp_path_factory.mktemp("mutated")
    path = wrote(folder / "export", bytes(content))
    for read in (is_tenant_export, read_tenant, lambda path: read_tenant(path.parent)):
        try:
            read(path)
        except InputError as error:
            assert str(folder) in str(error)  # noqa: PT017  # any other exception fails the test


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"[null]", b'{"@odata.context": "https://x/$metadata#C", "value": []}']
)
def test_an_empty_file_named_after_connectors_says_there_are_none(tmp_path: Path, content: bytes) -> None:
    """`Get-InboundConnector | ConvertTo-Json` writes nothing where there is nothing."""
    path = tmp_path / "contoso-InboundConnector.json"
    path.write_bytes(content)
    reading = read_tenant([path])
    assert reading.snapshot.inbound_connectors == ()
    assert "taken as no InboundConnector" in reading.warnings[0]


@pytest.mark.parametrize("name", ["AcceptedDomain.json", "OrganizationConfig.json", "anything.json"])
def test_an_empty_file_of_what_every_tenant_has_says_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"[]")
    assert read_tenant(tmp_path, explicit=False).files == ()
