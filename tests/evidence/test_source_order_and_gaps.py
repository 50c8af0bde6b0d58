"""Whom to believe, what looks cut off, and which CSV files the columnar engine may read alone."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from sidedoor.evidence import coverage
from sidedoor.evidence.date_format import DatePattern, parse_date_format
from sidedoor.evidence.dates import read_timestamp
from sidedoor.evidence.interface import CsvShape, Format, ReadOptions
from sidedoor.evidence.precedence import LAST, PRECEDENCE, rank
from sidedoor.evidence.record import FACTS, Record
from sidedoor.evidence.registry import FORMATS, recognise

DATA = Path(__file__).parent.parent / "data" / "evidence"
ONLY_HEADERS = ("entry", "mailer", "dkim_domain")  # what no export but the message itself, or a server's log, tells


def test_every_fact_has_an_order_of_known_formats_that_can_tell_it() -> None:
    formats = {form.name: form for form in FORMATS}
    assert set(PRECEDENCE) == set(FACTS)
    for fact, order in PRECEDENCE.items():
        assert len(set(order)) == len(order)
        for name in order:
            # an empty list-type sender still tells the null reverse-path
            assert fact not in formats[name].cannot_tell or fact == "envelope_sender"


def test_a_format_that_can_tell_a_fact_has_a_place_in_its_order() -> None:
    for form in FORMATS:
        silent = {"listed_sender", *ONLY_HEADERS, *form.cannot_tell} if not form.note else set(FACTS)
        assert {fact for fact in FACTS if fact not in silent and rank(form.name, fact) == LAST} == set()


def test_a_message_has_a_place_for_every_fact_that_only_it_tells() -> None:
    assert [rank("message", fact) for fact in (*ONLY_HEADERS, "compauth_reason", "header_from")] == [0, 0, 0, 0, 0]


def test_the_transaction_s_own_record_is_believed_first() -> None:
    assert rank("historical-extended", "envelope_sender") < rank("trace-detail-v2", "envelope_sender")
    assert rank("trace-detail-v2", "envelope_sender") < rank("email-events", "envelope_sender")
    assert rank("email-events", "spf") == 0
    assert rank("nobody", "spf") == rank("email-events", "nothing") == LAST


@pytest.mark.parametrize(
    ("name", "rows", "noted"),
    [
        ("historical-extended", 100_000, True),
        ("historical-extended", 99_999, False),
        ("email-events", 30_000, True),
        ("email-events", 100_000, True),
        ("message-trace-v2", 5_000, True),
        ("message-trace-v2", 5_001, False),
        ("trace-detail-v2", 5_000, False),
    ],
)
def test_exactly_a_limit_looks_cut_off(name: str, rows: int, noted: bool) -> None:
    form = next(form for form in FORMATS if form.name == name)
    assert (f"exactly {rows:,} rows" in coverage.truncation_note(form, rows)) == noted


def forms(*names: str) -> dict[Path, Format]:
    found = {}
    for name in names:
        recognised = recognise(DATA / name)
        assert recognised is not None
        found[DATA / name] = recognised.format
    return found


@pytest.mark.parametrize(
    ("names", "incomplete"),
    [
        (["message-trace-v2.page1.json"], {"message-trace-v2.page1.json"}),
        (["message-trace-v2.page1.json", "message-trace-v2.page2.json"], set()),
        (["graph-message-trace.page1.json", "message-trace-v2.page2.json"], {"graph-message-trace.page1.json"}),
        (["graph-message-trace.page1.json", "graph-message-trace.page2.json"], set()),
        (["email-events.graph.json", "historical-enhanced.utf16-bom.csv"], set()),
    ],
)
def test_a_page_without_its_continuation(names: list[str], incomplete: set[str]) -> None:
    assert {path.name for path in coverage.incomplete_pages(forms(*names))} == incomplete


def test_an_unreadable_envelope_announces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    path.write_text('{"value": [', encoding="utf-8")
    assert not coverage.announces_more(path)
    assert not coverage.announces_more(tmp_path / "missing")
    path.write_text(json.dumps({"@adminapi.warnings": ["more"], "value": []}), encoding="utf-8")
    assert coverage.announces_more(path)


def shape_of(name: str | Path, stated: str | None = None) -> CsvShape | None:
    recognised = recognise(DATA / name)
    assert recognised is not None
    return recognised.csv(ReadOptions(stated)) if recognised.csv else None


@pytest.mark.parametrize(
    ("name", "stated", "timestamp"),
    [
        ("message-trace-v2.type-line.csv", "en-US", "%m/%d/%Y %I:%M:%S %p"),
        ("message-trace-v2.ps7.csv", "en-GB", "%d/%m/%Y %I:%M:%S %p"),
        ("message-trace-v2.de-DE.csv", None, "%d.%m.%Y %H:%M:%S"),
        ("message-trace-v2.ps7.csv", "M/d/yyyy h:mm:ss tt", None),
        ("historical-enhanced.utf16-bom.csv", None, None),
        ("email-events.portal-iso.csv", None, None),
        ("message-trace-v2.ps7.json", None, None),
    ],
)
def test_the_shape_of_a_csv(name: str, stated: str | None, timestamp: str | None) -> None:
    shape = shape_of(name, stated)
    assert (shape.timestamp if shape else None) == timestamp


def test_a_shape_reads_to_what_the_reader_reads(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    text = (DATA / "message-trace-v2.ps7.csv").read_text(encoding="utf-8")
    path.write_text(text.replace("11/3/2026 ", "11/23/2026 "), encoding="utf-8")
    shape = shape_of(path)
    assert shape is not None
    recognised = recognise(path)
    assert recognised is not None
    records = [reading for reading in recognised.read(ReadOptions()) if isinstance(reading, Record)]
    pattern = parse_date_format(shape.timestamp)
    assert isinstance(pattern, DatePattern)
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter=shape.delimiter))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        moment = pattern.read(row[shape.columns["received_at"]]).isoformat(timespec="microseconds")
        assert read_timestamp(moment) == record.received_at
        assert row[shape.columns["message_key"]] == record.message_key
        assert row[shape.columns["recipient"]] == record.recipient


def test_no_shape_for_a_file_whose_columns_are_doubled_or_missing(tmp_path: Path) -> None:
    header = "MessageTraceId,MessageId,Received,SenderAddress,RecipientAddress,Status"
    for number, line in enumerate([header, header + ",FromIP,From IP"]):
        path = tmp_path / f"{number}.csv"
        path.write_text(line + "\n", encoding="utf-8")
        assert shape_of(path) is None
