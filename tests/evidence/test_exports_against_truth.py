"""Every kind of export of the same nine messages tells what it can, tells it rightly, and tells nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.record import FACTS, Record, RejectedRow
from sidedoor.evidence.registry import recognise

DATA = Path(__file__).parent.parent / "data" / "evidence"
TRUTH = {
    message["network_message_id"]: message
    for message in json.loads((DATA / "truth.json").read_text(encoding="utf-8"))["messages"]
}
AUTHENTICATION = ("spf", "dkim", "dmarc", "compauth")


@dataclass(frozen=True)
class Case:
    """One sample: its format, how many data rows and messages it has, which facts it tells."""

    file: str
    format: str
    rows: int
    messages: int
    tells: str
    listed: str = ""  # which of p1 and p2 the sample shows in a sender column of unspecified kind
    date_format: str | None = None


LIST = "received_at recipient client_ip treatment"
ENHANCED = "received_at recipient client_ip connector direction treatment"
EXTENDED = "received_at recipient envelope_sender header_from client_ip helo tls connector direction treatment"
DETAIL = "received_at envelope_sender client_ip helo tls connector treatment entry"
HUNTING = (
    "received_at recipient envelope_sender header_from client_ip connector direction spf dkim dmarc compauth treatment"
)
CASES = [
    Case("historical-enhanced.utf16-bom.csv", "historical-enhanced", 9, 9, ENHANCED, "p1"),
    Case("historical-enhanced.utf16-quoted.csv", "historical-enhanced", 9, 9, ENHANCED, "p1"),
    Case("historical-extended.utf16.csv", "historical-extended", 26, 9, EXTENDED),
    Case("historical-extended.utf8-bom.csv", "historical-extended", 26, 9, EXTENDED),
    Case(
        "connector-report.utf16.csv",
        "connector-report",
        7,
        7,
        "received_at recipient client_ip tls connector direction",
        "p1",
    ),
    Case("message-trace-v2.page1.json", "message-trace-v2", 5, 5, LIST, "p2"),
    Case("message-trace-v2.page2.json", "message-trace-v2", 6, 5, LIST, "p2"),
    Case("message-trace-v2.ps7.json", "message-trace-v2", 10, 9, LIST, "p2"),
    Case("message-trace-v2.ps51.json", "message-trace-v2", 10, 9, LIST, "p2"),
    Case("message-trace-v2.type-line.csv", "message-trace-v2", 10, 9, LIST, "p2", "en-US"),
    Case("message-trace-v2.ps7.csv", "message-trace-v2", 10, 9, LIST, "p2", "M/d/yyyy h:mm:ss tt"),
    Case("message-trace-v2.de-DE.csv", "message-trace-v2", 10, 9, LIST, "p2"),
    Case("message-trace-v2.clixml.xml", "message-trace-v2", 3, 3, LIST, "p2"),
    Case("trace-detail-v2.esp.json", "trace-detail-v2", 2, 1, DETAIL),
    Case(
        "trace-detail-v2.gateway.json", "trace-detail-v2", 2, 1, "received_at envelope_sender tls connector treatment"
    ),
    Case("trace-detail-v2.printer.json", "trace-detail-v2", 3, 1, DETAIL),
    Case("trace-detail-v2.spoof.json", "trace-detail-v2", 3, 1, DETAIL),
    Case("graph-message-trace.page1.json", "graph-message-trace", 5, 5, LIST, "p2"),
    Case("graph-message-trace.page2.json", "graph-message-trace", 5, 4, LIST, "p2"),
    Case("graph-trace-detail.printer.json", "graph-trace-detail", 3, 1, DETAIL),
    Case("email-events.graph.json", "email-events", 10, 9, HUNTING),
    Case("email-events.legacy.json", "email-events", 2, 2, HUNTING),
    Case("email-events.portal-iso.csv", "email-events", 10, 9, HUNTING),
    Case("email-events.portal-ui.csv", "email-events", 10, 9, HUNTING),
    Case("email-events.streaming.ndjson", "email-events", 10, 9, HUNTING),
    Case("msgtrk.log", "tracking-log", 2, 1, "received_at recipient envelope_sender header_from client_ip helo entry"),
    Case("message-trace.reporting-service.json", "message-trace", 3, 3, LIST, "p2"),
]


def read(case: Case) -> list[Record]:
    recognised = recognise(DATA / case.file)
    assert recognised is not None
    assert recognised.format.name == case.format
    readings = list(recognised.read(ReadOptions(case.date_format)))
    assert not [reading for reading in readings if isinstance(reading, RejectedRow)]
    return [reading for reading in readings if isinstance(reading, Record)]


def expected(truth: dict[str, object], fact: str) -> object:
    """What the truth file says, in Record's words; None where it does not say."""
    anonymous = bool(truth["ip"])
    if fact in AUTHENTICATION:
        return truth[fact] or None
    if fact == "tls":
        return {"No TLS": "none"}.get(str(truth["tls"]), truth["tls"]) if anonymous else None
    if fact == "direction":
        return "incoming" if anonymous else None
    column = {"envelope_sender": "p1", "header_from": "p2", "client_ip": "ip", "helo": "helo"}.get(fact)
    return truth[column] if column else (truth["connector"] or "") if fact == "connector" else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_an_export_tells_the_truth_and_nothing_it_cannot_know(case: Case) -> None:
    records = read(case)
    assert len({record.row for record in records}) == case.rows
    assert {record.message_key for record in records} <= set(TRUTH)
    assert len({record.message_key for record in records}) == case.messages
    told = set(case.tells.split())
    for key in {record.message_key for record in records}:
        mine = [record for record in records if record.message_key == key]
        assert {record.message_id for record in mine} == {TRUTH[key]["message_id"]}
        for fact in (
            "envelope_sender",
            "header_from",
            "client_ip",
            "helo",
            "tls",
            "connector",
            "direction",
            *AUTHENTICATION,
        ):
            values = {getattr(record, fact) for record in mine} - {None}
            wanted = expected(TRUTH[key], fact)
            if fact == "envelope_sender" and case.listed == "p1" and wanted == "<>":
                assert values == {"<>"}  # nothing but an envelope sender is ever written so
            elif fact not in told:
                assert values == set(), (key, fact)
            elif wanted is not None:
                assert values == {wanted}, (key, fact)
        if "recipient" in told:
            everybody = {None} if case.format == "tracking-log" else set()  # one record is for those it goes on to
            assert {record.recipient for record in mine} - everybody <= set(TRUTH[key]["recipients"])
        if case.listed:
            address = TRUTH[key][case.listed]
            assert {record.listed_sender for record in mine} == {None if address == "<>" else address}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_an_export_fills_every_fact_it_is_said_to_tell_and_no_other(case: Case) -> None:
    filled = {fact for fact in FACTS for record in read(case) if getattr(record, fact) is not None}
    assert filled - {"listed_sender", "envelope_sender"} == set(case.tells.split()) - {"envelope_sender"}
    recognised = recognise(DATA / case.file)
    assert recognised is not None
    assert not filled & set(recognised.format.cannot_tell) - {"envelope_sender"}


