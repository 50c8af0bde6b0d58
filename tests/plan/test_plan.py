"""Plans over small histories: the method for each sender, the connectors, and the proof by the same rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidedoor.cli.main import main
from sidedoor.errors import InputError
from sidedoor.plan.model import Action, ConflictKind, Method, RuleStage
from sidedoor.plan.words import parse_words
from sidedoor.tenant.snapshot import ConnectorKind
from tests.audit.audit_kit import accepted_domain, connector
from tests.plan.plan_kit import mails, planned, report, said, spoofs

SCANNER, OTHER = "203.0.113.10", "203.0.113.11"
SCAN, ERP = "scan@northwind.example", "erp@northwind.example"


def test_a_scanner_gets_a_connector_and_the_plan_is_ready(tmp_path: Path) -> None:
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN)))
    (proposal,) = made.plan.connectors
    assert made.plan.ready
    assert (proposal.action, proposal.kind) == (Action.CREATE, ConnectorKind.PARTNER)
    assert proposal.settings.addresses == (SCANNER,)
    assert proposal.settings.sender_domains == ("northwind.example",)
    assert proposal.settings.restrict_to_addresses
    assert made.plan.replay.before.refused == made.plan.replay.messages == 30
    assert made.plan.replay.after.refused == 0


def test_neighbours_are_joined_and_strangers_between_them_are_not(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + mails(100, OTHER, ERP) + mails(200, "203.0.113.13", "door@northwind.example")
    (proposal,) = planned(report(tmp_path, rows)).plan.connectors
    assert proposal.settings.addresses == ("203.0.113.10/31", "203.0.113.13")
    assert proposal.widened == ()


def test_each_envelope_domain_has_its_own_addresses(tmp_path: Path) -> None:
    domains = [accepted_domain("northwind.example", Default=True), accepted_domain("shop.example")]
    rows = mails(0, SCANNER, SCAN) + mails(100, OTHER, "till@shop.example")
    made = planned(report(tmp_path, rows, domains=domains)).plan
    assert {each.settings.sender_domains: each.settings.addresses for each in made.connectors} == {
        ("northwind.example",): (SCANNER,), ("shop.example",): (OTHER,),
    }  # fmt: skip


def test_a_spoof_gets_nothing_and_is_refused_after_the_plan(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + spoofs(1000, "192.0.2.66", "x@northwind.example")
    made = planned(report(tmp_path, rows))
    assert made.plan.ready, made.plan.blockers
    assert made.plan.replay.spoofing_refused == 40
    assert made.plan.replay.spoofing_admitted == 0
    assert "192.0.2.66" not in str(made.plan.connectors)


def test_no_connector_for_an_address_that_a_spoof_uses_too(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + mails(100, OTHER, ERP)
    folder = report(tmp_path, rows)
    first = planned(folder)
    thief, honest = first.choice(OTHER), first.choice(SCANNER)
    both = said(**{f"_{thief.sender}": {"assessment": "spoofing"}})
    assert planned(folder, both).plan.connectors[0].settings.addresses == (SCANNER,)
    wide = said(
        **{f"_{thief.sender}": {"assessment": "spoofing"}, f"_{honest.sender}": {"addresses": ["203.0.113.8/29"]}}
    )
    refused = planned(folder, wide)
    assert not refused.plan.ready
    assert "spoof-admitted" in refused.blockers()
    assert refused.plan.replay.spoofing_admitted == 30
    assert refused.plan.connectors[0].widened == ("203.0.113.8/29: 7 of 8 addresses never seen",)


def test_ipv6_and_wandering_senders_get_no_connector_by_address(tmp_path: Path) -> None:
    rows = mails(0, "2001:db8::25", "hr@northwind.example")
    for number in range(8):
        rows += mails(100 + number * 30, f"203.0.113.{50 + number * 9}", "van@northwind.example", days=4)
    made = planned(report(tmp_path, rows)).plan
    assert {choice.method for choice in made.choices} <= {Method.LOCAL_RELAY, Method.UNDECIDED}
    ids = {because.id for choice in made.choices for other in choice.alternatives for because in other.reasons}
    assert "ipv6" in ids
    assert made.connectors == ()


def test_an_override_of_what_must_not_be_is_in_the_way(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, "2001:db8::25", "hr@northwind.example"))
    sender = planned(folder).plan.choices[0].sender
    made = planned(folder, said(**{f"_{sender}": {"method": "partner-address"}}))
    assert not made.plan.ready
    assert {"ipv6", "honest-refused"} <= made.blockers()


def test_ranges_that_a_person_names_do_not_make_shared_networks_anybodys_own(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    sender = planned(folder).plan.choices[0].sender
    word = {"method": "partner-address", "addresses": ["203.0.113.0/28"], "shared": True}
    assert "shared-addresses" in planned(folder, said(**{f"_{sender}": word})).blockers()
    made = planned(folder, said(**{f"_{sender}": word | {"shared": False}}))
    assert made.plan.ready, made.plan.blockers


def test_a_person_decides_and_the_rest_is_planned_again(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    sender = planned(folder).plan.choices[0].sender
    made = planned(folder, said(**{f"_{sender}": {"method": "hve", "owner": "it@northwind.example"}})).plan
    assert made.connectors == ()
    assert made.choices[0].overridden
    assert made.ready
    assert made.replay.closed.refused == 30
    assert made.replay.after.refused == 0
    assert {deadline.id for deadline in made.deadlines} == {"hve-basic-ends", "hve-is-billed"}


def test_who_mails_outside_gets_a_relay_connector(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    sender = planned(folder).plan.choices[0].sender
    (proposal,) = planned(folder, said(**{f"_{sender}": {"external": True}})).plan.connectors
    assert (proposal.kind, proposal.settings.restrict_to_addresses) == (ConnectorKind.ON_PREMISES, False)


def test_a_certificate_is_preferred_and_replayed(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    sender = planned(folder).plan.choices[0].sender
    made = planned(folder, said(**{f"_{sender}": {"certificate": "*.mfp.northwind.example"}})).plan
    assert made.connectors[0].settings.certificate_name == "*.mfp.northwind.example"
    assert made.ready, made.blockers
    assert made.replay.senders[0].connectors == (made.connectors[0].name,)


RESTRICTED: dict[str, Any] = {
    "SenderDomains": ["smtp:northwind.example;1"], "SenderIPAddresses": ["203.0.113.99"],
    "RestrictDomainsToIPAddresses": True,
}  # fmt: skip


def test_a_connector_that_restricts_the_domain_is_extended(tmp_path: Path) -> None:
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[connector("Office", **RESTRICTED)])).plan
    (proposal,) = made.connectors
    assert (proposal.action, proposal.name) == (Action.SET, "Office")
    assert proposal.settings.addresses == (SCANNER, "203.0.113.99")
    assert proposal.before is not None
    assert proposal.before.addresses == ("203.0.113.99",)
    assert ConflictKind.OVERLAP in {conflict.kind for conflict in made.conflicts}
    assert made.replay.before.refused == 30  # by 5.7.51 today already
    assert made.ready, made.blockers


def test_a_disabled_twin_is_switched_on(tmp_path: Path) -> None:
    twin = connector("Office", **(RESTRICTED | {"SenderIPAddresses": [SCANNER], "Enabled": False}))
    (proposal,) = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[twin])).plan.connectors
    assert (proposal.action, proposal.name) == (Action.ENABLE, "Office")


def test_a_name_that_is_taken_is_left_alone(tmp_path: Path) -> None:
    taken = connector("sidedoor addresses NORTHWIND.example", ConnectorType="OnPremises", Enabled=False)
    made = planned(report(tmp_path, mails(0, SCANNER, SCAN), connectors=[taken])).plan
    assert made.connectors[0].name == "Sidedoor addresses northwind.example 2"
    assert ConflictKind.SAME_NAME in {conflict.kind for conflict in made.conflicts}


FILTERED = """$ORIGIN northwind.example.
@ 3600 IN SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 IN MX 0 mx.filter.example.
@ 3600 IN TXT "v=spf1 ip4:203.0.113.0/24 -all"
"""
LOCK: dict[str, Any] = {"SenderIPAddresses": ["198.51.100.7"]}


def test_behind_a_filter_the_door_is_locked_to_it(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + mails(500, "198.51.100.7", "a@friend.example", Connectors="Filter")
    made = planned(report(tmp_path, rows, FILTERED, connectors=[connector("Filter", **LOCK)])).plan
    lock = next(each for each in made.connectors if each.lockdown)
    assert (lock.action, lock.name, lock.settings.restrict_to_addresses) == (Action.SET, "Filter", True)
    assert made.choices[0].method is Method.ONPREMISES_RELAY  # attributed before the lock is asked
    assert made.ready, made.blockers


def test_no_lock_where_honest_mail_comes_beside_the_filter(tmp_path: Path) -> None:
    rows = mails(0, SCANNER, SCAN) + mails(500, "198.51.100.99", "a@friend.example")
    made = planned(report(tmp_path, rows, FILTERED, connectors=[connector("Filter", **LOCK)])).plan
    assert not any(each.lockdown for each in made.connectors)
    assert "lockdown-would-harm" in {note.id for note in made.notes}
    assert [rule.stage for rule in made.rules] == [RuleStage.TAG, RuleStage.TAG]


def test_a_history_without_settings_cannot_be_planned(tmp_path: Path) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    settings = json.loads((folder / "tenant.json").read_text())
    settings["snapshot"]["inbound_connectors"] = {"unknown": "not exported"}
    (folder / "tenant.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="Get-InboundConnector"):
        planned(folder)


def test_the_command_writes_all_files_and_says_whether_it_is_ready(tmp_path: Path, capsys: Any) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    assert main(["plan", str(folder), "--require-ready"]) == 0
    assert "READY" in capsys.readouterr().out
    assert json.loads((folder / "plan" / "plan.json").read_text())["ready"] is True
    assert {path.name for path in (folder / "plan" / "scripts").iterdir()} >= {"10-check.ps1", "90-rollback.ps1"}
    sender = planned(folder).plan.choices[0].sender
    (folder / "plan.toml").write_text(f'[senders.{sender}]\nassessment = "unclear"\n')
    assert main(["plan", str(folder), "--require-ready"]) == 1
    assert f"undecided [{sender}]" in capsys.readouterr().out
    assert main(["plan", str(folder), "--require-ready", "--quiet"]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("broken", ["messages.parquet", "tenant.json", "report.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"PAR1 nonsense"])
def test_a_folder_that_is_no_report_is_said_to_be_none(
    tmp_path: Path, capsys: Any, broken: str, content: bytes | None
) -> None:
    folder = report(tmp_path, mails(0, SCANNER, SCAN))
    if content is None:
        (folder / broken).unlink()
    else:
        (folder / broken).write_bytes(content)
    assert main(["plan", str(folder)]) == 3
    assert broken in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("[senders.x]\nmethod = 'fly'", 2, "method = 'fly'"),
        ("[senders.x]\n\nshared = 'no'", 3, "shared"),
        ("[senders.x]\naddresses = ['10.0.0.0/8']", 2, "10.0.0.0/8"),
        ("[senders.x]\naddresses = ['2001:db8::/64']", 2, "2001:db8::/64"),
        ("[senders.x]\ncolour = 'red'", 2, "the key 'colour'"),
        ("[filter]\nstage = 'shut'", 2, "stage"),
        ("[senders.x\n", 1, "no TOML"),
        ("# first\n[other]\n", 2, "the key 'other'"),
    ],
)
def test_plan_toml_is_held_to_its_words(text: str, line: int, found: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_words(text, "plan.toml")
    assert caught.value.line == line
    assert found in caught.value.found


def test_a_sender_that_is_not_in_the_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody"):
        planned(report(tmp_path, mails(0, SCANNER, SCAN)), said(nobody={"method": "hve"}))
