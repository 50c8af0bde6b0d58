"""Raw messages through a whole audit: alone, beside traces, by the hundred, and broken."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb

from sidedoor.cli.main import main
from tests.evidence.message_kit import AUTHOR, MESSAGES, STAMPS, TOP, header

DATA = MESSAGES.parent
PRINTER = "a1000000-1b62-4d07-db4f-08df1a10ee9b"


def audit(folder: Path, out: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """report.json and the rows of messages.parquet."""
    shutil.copytree(DATA / "policy" / "tenant", folder / "tenant", dirs_exist_ok=True)
    assert main(["audit", str(folder), "--offline", "--quiet", "-o", str(out)]) == 0
    cursor = duckdb.execute(
        "SELECT * FROM read_parquet(?) ORDER BY network_message_id", [str(out / "messages.parquet")]
    )
    names = [column[0] for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return json.loads((out / "report.json").read_text(encoding="utf-8")), rows


def rejected(out: Path) -> list[dict[str, str]]:
    with (out / "rejected_rows.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def balance(report: dict[str, Any]) -> None:
    """Rows in are rows out, rejected, merged, less those that a row gave more than one of."""
    coverage = report["coverage"]
    rows = sum(file["rows"] for file in coverage["files"])
    bad = sum(file["rejected_rows"] for file in coverage["files"])
    assert rows == coverage["messages"] + bad + coverage["merged_records"] - coverage["expanded_records"]


def copy(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        shutil.copy(DATA / name, folder)
    return folder


def test_messages_alone(tmp_path: Path) -> None:
    names = ("printer", "spoof", "esp", "gateway")
    report, rows = audit(copy(tmp_path / "in", *(f"messages/{name}.eml" for name in names)), tmp_path / "out")
    balance(report)
    found = {row["network_message_id"][:8]: row for row in rows}
    assert {key: row["submission"] for key, row in found.items()} == {
        "a1000000": "direct-send",
        "a1000002": "undetermined",  # the bounce domain is no accepted one, and nobody knows the MX
        "a1000003": "direct-send",
        "a1000004": "partner-connector",  # attributed, and the address is one that this connector lists
    }
    assert {row["recipient"] for row in rows} == {None}
    assert found["a1000000"]["would_reject"] is True
    assert found["a1000004"]["would_reject"] is False


def test_a_message_joins_the_traces_of_itself(tmp_path: Path) -> None:
    traces = ("evidence/message-trace-v2.ps7.json", "evidence/trace-detail-v2.printer.json")
    _, before = audit(copy(tmp_path / "in", *traces), tmp_path / "before")
    report, rows = audit(copy(tmp_path / "in", "messages/printer.eml", "messages/two.mbox"), tmp_path / "out")
    balance(report)
    assert len(rows) == len(before)
    (printer,) = (row for row in rows if row["network_message_id"] == PRINTER)
    assert printer["recipient"] == "helpdesk@contoso.com"
    assert printer["header_from"] == "scan-hq3@contoso.com"
    assert printer["submission"] == "direct-send"
    assert [each for each in report["coverage"]["disagreements"] if each["fact"] in {"client_ip", "helo"}] == []


def test_many_messages_of_a_folder_are_one_line_of_coverage(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(120):
        lines = [line.replace("a1000000-", f"b{number:07d}-") for line in STAMPS]
        (folder / f"{number:03}.eml").write_bytes(header(*TOP, *AUTHOR, *lines))
    (folder / "120.eml").write_bytes(header(*AUTHOR))
    (folder / "README.txt").write_text("These are messages.\n")
    report, rows = audit(folder, tmp_path / "out")
    balance(report)
    assert len(rows) == 120
    (line,) = (file for file in report["coverage"]["files"] if file["format"] == "message")
    assert (line["rows"], line["rejected_rows"]) == (121, 1)
    assert line["path"] == str(folder)
    (bad,) = rejected(tmp_path / "out")
    assert "120.eml: no Received line" in str(bad)


def test_the_rest_goes_on(tmp_path: Path) -> None:
    folder = copy(tmp_path / "in", "messages/spoof.eml")
    (folder / "bomb.eml").write_bytes(header(*TOP, *("X: y" for _ in range(10_000))))
    (folder / "draft.eml").write_bytes(header(*AUTHOR))
    (folder / "none.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000))
    (folder / "empty.eml").write_bytes(b"")
    report, rows = audit(folder, tmp_path / "out")
    balance(report)
    assert len(rows) == 1
    reasons = sorted(str(row) for row in rejected(tmp_path / "out"))
    assert len(reasons) == 3
    for word in ("5,000 header fields", "no Received line", "damaged compound file"):
        assert any(word in reason for reason in reasons)
    assert any(file["path"].endswith("empty.eml") for file in report["coverage"]["files"])


def test_the_label_makes_it_direct_send_and_forged_ones_do_not(tmp_path: Path) -> None:
    label = "X-MS-Exchange-Organization-IsAnonymousDirectSend: True"
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.eml").write_bytes(header(*TOP, *AUTHOR, *STAMPS, label))
    other = [line.replace("a1000000-", "b1000000-") for line in STAMPS]
    (folder / "b.eml").write_bytes(
        header("Received: from x by mx.fabrikam.com; Tue, 3 Nov 2026 08:15:27 +0000", *AUTHOR, *other, label)
    )
    _, rows = audit(folder, tmp_path / "out")
    assert sorted(row["submission"] for row in rows) == ["direct-send", "undetermined"]
