"""report.json keeps the public contract, whatever is in the audit."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from sidedoor.audit.model import Audit
from sidedoor.policy.decision import Submission
from sidedoor.report import json_report
from tests.report.audits import audits
from tests.report.example import empty_audit, hostile_audit, large_audit, ready_audit, rich_audit, sender

VALIDATOR = jsonschema.Draft202012Validator(
    json_report.schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)

CONTRACT = {
    "": {"schema", "tenant", "window", "coverage", "totals", "senders", "simulation", "readiness"},
    "tenant": {"accepted_domains", "reject_direct_send", "inbound_connectors"},
    "window": {"start", "end"},
    "coverage": {"messages", "files", "missing"},
    "simulation": {"reject_direct_send", "not_stopped"},
    "simulation.reject_direct_send": {
        "rejected",
        "rejected_legitimate",
        "rejected_spoofing",
        "rejected_unclear",
        "undetermined",
    },
    "simulation.not_stopped": {"header_from_spoofs", "sent_directly"},
    "readiness": {"state", "blockers"},
}
SENDER = {
    "id", "name", "submission", "assessment", "confidence", "reasons", "networks", "envelope_domains", "mail_from",
    "helo", "service", "messages", "recipients", "first_seen", "last_seen", "active_days", "authentication",
    "would_reject", "recommendation",
}  # fmt: skip


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json_report.schema())


@pytest.mark.parametrize("audit", [rich_audit(), ready_audit(), empty_audit(), hostile_audit(), large_audit(50)])
def test_fulfils_the_schema(audit: Audit) -> None:
    VALIDATOR.validate(json.loads(json_report.dump(audit)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(audits())
def test_fulfils_the_schema_whatever_the_text(audit: Audit) -> None:
    data = json_report.dump(audit)
    VALIDATOR.validate(json.loads(data))
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in data)


@pytest.mark.parametrize(("path", "names"), CONTRACT.items())
def test_has_the_names_of_the_contract(path: str, names: set[str]) -> None:
    node: Any = json_report.render(rich_audit())
    for key in filter(None, path.split(".")):
        node = node[key]
    assert names <= set(node)


def test_a_sender_has_the_names_of_the_contract() -> None:
    for entry in json_report.render(rich_audit())["senders"]:
        assert set(entry) >= SENDER
        assert set(entry["authentication"]) >= {"spf", "dkim", "dmarc"}


def test_totals_name_every_submission() -> None:
    assert json_report.render(empty_audit())["totals"] == {word.value: {"messages": 0} for word in Submission}


@pytest.mark.parametrize(("refused", "unknown", "expected"), [(1, 0, True), (1, 9, True), (0, 1, None), (0, 0, False)])
def test_would_reject(refused: int, unknown: int, expected: bool | None) -> None:
    one = sender(1, would_reject=refused, would_reject_unknown=unknown)
    entry = json_report.render(dataclasses.replace(empty_audit(), senders=(one,)))["senders"][0]
    assert entry["would_reject"] is expected
    assert (entry["would_reject_messages"], entry["would_reject_unknown_messages"]) == (refused, unknown)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"schema": "sidedoor/report/2"}, "schema"),
        ({"readiness": {"state": "maybe", "blockers": []}}, "readiness"),
        ({"simulation": {}}, "simulation"),
        ({"totals": {"direct-send": {"messages": 1}}}, "totals"),
        ({"coverage": {"messages": -1}}, "coverage"),
    ],
)
def test_the_schema_refuses(wrong: dict[str, Any], where: str) -> None:
    report = json_report.render(rich_audit()) | wrong
    errors = list(VALIDATOR.iter_errors(report))
    assert errors
    assert {error.absolute_path[0] for error in errors} == {where}


def test_unknown_settings_are_null_and_not_empty() -> None:
    tenant = json_report.render(empty_audit())["tenant"]
    assert tenant == {"name": "", "accepted_domains": None, "reject_direct_send": None, "inbound_connectors": None}


def test_the_same_audit_gives_the_same_bytes() -> None:
    assert json_report.dump(rich_audit()) == json_report.dump(rich_audit())
    one = sender(1, authentication={"spf": {"pass": 1, "fail": 2}, "dmarc": {}})
    other = sender(1, authentication={"dmarc": {}, "spf": {"fail": 2, "pass": 1}})
    first, second = (dataclasses.replace(rich_audit(), senders=(item,)) for item in (one, other))
    assert json_report.dump(first) == json_report.dump(second)


def test_times_are_utc_whatever_their_zone() -> None:
    elsewhere = datetime(2026, 11, 3, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    report = json_report.render(dataclasses.replace(rich_audit(), window=(elsewhere, elsewhere.replace(tzinfo=None))))
    assert report["window"] == {"start": "2026-11-02T23:30:00Z", "end": "2026-11-03T01:30:00Z"}


def test_text_survives_faithfully(tmp_path: Path) -> None:
    one = sender(1, name="a\u202eb\x1b[31m\ud800é")
    path = tmp_path / "report.json"
    json_report.write(dataclasses.replace(rich_audit(), senders=(one,)), path)
    assert json.loads(path.read_bytes())["senders"][0]["name"] == "a\u202eb\x1b[31m\ufffdé"
