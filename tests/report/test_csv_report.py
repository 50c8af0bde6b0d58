"""No cell of a CSV is ever run by a spreadsheet, and every row comes back out."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from sidedoor.audit.model import Audit
from sidedoor.errors import SidedoorError
from sidedoor.evidence.record import RejectedRow
from sidedoor.report import csv_report
from sidedoor.report.csv_report import MAX_CELL, RejectedRowsWriter, cell
from tests.report.audits import audits, texts
from tests.report.example import HOSTILE, empty_audit, hostile_audit, large_audit, rich_audit

INVISIBLE = "\ufeff\u200b\u200c\u200d\ufffd"


def runs(text: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula."""
    bare = unicodedata.normalize("NFKC", text).lstrip(f"{INVISIBLE} \u00a0")
    return text[:1] in {"\t", "\r"} or bare[:1] in {"=", "+", "-", "@", "\u2212"}


def rows(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter, strict=True))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("  =1", "'  =1"),
        ("\t=1", "' =1"),
        ("\ufeff=1", "'\ufffd=1"),
        ("＝1", "'＝1"),
        ("﹣1", "'﹣1"),
        ("⁺1", "'⁺1"),
        ("a;=1", "a;'=1"),
        ('a;"=1', "a;'\"=1"),
        ("a, +b", "a,' +b"),
        ("a\r\n=1", "a =1"),
        ("1-2", "1-2"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_cell(text: str, shown: str) -> None:
    assert cell(text) == shown


@given(texts)
def test_no_cell_runs(text: str) -> None:
    assert not runs(cell(text))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(audits())
def test_senders_csv_reads_back_and_nothing_runs(audit: Audit) -> None:
    table = rows(csv_report.dump(audit))
    assert tuple(table[0]) == csv_report.SENDER_COLUMNS
    assert len(table) == 1 + len(audit.senders)
    assert {len(row) for row in table} == {len(csv_report.SENDER_COLUMNS)}
    assert not [text for row in table for text in row if runs(text)]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_runs_where_excel_splits_at_semicolons(text: str) -> None:
    """With a European list separator Excel splits a comma-separated file at semicolons."""
    line = io.StringIO(newline="")
    csv.writer(line).writerow(("id", cell(f"x;{text}"), "1"))
    for part in line.getvalue().split(";"):
        assert not runs(part.lstrip('"'))


def test_excel_can_open_it() -> None:
    data = csv_report.dump(large_audit(20))
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 21
    assert max(len(text) for row in rows(csv_report.dump(hostile_audit())) for text in row) <= MAX_CELL
    assert len(cell("x" * 100_000)) == MAX_CELL


def test_an_empty_audit_has_a_header() -> None:
    assert rows(csv_report.dump(empty_audit())) == [list(csv_report.SENDER_COLUMNS)]


def test_values_are_those_of_the_audit() -> None:
    table = rows(csv_report.dump(rich_audit()))
    first = dict(zip(table[0], table[1], strict=True))
    assert first["id"] == "s-scan-hq"
    assert (first["messages"], first["would_reject"], first["would_reject_messages"]) == ("1204", "true", "1204")
    assert first["mail_from"] == "scan-hq3@contoso.com; scan-hq4@contoso.com"
    assert first["spf"] == "pass 1204"


def test_rejected_rows_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rejected_rows.csv"
    with RejectedRowsWriter(path) as rejected:
        for number, text in enumerate(HOSTILE, 1):
            rejected.write("trace;=1.csv", RejectedRow(number, "its quotes do not fit", text))
        assert not path.exists()
    table = rows(path.read_bytes())
    assert rejected.count == len(HOSTILE)
    assert table[0] == ["file", "row", "why", "text"]
    assert [row[1] for row in table[1:]] == [str(number) for number in range(1, len(HOSTILE) + 1)]
    assert not [text for row in table for text in row if runs(text)]
    assert [item.name for item in path.parent.iterdir()] == ["rejected_rows.csv"]


def test_no_rejected_row_is_a_header_alone(tmp_path: Path) -> None:
    with RejectedRowsWriter(tmp_path / "rejected_rows.csv"):
        pass
    assert (tmp_path / "rejected_rows.csv").read_bytes() == b"\xef\xbb\xbffile,row,why,text\r\n"


class BrokenError(RuntimeError):
    """Something else went wrong."""


def test_a_failed_audit_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "rejected_rows.csv"
    path.write_bytes(b"earlier")
    with pytest.raises(BrokenError), RejectedRowsWriter(path):
        raise BrokenError
    assert [item.name for item in tmp_path.iterdir()] == ["rejected_rows.csv"]
    assert path.read_bytes() == b"earlier"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SidedoorError, match="cannot be written"), RejectedRowsWriter(tmp_path / "file" / "r.csv"):
        pass
