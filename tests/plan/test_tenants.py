"""Tenants that made a plan wrong once, or could: what an Exchange administrator would object to."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.plan.model import Action, ConflictKind, ConnectorProposal, Method, Plan, RuleStage
from sidedoor.plan.script.files import plan_files
from sidedoor.plan.words import Words, parse_words
from sidedoor.tenant.snapshot import ConnectorKind
from tests.audit.audit_kit import accepted_domain, connector, v2_file, v2_row, write_settings
from tests.plan.plan_kit import ZONE, Planned, mails, planned, report, said

SCANNER, OTHER, OFFICE = "203.0.113.10", "203.0.113.60", "203.0.113.99"
SCAN, ERP = "scan@northwind.example", "erp@northwind.example"
ADDRESSES: dict[str, Any] = {
    "SenderDomains": ["smtp:northwind.example;1"], "SenderIPAddresses": [OFFICE], "RestrictDomainsToIPAddresses": True,
}  # fmt: skip


def with_word(folder: Path, part: str, more: str = "", **word: Any) -> Planned:
    """The plan where plan.toml says something of the sender whose name or networks hold `part`."""
    senders = json.loads((folder / "report.json").read_text("ascii"))["senders"]
    sender = next(each["id"] for each in senders if part in f"{each['name']} {each['networks']}")
    words = said(**{f"_{sender}": word})
    extra = parse_words(more, "plan.toml")
    return planned(folder, Words(words.senders, extra.relays, extra.filter, "plan.toml"))


def by_kind(plan: Plan, kind: ConnectorKind) -> list[ConnectorProposal]:
    return [each for each in plan.connectors if each.kind is kind]


# What a connector asks of its clients


def test_a_connector_that_requires_tls_does_not_refuse_whom_it_is_extended_for(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN), connectors=[connector("Office", **ADDRESSES, RequireTls=True)])
    made = planned(folder).plan
    (proposal,) = made.connectors
    assert (proposal.action, proposal.settings.require_tls) == (Action.SET, False)
    assert proposal.before is not None
    assert proposal.before.require_tls is True
    assert any("RequireTls is switched off" in conflict.text for conflict in made.conflicts)
    assert made.ready, made.blockers


def test_whether_a_connector_requires_tls_is_not_guessed(tmp_path: Path) -> None:
    row = connector("Office", **ADDRESSES)
    del row["RequireTls"]
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[row]))
    assert made.plan.connectors[0].settings.require_tls is None
    assert "honest-undetermined" in made.blockers()
    assert any("RequireTls of 'Office'" in note.text for note in made.plan.notes)


def test_a_new_connector_by_address_says_that_it_wants_no_tls(tmp_path: Path) -> None:
    """New-InboundConnector has RequireTls on by default: a printer without TLS would be refused."""
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN))).plan
    assert "RequireTls = $false" in script(made, "30-connectors.ps1")


# Several connectors on one domain: which of them decides is undocumented


def test_who_shows_a_certificate_is_listed_in_the_restricted_domain_too(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + mails(100, OTHER, ERP))
    made = with_word(folder, OTHER, certificate="erp.northwind.example").plan
    assert {each.settings.addresses for each in made.connectors} == {(), (SCANNER, OTHER)}
    assert made.replay.readings == ()
    assert made.ready


def test_a_domain_that_an_unlisted_certificate_shares_is_not_restricted(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + mails(100, "2001:db8::25", ERP))
    made = with_word(folder, "2001:db8::25", certificate="erp.northwind.example").plan
    assert not any(each.settings.restrict_to_addresses for each in made.connectors)
    (relay,) = by_kind(made, ConnectorKind.ON_PREMISES)
    assert relay.settings.addresses == (SCANNER,)
    assert not any(reading.switch == "partner-precedence" for reading in made.replay.readings)


def test_a_domain_that_a_certificate_restricts_already_gets_no_second_restriction(tmp_path: Path) -> None:
    row = connector(
        "ByCertificate", SenderDomains=["smtp:northwind.example;1"], TlsSenderCertificateName="x.northwind.example",
        RestrictDomainsToCertificate=True, RequireTls=True,
    )  # fmt: skip
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[row])).plan
    assert [each.kind for each in made.connectors] == [ConnectorKind.ON_PREMISES]
    assert made.ready, made.blockers


def test_a_connector_for_a_domain_and_all_below_is_extended_once(tmp_path: Path) -> None:
    domain = accepted_domain("northwind.example", Default=True, DomainType="InternalRelay", MatchSubDomains=True)
    wide = connector("Wide", **ADDRESSES | {"SenderDomains": ["smtp:*.northwind.example;1"]})
    rows = mails(0, SCANNER, "scan@sub.northwind.example") + mails(100, OTHER, ERP)
    made = planned(report(tmp_path, rows, domains=[domain], connectors=[wide])).plan
    (proposal,) = made.connectors
    assert (proposal.name, proposal.settings.addresses) == ("Wide", (SCANNER, OTHER, OFFICE))
    assert len(proposal.senders) == 2
    assert made.ready, made.blockers


def test_who_else_gains_by_an_extension_is_said(tmp_path: Path) -> None:
    domains = [accepted_domain("northwind.example", Default=True), accepted_domain("shop.example")]
    both = connector("Both", **ADDRESSES | {"SenderDomains": ["smtp:northwind.example;1", "smtp:shop.example;1"]})
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), domains=domains, connectors=[both])).plan
    assert any("may then write as shop.example too" in conflict.text for conflict in made.conflicts)


def test_a_connector_whose_list_the_export_lost_is_left_alone(tmp_path: Path) -> None:
    """Putting it back would need what nobody knows."""
    broken = connector("Office", **ADDRESSES | {"SenderIPAddresses": [OFFICE, "not an address"]})
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[broken])).plan
    assert "Office" not in {each.name for each in made.connectors}


def test_an_onpremises_connector_for_other_domains_is_no_conflict(tmp_path: Path) -> None:
    limited = connector(
        "Relay", ConnectorType="OnPremises", SenderIPAddresses=["203.0.113.0/24"],
        AssociatedAcceptedDomains=["other.example"],
    )  # fmt: skip
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[limited])).plan
    assert ConflictKind.ONPREMISES_FIRST not in {conflict.kind for conflict in made.conflicts}


def test_a_relay_connector_of_an_earlier_plan_is_extended(tmp_path: Path) -> None:
    rows = [
        connector(name, ConnectorType="OnPremises", SenderIPAddresses=[address], **more)
        for name, address, more in (
            ("Inbound from hybrid", "203.0.113.1", {"ConnectorSource": "HybridWizard"}),
            ("Sidedoor relay", "203.0.113.5", {}),
        )
    ]
    folder = report(tmp_path, mails(0, SCANNER, SCAN), connectors=rows)
    (proposal,) = with_word(folder, SCANNER, external=True).plan.connectors
    assert (proposal.action, proposal.name) == (Action.SET, "Sidedoor relay")
    assert proposal.settings.addresses == ("203.0.113.5", SCANNER)


# Services on networks that they share


SPF = """$ORIGIN northwind.example.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 IN MX 0 northwind-example.mail.protection.outlook.com.
@ 3600 IN TXT "v=spf1 include:spf.protection.outlook.com include:sendgrid.net include:mail.zendesk.com -all"
"""


def _zone(origin: str, owner: str, network: str) -> str:
    return (
        f"$ORIGIN {origin}.\n@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300\n"
        f'{owner} 3600 IN TXT "v=spf1 ip4:{network} -all"\n'
    )


ZONES = (
    _zone("outlook.com", "spf.protection", "198.51.100.0/25"),
    _zone("sendgrid.net", "@", "198.51.100.128/26"),
    _zone("zendesk.com", "mail", "198.51.100.192/26"),
)


@pytest.fixture
def services(tmp_path: Path) -> Planned:
    rows = mails(0, "198.51.100.130", "news@northwind.example") + mails(100, "198.51.100.200", "help@northwind.example")
    return planned(report(tmp_path, rows + mails(200, "198.51.100.9", "jo@northwind.example"), SPF, ZONES))


def test_shared_networks_get_no_connector_and_the_reason_is_given(services: Planned) -> None:
    assert services.plan.connectors == ()
    for name in ("SendGrid", "Zendesk", "Microsoft 365"):
        by_address = next(each for each in services.choice(name).alternatives if each.method is Method.PARTNER_ADDRESS)
        assert not by_address.fits
        assert {"shared-addresses", "sharing-unknown"} & {because.id for because in by_address.reasons}


def test_each_service_has_a_return_path_of_its_own(services: Planned) -> None:
    paths = [services.choice(name).return_path for name in ("SendGrid", "Zendesk")]
    assert paths == ["bounce-sendgrid.northwind.example", "bounce-zendesk.northwind.example"]
    rule = next(rule for rule in services.plan.rules if rule.stage is RuleStage.TAG)
    assert rule.parameters["ExceptIfSenderDomainIs"] == tuple(paths)


def test_what_nobody_knows_of_a_product_is_said_with_the_choice(services: Planned) -> None:
    assert {warning.id for warning in services.choice("Zendesk").warnings} == {
        "return-path-unknown",
        "catalogue-advice",
    }
    assert "return-path-unknown" not in {warning.id for warning in services.choice("SendGrid").warnings}


def test_people_of_another_tenant_cannot_choose_a_return_path(services: Planned) -> None:
    choice = services.choice("Microsoft 365")
    assert choice.method is Method.UNDECIDED
    assert "TrustedOrganizations" in choice.reasons[0].text
    assert not services.plan.ready


def test_a_service_is_not_told_to_use_a_relay_of_ours(services: Planned) -> None:
    relay = next(each for each in services.choice("SendGrid").alternatives if each.method is Method.LOCAL_RELAY)
    assert not relay.fits


def knows_product(folder: Path, product: str) -> Path:
    """The report, with a product that its one sender claims to be."""
    body = json.loads((folder / "report.json").read_text("ascii"))
    body["senders"][0]["claims_product"] = product
    (folder / "report.json").write_text(json.dumps(body), "ascii")
    return folder


def test_a_login_with_a_password_alone_is_no_way_past_december_2026(tmp_path: Path) -> None:
    folder = knows_product(report(tmp_path, mails(0, "2001:db8::25", SCAN)), "proxmox")
    choice = planned(folder).plan.choices[0]
    assert (choice.method, choice.deadlines) == (Method.HVE, ("hve-basic-ends", "hve-is-billed"))
    oauth = next(each for each in choice.alternatives if each.method is Method.SMTP_AUTH_OAUTH)
    assert [because.id for because in oauth.reasons] == ["basic-only"]
    assert "end of December 2026" in oauth.reasons[0].text


def test_too_many_messages_for_a_mailbox_are_no_oauth(tmp_path: Path) -> None:
    rows = mails(0, "2001:db8::25", SCAN)
    rows += [
        row | {"NetworkMessageId": f"d{number:07d}-1b62-4d07-db4f-08df1a18ee9b", "Timestamp": "2026-11-02T08:00:00Z"}
        for number, row in enumerate(mails(0, "2001:db8::25", SCAN, days=1) * 10_001)
    ]
    folder = knows_product(report(tmp_path, rows), "3cx")
    choice = planned(folder).plan.choices[0]
    reasons = {each.method: {because.id for because in each.reasons} for each in choice.alternatives}
    assert "too-many-a-day" in reasons[Method.SMTP_AUTH_OAUTH]


# Behind a filter


FILTERED = """$ORIGIN northwind.example.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 IN MX 0 mx.filter.example.
@ 3600 IN TXT "v=spf1 ip4:203.0.113.0/24 -all"
"""
SHOP = """$ORIGIN shop.example.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 IN MX 0 shop-example.mail.protection.outlook.com.
"""
FRIEND = mails(500, "198.51.100.7", "a@friend.example")
EDI = mails(600, "198.51.100.99", "edi@supplier.example")


def test_the_harm_of_a_lockdown_is_counted_once(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + FRIEND + EDI
    folder = report(tmp_path, rows, FILTERED)
    words = parse_words('[filter]\naddresses = ["198.51.100.7"]', "plan.toml")
    (note,) = [note for note in planned(folder, words).plan.notes if note.id == "lockdown-would-harm"]
    assert "refuse 30 messages" in note.text


def test_a_lockdown_by_certificate_is_proven_by_the_filters_addresses(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + FRIEND, FILTERED)
    alone = planned(folder, parse_words('[filter]\ncertificate = "*.filter.example"', "plan.toml")).plan
    assert not any(each.lockdown for each in alone.connectors)
    assert "filter-addresses-unknown" in {note.id for note in alone.notes}
    text = '[filter]\ncertificate = "*.filter.example"\naddresses = ["198.51.96.0/20"]'
    made = planned(folder, parse_words(text, "plan.toml")).plan
    (lock,) = [each for each in made.connectors if each.lockdown]
    assert (lock.settings.certificate_name, lock.settings.restrict_to_certificate) == ("*.filter.example", True)
    assert lock.settings.addresses == ()
    assert made.ready, made.blockers
    assert made.replay.newly_restricted == 0


def test_a_rule_for_mail_beside_the_filter_leaves_other_domains_alone(tmp_path: Path) -> None:
    """Mail to a domain whose MX leads straight to Exchange Online comes beside the filter by right."""
    domains = [accepted_domain("northwind.example", Default=True), accepted_domain("shop.example")]
    rows = (
        mails(0, SCANNER, SCAN)
        + FRIEND
        + mails(900, "192.0.2.9", "x@c.example", RecipientEmailAddress="a@shop.example")
    )
    folder = report(tmp_path, rows, FILTERED, (SHOP,), domains=domains)
    words = parse_words('[filter]\nstage = "quarantine"\naddresses = ["198.51.100.7"]', "plan.toml")
    made = planned(folder, words)
    (rule,) = [rule for rule in made.plan.rules if rule.stage is RuleStage.QUARANTINE]
    assert rule.parameters["RecipientDomainIs"] == ("northwind.example",)
    assert "honest-held" not in made.blockers()
    assert made.plan.ready, made.plan.blockers


def test_a_quarantine_that_would_hold_honest_mail_is_in_the_way(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + FRIEND + EDI, FILTERED)
    words = parse_words('[filter]\nstage = "quarantine"\naddresses = ["198.51.100.7"]', "plan.toml")
    made = planned(folder, words)
    (blocker,) = [each for each in made.plan.blockers if each.id == "honest-held"]
    assert "30 messages of edi@supplier.example" in blocker.text


def test_a_stage_that_can_do_nothing_is_said_to(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    made = planned(folder, parse_words('[filter]\nstage = "lockdown"', "plan.toml")).plan
    assert "no-filter" in {note.id for note in made.notes}


def test_a_new_return_path_is_held_against_a_lockdown_that_stands(tmp_path: Path) -> None:
    lock = connector("Filter", SenderIPAddresses=["198.51.100.7"], RestrictDomainsToIPAddresses=True)
    folder = report(tmp_path, mails(0, OTHER, ERP) + FRIEND, FILTERED, connectors=[lock])
    made = with_word(folder, OTHER, method="return-path")
    assert "honest-refused" in made.blockers()
    assert "through-the-filter" in {warning.id for warning in made.choice(OTHER).warnings}


# What a person says


def test_a_range_wider_than_a_connector_takes_is_split_and_said(tmp_path: Path) -> None:
    made = with_word(
        report(tmp_path, mails(0, SCANNER, SCAN)), SCANNER, addresses=["203.0.112.0/20"], shared=False
    ).plan
    (proposal,) = made.connectors
    assert len(proposal.settings.addresses) == 16
    assert proposal.settings.addresses[1] == "203.0.113.0/24"
    assert proposal.widened == ("203.0.112.0/20: 4095 of 4096 addresses never seen",)


@pytest.mark.parametrize(("external", "kind"), [(False, ConnectorKind.PARTNER), (True, ConnectorKind.ON_PREMISES)])
def test_a_relay_gets_no_more_rights_than_it_needs(tmp_path: Path, external: bool, kind: ConnectorKind) -> None:
    relay = f'[relays.main]\naddresses = ["203.0.113.5"]\nexternal = {str(external).lower()}\n'
    made = with_word(report(tmp_path, mails(0, SCANNER, SCAN)), SCANNER, relay, method="local-relay", relay="main").plan
    assert [(each.kind, each.settings.addresses) for each in made.connectors] == [(kind, ("203.0.113.5",))]
    assert made.ready, made.blockers
    assert (made.replay.closed.refused, made.replay.after.refused) == (30, 0)


def test_communication_services_need_a_domain_that_is_not_accepted(tmp_path: Path) -> None:
    """Nobody at Microsoft says that their mail in an accepted domain passes RejectDirectSend."""
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    choice = with_word(folder, SCANNER, method="communication-services", external=True).plan.choices[0]
    assert choice.return_path == "bounce.northwind.example"
    assert "own-domain-refused" in {warning.id for warning in choice.warnings}


def test_private_addresses_are_nobodys_at_the_door(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    made = with_word(folder, SCANNER, method="partner-address", addresses=["10.0.0.0/24"])
    assert "private-address" in made.blockers()


def test_nothing_is_offered_to_spoofs_and_forwarders(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    assert with_word(folder, SCANNER, assessment="spoofing").plan.choices[0].alternatives == ()
    assert with_word(folder, SCANNER, method="refuse").plan.choices[0].alternatives == ()


def test_a_tenant_that_nobody_sends_to_directly_has_nothing_to_move(tmp_path: Path) -> None:
    made = planned(report(tmp_path, FRIEND)).plan
    assert made.ready
    assert made.connectors == ()
    assert [change.stage.value for change in made.changes] == ["check", "tag", "switch", "verify"]


def test_what_a_trace_cannot_tell_is_no_refusal_and_no_silence(tmp_path: Path, capsys: Any) -> None:
    """A message trace does not say who had logged in; with the connector it does not matter any more."""
    folder = tmp_path / "in"
    write_settings(folder)
    v2_file(folder / "trace.csv", [v2_row(day, Received=f"2026-11-{1 + day % 28:02d}T08:00:00Z") for day in range(60)])
    (tmp_path / "zone").write_text(ZONE)
    assert main(["audit", str(folder), "-o", str(tmp_path / "out"), "--dns", str(tmp_path / "zone"), "--quiet"]) == 0
    made = planned(tmp_path / "out").plan
    assert (made.replay.before.undetermined, made.replay.after.accepted) == (60, 60)
    assert main(["plan", str(tmp_path / "out")]) == 0
    assert "60? > 0 " in capsys.readouterr().out


def test_a_closed_door_has_nothing_left_to_mark(tmp_path: Path) -> None:
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), reject_direct_send=True)).plan
    assert made.rules == ()
    assert made.notes == ()
    letter = next(data for name, data in plan_files(made).items() if name.startswith("owners/")).decode()
    assert "We have closed" in letter
    assert "from the day" not in letter


# The scripts


def script(plan: Plan, name: str) -> str:
    return plan_files(plan)[f"scripts/{name}"].decode("utf-8-sig").replace("\r\n", "\n")


def test_a_change_touches_and_puts_back_only_what_is_different(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN), connectors=[connector("Office", **ADDRESSES, RequireTls=True)])
    text = script(planned(folder).plan, "90-rollback.ps1")
    change, back = text.partition("Change = @{")[2], text.partition("Back = @{")[2]
    assert "SenderIPAddresses = @('203.0.113.10', '203.0.113.99')\n            RequireTls = $false\n" in change[:150]
    assert "SenderIPAddresses = @('203.0.113.99')\n            RequireTls = $true\n" in back[:150]
    assert "SenderDomains" not in back.partition("}")[0]


def test_the_way_back_is_the_way_there_reversed(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + FRIEND, FILTERED)
    words = parse_words('[filter]\naddresses = ["198.51.100.7"]', "plan.toml")
    text = script(planned(folder, words).plan, "90-rollback.ps1")
    names = ("lock-down: mail through", "What = 'switch'", "Name = 'Sidedoor relay'", "Name = 'Sidedoor: tag")
    places = [text.index(name) for name in names]
    assert places == sorted(places)


def test_a_plan_that_is_not_ready_does_not_switch(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    made = with_word(folder, SCANNER, assessment="unclear").plan
    assert "'undecided: scan@northwind.example" in script(made, "40-switch.ps1")
    assert "NOT READY: 1 thing is in the way" in script(made, "README.txt")
    assert "$Blockers = @()" in script(planned(folder).plan, "40-switch.ps1")


def test_an_unknown_switch_is_not_put_back_by_guessing(tmp_path: Path) -> None:
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), reject_direct_send=None)).plan
    assert "RejectDirectSend = $null" in script(made, "90-rollback.ps1")


def test_the_reader_is_told_that_connectors_refuse_before_the_switch(tmp_path: Path) -> None:
    text = script(planned(report(tmp_path, mails(0, SCANNER, SCAN))).plan, "README.txt")
    assert "Before 30-connectors.ps1 everybody" in text
    assert max(map(len, text.splitlines())) <= 110


def test_scripts_of_an_earlier_plan_do_not_stay_to_be_run(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + FRIEND, FILTERED)
    (folder / "plan.toml").write_text('[filter]\naddresses = ["198.51.100.7"]\n')
    assert main(["plan", str(folder), "--quiet"]) == 0
    scripts = folder / "plan" / "scripts"
    assert (scripts / "60-lockdown.ps1").exists()
    (scripts / "my-own.ps1").write_text("# mine")
    (folder / "plan.toml").write_text('[filter]\nstage = "none"\n')
    assert main(["plan", str(folder), "--quiet"]) == 0
    assert not (scripts / "60-lockdown.ps1").exists()
    assert (scripts / "my-own.ps1").exists()


# MicrosoftDocs/office-docs-powershell, New-InboundConnector.md and New-TransportRule.md; those a plan has use for.
CONNECTOR_PARAMETERS = {
    "ConnectorType", "Enabled", "SenderDomains", "SenderIPAddresses", "TlsSenderCertificateName", "RequireTls",
    "RestrictDomainsToIPAddresses", "RestrictDomainsToCertificate",
}  # fmt: skip
RULE_PARAMETERS = {
    "SenderDomainIs", "SenderAddressLocation", "RecipientDomainIs", "HeaderContainsMessageHeader",
    "HeaderContainsWords", "ExceptIfSenderIpRanges", "ExceptIfSenderDomainIs", "ExceptIfMessageTypeMatches",
    "SetHeaderName", "SetHeaderValue", "Quarantine", "Mode",
}  # fmt: skip


def test_parameters_are_those_of_the_cmdlets(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + FRIEND, FILTERED)
    made = planned(folder, parse_words('[filter]\nstage = "quarantine"\naddresses = ["198.51.100.7"]', "")).plan
    keys = set(re.findall(r"^ {8,12}(\w+) = ", script(made, "10-check.ps1"), re.MULTILINE))
    ours = {"What", "Name", "Action", "Lockdown", "Settings", "Before", "Change", "Back", "Comment", "Parameters"}
    assert keys - ours <= CONNECTOR_PARAMETERS | RULE_PARAMETERS
    assert keys >= CONNECTOR_PARAMETERS


def test_a_rule_that_is_too_long_is_not_made(tmp_path: Path) -> None:
    """A mail flow rule has 8 KB at most."""
    domains = [accepted_domain("northwind.example", Default=True)]
    domains += [accepted_domain(f"a-domain-with-a-long-name-{number}.example") for number in range(200)]
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), domains=domains)).plan
    assert made.rules == ()
    assert "rule-too-long" in {note.id for note in made.notes}


def test_everybody_who_loses_or_may_lose_mail_gets_a_letter(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN) + mails(100, OTHER, ERP))
    made = with_word(folder, SCANNER, assessment="unclear").plan
    texts = {path: data.decode() for path, data in plan_files(made).items() if path.startswith("owners/")}
    assert set(texts) == {f"owners/{choice.sender}.txt" for choice in made.choices}
    assert any("Is scan@northwind.example" in text for text in texts.values())