def test_no_recipient_is_lost_or_invented() -> None:
    for file in ("historical-enhanced.utf16-bom.csv", "email-events.graph.json", "message-trace-v2.ps7.json"):
        records = read(next(case for case in CASES if case.file == file))
        wanted = {(key, to) for key, truth in TRUTH.items() for to in truth["recipients"]}
        assert {(record.message_key, record.recipient) for record in records} == wanted


@pytest.mark.parametrize(
    ("file", "key", "treatments"),
    [
        ("email-events.graph.json", "spoof", {"quarantined"}),
        ("email-events.graph.json", "external", {"junked"}),
        ("message-trace-v2.ps7.json", "external", {"junked"}),
        ("message-trace-v2.ps7.json", "spoof", {"quarantined"}),
        ("trace-detail-v2.spoof.json", "spoof", {"quarantined"}),
        ("trace-detail-v2.printer.json", "printer", {"junked", "delivered"}),  # judged as junk, delivered to the inbox
        ("historical-extended.utf16.csv", "spoof", {"quarantined", "delivered"}),  # delivered into quarantine
        ("historical-enhanced.utf16-bom.csv", "printer", {"delivered"}),
    ],
)
def test_treatment(file: str, key: str, treatments: set[str]) -> None:
    records = read(next(case for case in CASES if case.file == file))
    mine = [record for record in records if TRUTH[record.message_key]["key"] == key]
    assert {record.treatment for record in mine} - {None} == treatments


def test_mail_from_a_mailbox_has_no_client_and_no_connector() -> None:
    for file in ("historical-extended.utf16.csv", "historical-enhanced.utf16-bom.csv"):
        records = read(next(case for case in CASES if case.file == file))
        mine = [record for record in records if TRUTH[record.message_key]["key"] == "intra"]
        assert mine[0].client_ip == mine[0].connector == ""
        assert {record.direction for record in mine} == {"originating"}


def test_the_streaming_record_names_the_tenant() -> None:
    records = read(next(case for case in CASES if case.file == "email-events.streaming.ndjson"))
    assert {record.tenant_id for record in records} == {"0c0ffee0-1111-4222-8333-444455556666"}
