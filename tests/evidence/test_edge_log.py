"""The edge's own decision log as a history: who came, who was refused, and what the audit makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.registry import recognise
from tests.audit.audit_kit import accepted_domain, assert_balanced, audit, connector, write_settings

LOG = Path(__file__).parent.parent / "data" / "evidence" / "edge-log.jsonl"


def readings() -> list[Record | RejectedRow]:
    return _read(LOG)


def _read(path: Path) -> list[Record | RejectedRow]:
    source = recognise(path)
    assert source is not None
    assert source.format.name == "edge-log"
    return list(source.read(ReadOptions()))


def test_each_line_is_a_record_or_says_why_not() -> None:
    records = [each for each in readings() if isinstance(each, Record)]
    told = [(each.recipient, each.envelope_sender, each.client_ip, each.tls, each.connector, each.entry, each.treatment)
            for each in records]  # fmt: skip
    assert told == [
        ("helpdesk@contoso.com", "scan@contoso.com", "203.0.113.10", "none", "", "anonymous", "delivered"),
        ("bär@contoso.com", "scan@contoso.com", "203.0.113.10", "none", "", "anonymous", "delivered"),
        ("helpdesk@contoso.com", "<>", "203.0.113.11", "none", "", "anonymous", "delivered"),
        ("helpdesk@contoso.com", "scan@contoso.com", "198.51.100.70", "TLS1.3", "Inbound from Hygiene", "anonymous",
         "delivered"),
        ("helpdesk@contoso.com", "scan@contoso.com", "203.0.113.40", "none", "", "authenticated", "delivered"),
        ("helpdesk@contoso.com", "scan@contoso.com", "203.0.113.10", "none", "", "anonymous", "blocked"),
    ]  # fmt: skip
    reasons = [each.why for each in readings() if isinstance(each, RejectedRow)]
    assert len(reasons) == 3
    assert "sidedoor/edge-log/9" in reasons[0]


def test_half_a_line_is_a_rejected_row_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [line for line in LOG.read_bytes().splitlines(keepends=True) if b"edge-log/1" in line and line[:1] == b"{"]
    whole = len([each for each in _read(LOG) if isinstance(each, Record)])
    log = tmp_path / "torn.jsonl"
    for cut in (0, 1, len(lines) - 1):
        torn = [*lines[:cut], lines[cut][:100] + b"\n", b"\n", *lines[cut:], lines[0][:50]]
        log.write_bytes(b"".join(torn))
        found = _read(log)
        rejected = [each for each in found if isinstance(each, RejectedRow)]
        assert [each.row for each in rejected if "half of one" in each.why] == [cut + 1, len(lines) + 2]
        assert len([each for each in found if isinstance(each, Record)]) == whole


def test_a_line_without_end_is_one_row(tmp_path: Path) -> None:
    log = tmp_path / "long.jsonl"
    first, *rest = LOG.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + b'{"x":"' + b"x" * 3_000_000 + b'"}\n' + b"".join(rest))
    assert len(_read(log)) == len(readings()) + 1


def test_an_audit_of_the_log_says_what_the_edge_did(tmp_path: Path, capsys: Any) -> None:
    write_settings(
        tmp_path / "tenant",
        [accepted_domain("contoso.com")],
        [connector("Inbound from Hygiene", SenderIPAddresses=["198.51.100.64/27"])],
    )
    outcome = audit(capsys, tmp_path / "out", LOG, tmp_path / "tenant")
    assert outcome.code == 0, outcome.said
    rows = outcome.messages("client_ip, envelope_sender, submission, would_reject, treatment")
    assert sorted(rows, key=str) == sorted(
        [
            ("203.0.113.10", "scan@contoso.com", "direct-send", True, "delivered"),
            ("203.0.113.10", "scan@contoso.com", "direct-send", True, "delivered"),
            ("203.0.113.11", "<>", "undetermined", False, "delivered"),
            ("198.51.100.70", "scan@contoso.com", "partner-connector", False, "delivered"),
            ("203.0.113.40", "scan@contoso.com", "authenticated", False, "delivered"),
            ("203.0.113.10", "scan@contoso.com", "direct-send", True, "blocked"),
        ],
        key=str,
    )
    assert_balanced(outcome)
