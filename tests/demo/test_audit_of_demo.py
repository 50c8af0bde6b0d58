"""The audit of an invented tenant, scored against the truth that the generator wrote beside it."""

from __future__ import annotations

import csv
import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pytest

from sidedoor.cli.main import main

# Different domain, seed, size and length: what holds for one tenant alone is luck.
TENANTS = {
    "default": ("--rows", "3000"),
    "other": ("--rows", "4000", "--seed", "7", "--domain", "fabrikam.example", "--days", "40"),
}


class Audited(NamedTuple):
    """A tenant, what the generator says of it, and what the audit made of it."""

    folder: Path
    truth: dict[str, Any]
    report: dict[str, Any]
    output: Path

    def assessment_of(self) -> dict[str, set[str]]:
        """Key of each true sender -> the assessments given to the addresses it sent from."""
        given: dict[str, set[str]] = {}
        for true in self.truth["senders"]:
            names = set(true["networks"])
            given[true["key"]] = {
                sender["assessment"] for sender in self.report["senders"] if names & set(_hosts(sender["networks"]))
            }
        return given


def _hosts(networks: list[str]) -> list[str]:
    return [str(host) for network in networks for host in ip_network(network)]


@pytest.fixture(scope="module", params=TENANTS)
def audited(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Audited:
    folder = tmp_path_factory.mktemp("demo")
    tenant, output = folder / "tenant", folder / "report"
    assert main(["demo", str(tenant), *TENANTS[request.param]]) == 0
    assert main(["audit", str(tenant), "--dns", str(tenant / "zones"), "-o", str(output)]) == 0
    truth = json.loads((tenant / "truth.json").read_text(encoding="utf-8"))
    return Audited(tenant, truth, json.loads((output / "report.json").read_text(encoding="utf-8")), output)


def test_every_export_is_recognised(audited: Audited) -> None:
    formats = {Path(file["path"]).name: file["format"] for file in audited.report["coverage"]["files"]}
    skipped = {name for name, found in formats.items() if found == "skipped" and not name.endswith(".zone")}
    assert skipped == {"made-by-sidedoor-demo.txt", "truth.json", "truth_messages.csv"}
    assert set(formats.values()) == {
        "connector-report", "email-events", "graph-message-trace", "historical-enhanced", "historical-extended",
        "message-trace-v2", "skipped", "tenant-settings", "trace-detail-v2",
    }  # fmt: skip


def test_counts_are_those_of_the_truth(audited: Audited) -> None:
    totals = {name: total["messages"] for name, total in audited.report["totals"].items() if total["messages"]}
    assert totals == audited.truth["submissions"]
    assert audited.report["coverage"]["messages"] == audited.truth["messages"]
    simulation = audited.report["simulation"]["reject_direct_send"]
    assert (simulation["rejected"], simulation["undetermined"]) == (audited.truth["would_reject"], 0)


def test_unreadable_rows_are_those_of_the_truth(audited: Audited) -> None:
    with (audited.output / "rejected_rows.csv").open(encoding="utf-8-sig", newline="") as file:
        found = {(Path(row["file"]).name, int(row["row"])) for row in csv.DictReader(file)}
    assert len(found) == 20
    assert found == {(row["file"], row["row"]) for row in audited.truth["rejected_rows"]}


def test_nothing_is_missing_that_the_demo_could_tell(audited: Audited) -> None:
    assert audited.report["coverage"]["missing"] == []


def test_no_honest_sender_is_called_spoofing_and_no_spoof_legitimate(audited: Audited) -> None:
    given = audited.assessment_of()
    honest = {true["key"]: true["truth"] == "honest" for true in audited.truth["senders"]}
    assert {key for key in given if honest[key] and "spoofing" in given[key]} == set()
    assert {key for key in given if not honest[key] and "legitimate" in given[key]} == set()


def test_every_affected_honest_sender_is_found(audited: Audited) -> None:
    given = audited.assessment_of()
    affected = {true["key"] for true in audited.truth["senders"] if true["truth"] == "honest" and true["would_reject"]}
    assert len(affected) >= 10
    assert {key for key in affected if not given[key]} == set()


def test_every_message_has_the_way_in_and_the_forecast_of_the_truth(audited: Audited) -> None:
    with (audited.folder / "truth_messages.csv").open(encoding="utf-8", newline="") as file:
        expected = {
            (row["message"], row["recipient"]): (row["true_submission"], row["refused_when_closed"] == "true")
            for row in csv.DictReader(file)
        }
    query = "SELECT network_message_id, recipient, submission, would_reject FROM read_parquet(?)"
    rows = duckdb.execute(query, [str(audited.output / "messages.parquet")]).fetchall()
    assert len(rows) == len(expected)
    assert {(key, recipient): told for key, recipient, *told in rows} == {
        key: [*told] for key, told in expected.items()
    }


def test_no_message_is_lost_or_lent_between_honest_and_spoofed_senders(audited: Audited) -> None:
    with (audited.folder / "truth_messages.csv").open(encoding="utf-8", newline="") as file:
        truth_of = {row["message"]: row["true_sender"] for row in csv.DictReader(file)}
    honest = {true["key"]: true["truth"] == "honest" for true in audited.truth["senders"]}
    query = "SELECT sender_id, network_message_id FROM read_parquet(?) WHERE sender_id IS NOT NULL"
    kinds: dict[str, set[bool]] = {}
    for sender, key in duckdb.execute(query, [str(audited.output / "messages.parquet")]).fetchall():
        kinds.setdefault(sender, set()).add(honest[truth_of[key]])
    assert {sender for sender, kind in kinds.items() if len(kind) > 1} == set()


def test_plain_cases_are_not_left_to_a_person(audited: Audited) -> None:
    given = audited.assessment_of()
    vouched = ("printers-hq", "monitoring", "erp", "quarterly", "hr-ipv6", "ticketing", "newsletter", "survey-unlisted")
    assert {key: given[key] for key in vouched} == {key: {"legitimate"} for key in vouched}
    bursts = ("lure-self", "spray")
    assert {key: given[key] for key in bursts} == {key: {"spoofing"} for key in bursts}


def test_mail_that_the_switch_does_not_stop_is_counted(audited: Audited) -> None:
    spoofs = sum(true["messages"] for true in audited.truth["senders"] if true["kind"] == "header From spoof")
    direct = audited.truth["submissions"]["sent-directly"]
    assert audited.report["simulation"]["not_stopped"] == {"header_from_spoofs": spoofs, "sent_directly": direct}
    assert spoofs
    assert direct


def test_who_comes_beside_the_mail_filter_is_named(audited: Audited) -> None:
    beside = {true["key"] for true in audited.truth["senders"] if true["submission"] == "sent-directly"}
    named = [each for each in audited.report["senders"] if each["submission"] == "sent-directly"]
    given = audited.assessment_of()
    assert beside == {"supplier-edi", "filter-bypass"}
    assert sum(each["messages"] for each in named) == audited.truth["submissions"]["sent-directly"]
    assert given["supplier-edi"] == {"legitimate"}
    assert "legitimate" not in given["filter-bypass"] != set()


def test_the_zones_explain_the_spf_results_of_the_exports(audited: Audited) -> None:
    """The audit evaluates SPF where the exports do not tell it: both must say the same of one sender."""
    own = [sender for sender in audited.report["senders"] if sender["submission"] == "direct-send"]
    assert len(own) > 10
    told = {sender["name"]: set(sender["authentication"]["spf"]) for sender in own}
    assert {name for name, results in told.items() if len(results) != 1} == set()
    assert set.union(*told.values()) == {"pass", "softfail"}


def test_the_exports_do_not_contradict_each_other(audited: Audited) -> None:
    # Historical searches know two directions: what EmailEvents calls intra-org or outbound they call originating.
    told = [each for each in audited.report["coverage"]["disagreements"] if "originating" not in each["example"]]
    assert told == []
