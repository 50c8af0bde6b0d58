"""Aggregate reports as they are: broken in every way that occurs, packed in every way, read by content."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from sidedoor.errors import InputError
from sidedoor.evidence.dmarc_reports import (
    DkimResult,
    ReportRow,
    SpfResult,
    is_dmarc_report,
    read_report,
    read_reports,
)
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.registry import recognise

DATA = Path(__file__).parent.parent / "data"
REPORTS = DATA / "dmarc-reports"

# File: reports, records, rejected records, messages, what is said of it ("" where it is read as it is).
MENDED = "could be mended"
FILES: dict[str, tuple[int, int, int, int, str]] = {
    "bad-records.xml": (1, 8, 5, 12, ""),
    "bare-ampersand.xml": (1, 1, 0, 4, MENDED),
    "blank-lines-first.xml": (1, 1, 0, 4, MENDED),
    "byte-order-mark.xml": (1, 1, 0, 4, ""),
    "control-character.xml": (1, 1, 0, 4, MENDED),
    "cut-off.gz": (1, 194, 0, 776, "a gzip file that is cut off"),
    "cut-off.xml": (1, 1, 0, 4, "damaged or cut off"),
    "declared-latin1.xml": (1, 1, 0, 4, ""),
    "doctype.xml": (1, 0, 0, 0, "a DTD"),
    "empty-feedback.xml": (1, 0, 0, 0, ""),
    "empty-reason.xml": (1, 1, 0, 4, ""),
    "external-entity.xml": (1, 0, 0, 0, "a DTD"),
    "html-entity.xml": (1, 1, 0, 4, MENDED),
    "iso-dates.xml": (1, 1, 0, 4, ""),
    "junk-behind.xml": (1, 1, 0, 4, ""),
    "mail-base64-unlabelled.eml": (1, 1, 0, 4, ""),
    "mail-forwarded.eml": (2, 4, 0, 168, ""),
    "mail-gzip-as-octets.eml": (1, 1, 0, 4, ""),
    "mail-quoted-printable.eml": (1, 1, 0, 4, ""),
    "mail-without-parts.eml": (1, 1, 0, 4, ""),
    "mail-zip.eml": (2, 3, 1, 6, ""),
    "mailbox.mbox": (2, 2, 0, 8, ""),
    "no-dates.xml": (1, 1, 0, 4, ""),
    "no-name.xml": (1, 1, 0, 4, ""),
    "no-results.xml": (1, 1, 0, 4, ""),
    "not-utf8-name.xml": (1, 1, 0, 4, MENDED),
    "not-utf8.xml": (1, 1, 0, 4, MENDED),
    "old-draft.xml": (1, 1, 0, 4, ""),
    "outlook.xml": (1, 3, 0, 164, ""),
    "outlook.xml.gz": (1, 3, 0, 164, ""),
    "outlook.zip": (1, 3, 0, 164, ""),
    "prefixed-names.xml": (1, 1, 0, 4, ""),
    "rfc9990.xml": (1, 1, 0, 7, ""),
    "says-utf16-is-utf8.xml": (1, 1, 0, 4, MENDED),
    "second-behind.xml": (1, 1, 0, 4, "more records behind the report's end"),
    "several-reasons.xml": (1, 1, 0, 4, ""),
    "several.zip": (2, 3, 1, 6, ""),
    "stray-less-than.xml": (1, 2, 0, 8, MENDED),
    "text-between.xml": (1, 1, 0, 4, ""),
    "two-byte-order-marks.xml": (1, 1, 0, 4, MENDED),
    "two-members.gz": (1, 1, 0, 4, ""),
    "unclosed-schema-wrapper.xml": (1, 1, 0, 4, ""),
    "upper-case-results.xml": (1, 1, 0, 4, ""),
    "utf16.xml": (1, 1, 0, 4, ""),
    "wrong-dates.xml": (1, 1, 0, 4, ""),
}
NOT_CLAIMED = {"mail-ordinary.eml", "mailbox-ordinary-first.mbox"}


def rows_of(name: str) -> list[ReportRow]:
    """The rows of a file that is read to its end."""
    return [reading for reading in read_report(REPORTS / name) if isinstance(reading, ReportRow)]


def test_every_file_is_in_the_table() -> None:
    assert {path.name for path in REPORTS.iterdir()} == set(FILES) | NOT_CLAIMED


@pytest.mark.parametrize("name", FILES)
def test_a_report_is_read_or_refused_with_a_word(name: str) -> None:
    rejected: list[RejectedRow] = []
    reported = read_reports([REPORTS / name], lambda _, row: rejected.append(row))
    reports, records, bad, messages, word = FILES[name]
    assert is_dmarc_report(REPORTS / name)
    assert len(reported.reports) == reports
    assert sum(report.records for report in reported.reports) == records
    assert sum(report.rejected for report in reported.reports) == len(rejected) == bad
    assert sum(report.messages for report in reported.reports) == messages
    assert sum(use.messages for use in reported.sources()) == messages
    notes = "".join(report.note for report in reported.reports)
    assert word in notes if word else notes == ""
    assert bool(reported.broken) == (word not in {"", MENDED})


@pytest.mark.parametrize(
    "name", ["doctype.xml", "cut-off.xml", "cut-off.gz", "second-behind.xml", "external-entity.xml"]
)
def test_what_breaks_off_is_an_error_behind_the_rows(name: str) -> None:
    rows = read_report(REPORTS / name)
    found = list(islice(rows, FILES[name][1]))
    assert [row.row for row in found] == list(range(1, FILES[name][1] + 1))
    with pytest.raises(InputError, match=f"{name}.*{FILES[name][4]}.*expected a DMARC aggregate report"):
        next(rows)


def test_the_same_report_three_times_is_counted_once() -> None:
    copies = [REPORTS / name for name in ("outlook.xml", "outlook.xml.gz", "outlook.zip", "mail-forwarded.eml")]
    reported = read_reports(copies, lambda *_: None)
    assert [report.duplicate for report in reported.reports] == [False, True, True, False, True]
    assert reported.reports[1].note == f"the same report as in {copies[0]}: not counted again"
    assert sum(use.messages for use in reported.sources()) == 164 + 4


def test_another_report_of_the_same_number_is_noted(tmp_path: Path) -> None:
    text = (REPORTS / "outlook.xml").read_text(encoding="utf-8")
    (tmp_path / "other.xml").write_text(text.replace("<count>41<", "<count>42<"), encoding="utf-8")
    reported = read_reports([REPORTS / "outlook.xml", tmp_path / "other.xml"], lambda *_: None)
    assert "another report of the same number" in reported.reports[1].note
    use = reported.of("203.0.113.22")
    assert use is not None
    assert use.messages == 41


def test_reports_without_a_number_are_no_copies(tmp_path: Path) -> None:
    text = (REPORTS / "outlook.xml").read_text(encoding="utf-8")
    path = tmp_path / "anonymous.xml"
    path.write_text(text.replace("0123456789abcdef0123456789abcdef", ""), encoding="utf-8")
    reported = read_reports([path, path], lambda *_: None)
    assert sum(use.messages for use in reported.sources()) == 328


def test_a_record_in_full() -> None:
    row = rows_of("outlook.xml")[1]
    day = datetime(2026, 11, 3, tzinfo=UTC)
    assert row.report[:6] == (
        "Enterprise Outlook", "0123456789abcdef0123456789abcdef", "contoso.com", "reject", day, day.replace(day=4),
    )  # fmt: skip
    assert row[2:] == (
        "198.51.100.40", 120, "none", "pass", "fail", (), "contoso.com", "bounces.contoso.com",
        (SpfResult("bounces.contoso.com", "mfrom", "pass"),), (DkimResult("contoso.com", "s1", "pass"),),
    )  # fmt: skip
    assert row.passed is True


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("rfc9990.xml", {"source_ip": "2001:db8:10::25", "disposition": "reject", "overrides": ("policy_test_mode",)}),
        (
            "upper-case-results.xml",
            {"disposition": "none", "dkim_aligned": "pass", "spf_aligned": "pass", "passed": True},
        ),
        ("empty-reason.xml", {"overrides": (), "dkim_aligned": "fail", "spf_aligned": "pass"}),
        ("several-reasons.xml", {"overrides": ("forwarded", "local_policy"), "passed": False}),
        ("old-draft.xml", {"header_from": "contoso.com", "envelope_from": None}),
        ("no-results.xml", {"spf": (), "dkim": (), "envelope_from": ""}),
        ("not-utf8.xml", {"header_from": "m\ufffdnchen.contoso.com"}),
        ("utf16.xml", {"source_ip": "203.0.113.22"}),
    ],
)
def test_what_single_records_say(name: str, fields: dict[str, object]) -> None:
    row = rows_of(name)[0]
    assert {field: getattr(row, field) for field in fields} == fields


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        ("wrong-dates.xml", "2026-11-03T00:00:00+00:00", "2026-11-03T23:59:59+00:00"),
        ("iso-dates.xml", "2026-11-03T00:00:00+00:00", "2026-11-03T23:59:59+00:00"),
        ("no-dates.xml", None, None),
    ],
)
def test_dates_in_other_forms(name: str, begin: str | None, end: str | None) -> None:
    report = rows_of(name)[0].report
    assert [moment and moment.isoformat() for moment in (report.begin, report.end)] == [begin, end]


@pytest.mark.parametrize(
    ("name", "who"),
    [("bare-ampersand.xml", "Smith & Sons"), ("declared-latin1.xml", "Müller Mail"), ("no-name.xml", "fabrikam.com")],
)
def test_who_reports(name: str, who: str) -> None:
    assert rows_of(name)[0].report.org_name == who


def test_bad_records_are_rejected_one_by_one() -> None:
    readings = list(read_report(REPORTS / "bad-records.xml"))
    assert [reading.row for reading in readings] == list(range(1, 9))
    assert [reading.why for reading in readings if isinstance(reading, RejectedRow)] == [
        "source_ip: 'unknown' is no IP address",
        "no source_ip",
        "count: 'many' is no number of messages",
        "count: '0' is no number of messages",
        "no header_from: whose name was used is not told",
    ]
    good = [reading for reading in readings if isinstance(reading, ReportRow)]
    assert [row.source_ip for row in good] == ["203.0.113.22", "198.51.100.7", "2001:db8::1"]
    assert good[-1].header_from == "contoso.com"


def test_rows_are_numbered_over_all_reports_of_a_file() -> None:
    assert [(reading.row, type(reading)) for reading in read_report(REPORTS / "several.zip")] == [
        (1, ReportRow), (2, ReportRow), (3, RejectedRow),
    ]  # fmt: skip
    assert [row.report.part for row in rows_of("several.zip")] == ["a.xml", "b.xml"]


def test_one_source_added_up_over_reports() -> None:
    paths = [
        REPORTS / name for name in ("outlook.xml", "upper-case-results.xml", "several-reasons.xml", "no-dates.xml")
    ]
    reported = read_reports(paths, lambda *_: None)
    use = reported.of("203.0.113.22")
    assert use is not None
    assert (use.messages, use.passed, use.passed_spf, use.passed_dkim, use.failed, use.untold) == (53, 49, 49, 4, 4, 0)
    assert use.reporters == ("Enterprise Outlook", "Fabrikam Mail")
    assert (use.first, use.last) == (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))
    assert use.header_from == use.envelope_from == {"contoso.com": 53}
    assert use.signers == {"contoso.com": 4, "fabrikam.com": 4}
    assert use.overrides == {"forwarded": 4, "local_policy": 4}
    assert reported.of("198.51.100.99") is None
    assert [(source.source_ip, source.messages) for source in reported.sources()] == [
        ("198.51.100.40", 120), ("203.0.113.22", 53), ("192.0.2.66", 3),
    ]  # fmt: skip
    assert sum(count.messages for _, count in reported.details("203.0.113.22")) == 53


def test_silence_is_neither_pass_nor_failure(tmp_path: Path) -> None:
    path = tmp_path / "silent.xml"
    text = (REPORTS / "empty-reason.xml").read_text(encoding="utf-8")
    path.write_text(text.replace("<dkim>fail</dkim><spf>pass</spf>", "<dkim>fail</dkim>"), encoding="utf-8")
    use = read_reports([path], lambda *_: None).of("203.0.113.22")
    assert use is not None
    assert (use.passed, use.failed, use.untold) == (0, 0, 4)


@pytest.mark.parametrize("path", sorted((DATA / "evidence").iterdir()), ids=lambda path: path.name)
def test_exports_and_messages_are_not_claimed(path: Path) -> None:
    assert is_dmarc_report(path) == path.name.startswith("dmarc.")


@pytest.mark.parametrize("name", sorted(NOT_CLAIMED))
def test_ordinary_mail_is_not_claimed(name: str) -> None:
    assert not is_dmarc_report(REPORTS / name)
    assert recognise(REPORTS / name) is not None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", b"PK\x03\x04", b"<", b"<feedback", b"<html><feedback></html>", b"<Objs>report_metadata</Objs>",
     b"From: a@b\n\n", b"From x\n", b"a,b\n1,2\n"],
)  # fmt: skip
def test_what_is_no_report_is_not_claimed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_dmarc_report(path)
    assert not is_dmarc_report(tmp_path / "missing")
    with pytest.raises(InputError):
        list(read_report(path))
    broken = read_reports([path, tmp_path / "missing"], lambda *_: None).broken
    assert [where.name for where, _ in broken] == ["file", "missing"]
