"""Hostile and broken files, alone and beside good ones: no traceback, no wrong count, nothing executable written."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.audit.audit_kit import assert_balanced, audit, csv_text, key, v2_file, v2_row, write_settings

GOOD = [v2_row(number) for number in range(3)]
HOSTILE = (
    "=cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "a\x01b\x1b[31m",
    "\u202eevil",
    "x" * 10_000,
    'q"uo"te',
    "a\nb",
    "a\r\nb",
    "'); DROP TABLE events; --",
    "@SUM(A1)",
)
COLUMNS = ("SenderAddress", "Subject", "RecipientAddress", "MessageId", "FromIP", "Status", "MessageTraceId")
VALUES: tuple[object, ...] = (1, 1e308, True, None, [], {}, ["a@b"], [[1]], 10**400, {"value": "x"})
DATES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "1601-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "")


def text(**bad: str) -> bytes:
    """A trace whose middle row has the cells `bad`."""
    return csv_text([v2_row(10), v2_row(11, **bad), v2_row(12)]).encode("utf-8", "surrogatepass")


def each_column(cell: str) -> bytes:
    """A trace that has the cell in one column of each row."""
    bad = [v2_row(11 + number, **{column: cell}) for number, column in enumerate(COLUMNS)]
    return csv_text([v2_row(10), *bad, v2_row(20)]).encode("utf-8", "surrogatepass")


def objects(**bad: object) -> bytes:
    """The same as JSON, where a cell may be of any type."""
    return json.dumps([v2_row(10), v2_row(11) | bad, v2_row(12)]).encode()


def archive(name: str) -> bytes:
    """A ZIP of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(name, csv_text(GOOD))
    return out.getvalue()


BOMB = '<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "' + "&b;" * 50 + '">]>'
PLAIN = csv_text(GOOD).encode()
UTF16 = csv_text(GOOD).encode("utf-16")
CASES: dict[str, bytes] = {
    "empty": b"",
    "nul": b"\0" * 5_000,
    "unknown header": b"a,b\n1,2\n",
    "utf-16 odd": UTF16[:-1],
    "utf-16 cut": UTF16[: len(UTF16) // 2 | 1],
    "zip": archive("trace.csv"),
    "workbook": archive("xl/workbook.xml"),
    "nul in a cell": text(Subject="a\0b"),
    "long line": PLAIN + b"x" * 2_000_000 + b"\r\n" + csv_text([v2_row(20)]).encode().split(b"\r\n", 1)[1],
    "many columns": ",".join(f"c{number}" for number in range(10_000)).encode(),
    "ambiguous dates": csv_text([v2_row(n, Received=f"0{n + 1}/02/2026 08:00:00") for n in range(3)]).encode(),
    "name twice": PLAIN.replace(b"Subject", b"SenderAddress"),
    "mark in the middle": PLAIN + "\ufeff".encode() + PLAIN,
    "cr only": csv_text(GOOD, end="\r").encode(),
    "json cut": json.dumps(GOOD).encode()[:-200],
    "json deep": b"[" * 10_000 + b"]" * 10_000,
    "clixml bomb": f'<?xml version="1.0"?>{BOMB}<Objs><S>&c;</S></Objs>'.encode(),
    "mep bomb": json.dumps(
        [
            {
                "MessageTraceId": key(1),
                "MessageId": "<1>",
                "Date": "2026-11-03T08:00:00Z",
                "Event": "Receive",
                "Action": None,
                "Detail": "x",
                "Data": f'{BOMB}<root><MEP Name="ReturnPath" String="&c;"/></root>',
            }
        ]
    ).encode(),
    **{f"date {date}": text(Received=date) for date in DATES},
    **{f"hostile {n}": each_column(cell) for n, cell in enumerate(HOSTILE)},
    **{f"sender {n}": text(SenderAddress=f'"{cell}"@northwind.example') for n, cell in enumerate(HOSTILE)},
    **{f"type {n}": objects(**dict.fromkeys(COLUMNS, value)) for n, value in enumerate(VALUES)},
}


@pytest.mark.parametrize("name", CASES)
def test_named_alone_it_is_read_or_refused(name: str, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(CASES[name])
    outcome = audit(capsys, tmp_path / "out", file)
    assert outcome.code in {0, 3}, outcome.said
    if outcome.code == 0:
        assert_balanced(outcome)
    else:
        assert not name.startswith("hostile"), "a cell is no reason to refuse a whole file"
        assert "bad.csv" in outcome.said


@pytest.mark.parametrize("name", CASES)
def test_in_a_folder_it_costs_no_good_row(name: str, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "in"
    write_settings(folder)
    v2_file(folder / "good.csv", [v2_row(900), v2_row(901)])
    (folder / "bad.csv").write_bytes(CASES[name])
    outcome = audit(capsys, tmp_path / "out", folder)
    assert outcome.code == 0, outcome.said
    assert_balanced(outcome)
    assert {key(900), key(901)} <= {row[0] for row in outcome.messages("network_message_id")}
    assert "<script>alert" not in (outcome.folder / "report.html").read_text(encoding="utf-8")
    for written in ("senders.csv", "rejected_rows.csv"):
        with (outcome.folder / written).open(encoding="utf-8-sig", newline="") as handle:
            assert not [cell for row in csv.reader(handle) for cell in row if cell[:1] in {"=", "+", "@", "\t", "\r"}]


def test_its_own_report_is_no_input(tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "in"
    write_settings(folder)
    v2_file(folder / "good.csv", GOOD)
    first = audit(capsys, folder / "out", folder).report
    again = audit(capsys, folder / "out", folder).report
    assert again["coverage"]["messages"] == first["coverage"]["messages"] == len(GOOD)
    skipped = {Path(file["path"]).name for file in again["coverage"]["files"] if file["format"] == "skipped"}
    ours = {"messages.parquet", "rejected_rows.csv", "report.html", "report.json", "senders.csv", "tenant.json"}
    assert skipped == ours


def test_an_output_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: Any) -> None:
    file = v2_file(tmp_path / "good.csv", GOOD)
    for out in (file, file / "below"):
        outcome = audit(capsys, out, file)
        assert outcome.code not in {0, 70}
        assert "cannot be made" in outcome.said


def test_two_tenants_are_refused(tmp_path: Path, capsys: Any) -> None:
    stream = "".join(
        json.dumps(
            {
                "time": "2026-11-03T08:25:40Z",
                "tenantId": tenant,
                "category": "AdvancedHunting-EmailEvents",
                "properties": {
                    "Timestamp": "2026-11-03T08:25:40Z",
                    "NetworkMessageId": key(n),
                    "SenderMailFromAddress": "a@northwind.example",
                    "SenderFromAddress": "a@northwind.example",
                    "SenderIPv4": "203.0.113.10",
                    "RecipientEmailAddress": "anna@northwind.example",
                    "EmailDirection": "Inbound",
                },
            }
        )
        + "\n"
        for n, tenant in enumerate(("0c0ffee0-1111-4222-8333-444455556666", "11111111-1111-4222-8333-444455556666"))
    )
    (tmp_path / "stream.json").write_text(stream, encoding="utf-8")
    outcome = audit(capsys, tmp_path / "out", tmp_path / "stream.json")
    assert outcome.code == 3
    assert "one tenant" in outcome.said
