"""Whatever the bytes are: only InputError, in bounded time and memory. What is printed is read back."""

from __future__ import annotations

import base64
import gzip
import io
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.dmarc_reports import (
    DkimResult,
    Report,
    Reported,
    ReportRow,
    SpfResult,
    is_dmarc_report,
    read_report,
    read_reports,
)
from sidedoor.evidence.record import RejectedRow

REPORTS = Path(__file__).parent.parent / "data" / "dmarc-reports"
HEAD = (
    b"<feedback><report_metadata><org_name>x</org_name><report_id>1</report_id></report_metadata>"
    b"<policy_published><domain>contoso.com</domain></policy_published>"
)
RECORD = (
    b"<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row>"
    b"<identifiers><header_from>contoso.com</header_from></identifiers></record>"
)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def bounded(seconds: float, megabytes: int) -> Iterator[None]:
    """Fails when the block takes longer or has more memory in use at once."""
    tracemalloc.start()
    started = time.monotonic()
    try:
        yield
        spent, peak = time.monotonic() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert spent < seconds
    assert peak < megabytes << 20


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


COMMENTS = b"<!-- " + b" " * 1_000 + b" -->"


def gzip_bomb(start: bytes, megabytes: int) -> bytes:
    """`start` and then comments, packed several hundred times smaller."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    parts = [packer.compress(start), *(packer.compress(COMMENTS * 1_000) for _ in range(megabytes)), packer.flush()]
    return b"".join(parts)


def encrypted(archive: bytes) -> bytes:
    """The archive with the flag of encryption set on its only member."""
    local, central = archive.index(b"PK\x03\x04"), archive.index(b"PK\x01\x02")
    changed = bytearray(archive)
    changed[local + 6] |= 1
    changed[central + 8] |= 1
    return bytes(changed)


def many_files() -> bytes:
    """An archive of five thousand files of which none is a report."""
    return zipped({f"{number}.txt": b"" for number in range(5_000)})


def nested_parts(depth: int) -> bytes:
    """Multiparts within multiparts, with a report at the bottom."""
    parts = [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)]
    leaf = b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return b"From: a@b.example\r\n" + b"".join(parts) + leaf + base64.encodebytes(gzip.compress(HEAD + RECORD))


def nested_messages(depth: int) -> bytes:
    """Messages within messages."""
    return (
        b"From: a@b.example\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Content-Type: text/xml\r\n\r\n<"
    )


HOSTILE: dict[str, tuple[bytes, str]] = {
    "comments behind a report's head": (gzip_bomb(HEAD, 100), "more than 200 times its size"),
    "comments in an archive": (zipped({"a.xml": HEAD + COMMENTS * 50_000}), "more than 200 times its size"),
    "an archive in an archive": (zipped({"a.zip": zipped({"a.xml": HEAD + RECORD})}), "no report in it"),
    "gzip in gzip": (gzip.compress(gzip.compress(HEAD + RECORD)), "damaged or cut off"),
    "five thousand files": (many_files(), "a ZIP archive of 5,000 files"),
    "a long table of contents": (zipped({"x" * 60_000 + str(n): b"" for n in range(20)}), "a table of contents beyond"),
    "an encrypted archive": (encrypted(zipped({"a.xml": HEAD + RECORD})), "encrypted"),
    "an archive without an end": (zipped({"a.xml": HEAD + RECORD})[:-30], "cut off"),
    "an archive with a wrong checksum": (
        zipped({"a.xml": HEAD + RECORD}, zipfile.ZIP_STORED).replace(b"192.0.2.1<", b"192.0.2.2<"), "Bad CRC",
    ),
    "deep elements": (HEAD + b"<a>" * 100_000, "more than 64 levels deep"),
    "deep leaves": (HEAD + b"<record>" + b"<domain>" * 100_000, "more than 64 levels deep"),
    "an endless tag": (HEAD + b"<a " + b"b='c' " * 1_000_000, "a tag or text of more than"),
    "an endless attribute": (HEAD + b"<a b='" + b"c" * 8_000_000, "a tag or text of more than"),
    "an endless text": (HEAD + b"<record><count>" + b"1" * 8_000_000, "a tag or text of more than"),
    "an endless text in lines": (HEAD + b"<record><count>" + b"1\n" * 4_000_000, "a tag or text of more than"),
    "an endless comment": (HEAD + b"<!-- " + b"c" * 8_000_000, "a tag or text of more than"),
    "an entity of entities": (
        b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + HEAD.replace(b"x<", b"&b;<"), "a DTD",
    ),
    "no encoding": (b"<?xml version='1.0' encoding='no-such'?>" + HEAD + b"<", "damaged or cut off"),
    "an encoding of several bytes": (b"<?xml version='1.0' encoding='shift_jis'?>" + HEAD + b"<", "damaged or cut off"),
    "nested parts beyond counting": (nested_parts(2_500), "nested parts"),
    "nested messages": (nested_messages(50_000), "no report in it"),
    "a header without end": (b"From: a@b.example\r\n" + b"X: y\r\n" * 500_000, "no report in it"),
    "a line without end": (b"From: a@b.example\r\n\r\n" + b"x" * 20_000_000, "no report in it"),
    "boundaries that are lines": (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 50_000, "no report in it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bomb_is_refused_in_bounded_time_and_memory(tmp_path: Path, name: str) -> None:
    content, word = HOSTILE[name]
    path = tmp_path / "bomb"
    path.write_bytes(content)
    with bounded(seconds=30, megabytes=60):
        is_dmarc_report(path)
        with pytest.raises(InputError, match=word):
            list(read_report(path))


def test_parts_a_thousand_deep_are_read(tmp_path: Path) -> None:
    path = tmp_path / "deep.eml"
    path.write_bytes(nested_parts(1_000).replace(RECORD, RECORD))
    with bounded(seconds=20, megabytes=30):
        rows: list[object] = []
        with pytest.raises(InputError, match="damaged or cut off"):  # the report has no end
            rows.extend(read_report(path))
        reported = read_reports([path], lambda *_: None)
    assert reported.reports[0].records == 1


def test_records_without_end_are_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    path.write_bytes(HEAD + RECORD * 20_000 + b"</feedback>")
    with bounded(seconds=30, megabytes=8):
        assert sum(1 for _ in read_report(path)) == 20_000


def test_results_without_end_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "results.xml"
    many = b"<dkim><domain>a.example</domain><result>pass</result></dkim>" * 5_000
    path.write_bytes(
        HEAD + RECORD.replace(b"</record>", many + b"<reason><type>x</type></reason>" * 5_000 + b"</record>")
    )
    (row,) = (reading for reading in rows_before_error(path) if isinstance(reading, ReportRow))
    assert len(row.dkim) == 100
    assert len(row.overrides) == 20


def test_kinds_without_end_are_counted_only() -> None:
    reported = Reported(most_kinds=10)
    report = Report("x")
    for number in range(30):
        reported.add(row_of(f"192.0.2.{number}", report), ("x",))
    assert len(reported) == len(list(reported.sources())) == 10
    assert reported.uncounted == 20


def row_of(address: str, report: Report) -> ReportRow:
    """One message from an address."""
    return ReportRow(1, report, address, 1, None, None, None, (), "contoso.com", None, (), ())


def rows_before_error(path: Path) -> list[ReportRow | RejectedRow]:
    """The rows of a file that may break off."""
    found: list[ReportRow | RejectedRow] = []
    try:
        for reading in read_report(path):
            found.append(reading)  # noqa: PERF402
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017
    return found


@MANY
@given(
    st.binary(max_size=400), st.sampled_from([b"", HEAD, b"\x1f\x8b", b"PK\x03\x04", b"From: a@b\r\n", b"<feedback>"])
)
def test_any_bytes_are_rows_or_an_input_error(tmp_path: Path, tail: bytes, start: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(start + tail)
    is_dmarc_report(path)
    rows_before_error(path)


@MANY
@given(st.sampled_from(sorted(REPORTS.iterdir())), st.data())
def test_a_damaged_report_is_rows_or_an_input_error(tmp_path: Path, source: Path, data: st.DataObject) -> None:
    content = bytearray(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"<", b"&"])
        )
    path = tmp_path / "damaged"
    path.write_bytes(bytes(content) or b" ")
    is_dmarc_report(path)
    rows = rows_before_error(path)
    assert [row.row for row in rows] == list(range(1, len(rows) + 1))
    counted = read_reports([path], lambda *_: None)
    assert sum(report.records for report in counted.reports) == len(rows)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9]{0,5}){1,2}", fullmatch=True)
ADDRESSES = st.ip_addresses().map(str).filter(lambda text: not text.startswith("::ffff:"))
RESULTS = st.sampled_from(["pass", "fail", "none", "neutral", "softfail", "temperror", "permerror"])
ALIGNED = st.sampled_from(["pass", "fail", None])
SCOPES = st.sampled_from(["mfrom", "helo", ""])
WORDS = st.sampled_from(["forwarded", "local_policy", "mailing_list", "other", "policy_test_mode"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=20)
MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))  # noqa: DTZ001


@st.composite
def reports(draw: st.DrawFn) -> list[ReportRow]:
    """The records of one report."""
    begin = draw(MOMENTS)
    head = Report(
        draw(TEXTS), draw(TEXTS), draw(NAMES), draw(st.sampled_from(["none", "quarantine", "reject"])),
        begin, begin + timedelta(seconds=draw(st.integers(0, 10**6))),
    )  # fmt: skip
    count = draw(st.integers(1, 5))
    return [
        ReportRow(
            number, head, draw(ADDRESSES), draw(st.integers(1, 10**9)),
            draw(st.sampled_from(["none", "quarantine", "reject", "pass", None])), draw(ALIGNED), draw(ALIGNED),
            tuple(draw(st.lists(WORDS, max_size=2))), draw(NAMES), draw(NAMES | st.just("") | st.none()),
            tuple(draw(st.lists(st.builds(SpfResult, NAMES, SCOPES, RESULTS), max_size=2))),
            tuple(draw(st.lists(st.builds(DkimResult, NAMES, TEXTS, RESULTS), max_size=2))),
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def element(name: str, text: object) -> str:
    """`<name>text</name>`, nothing for None."""
    return "" if text is None else f"<{name}>{escape(str(text))}</{name}>"


def holding(name: str, **texts: object) -> str:
    """An element of leaves."""
    return f"<{name}>{''.join(element(leaf, text) for leaf, text in texts.items())}</{name}>"


def printed(rows: list[ReportRow]) -> str:
    """The rows as a report of RFC 9990."""
    head = rows[0].report
    assert head.begin is not None
    assert head.end is not None
    metadata = holding("report_metadata", org_name=head.org_name, email="a@b.example", report_id=head.report_id)
    dates = holding("date_range", begin=int(head.begin.timestamp()), end=int(head.end.timestamp()))
    published = holding("policy_published", domain=head.domain, p=head.policy)
    start = '<?xml version="1.0"?>\n<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">'
    nested = metadata.replace("</report_metadata>", f"{dates}</report_metadata>")
    return f"{start}{nested}{published}{''.join(map(printed_record, rows))}</feedback>"


def printed_record(row: ReportRow) -> str:
    """One record."""
    evaluated = holding("policy_evaluated", disposition=row.disposition, dkim=row.dkim_aligned, spf=row.spf_aligned)
    reasons = "".join(holding("reason", type=word, comment="") for word in row.overrides)
    names = holding("identifiers", envelope_from=row.envelope_from, header_from=row.header_from)
    results = [holding("dkim", **result._asdict()) for result in row.dkim]
    results += [holding("spf", **result._asdict()) for result in row.spf]
    source = element("source_ip", row.source_ip) + element("count", row.messages)
    row_text = f"<row>{source}{evaluated}{reasons}</row>"
    return f"<record>{row_text}{names}<auth_results>{''.join(results)}</auth_results></record>"


def in_mail(content: bytes) -> bytes:
    """As an attachment."""
    head = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    part = b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return head + part + base64.encodebytes(content).replace(b"\n", b"\r\n") + b"--b--\r\n"


def in_archive(content: bytes) -> bytes:
    """As the only file of a ZIP archive."""
    return zipped({"r.xml": content})


def gzipped(content: bytes) -> bytes:
    """Packed with gzip."""
    return gzip.compress(content)


PACKINGS: dict[str, tuple[Callable[[bytes], bytes], ...]] = {
    "plain": (),
    "gzip": (gzipped,),
    "zip": (in_archive,),
    "mail": (in_mail,),
    "gzip in mail": (gzipped, in_mail),
    "zip in mail": (in_archive, in_mail),
}


@MANY
@given(reports(), st.sampled_from(sorted(PACKINGS)))
def test_what_is_printed_is_read_back(tmp_path: Path, rows: list[ReportRow], packing: str) -> None:
    path = tmp_path / "report"
    content = printed(rows).encode()
    for pack in PACKINGS[packing]:
        content = pack(content)
    path.write_bytes(content)
    assert is_dmarc_report(path)
    found = [reading for reading in read_report(path) if isinstance(reading, ReportRow)]
    assert [row._replace(report=row.report._replace(part="")) for row in found] == rows
    reported = read_reports([path], lambda *_: None)
    for use in reported.sources():
        mine = [row for row in rows if row.source_ip == use.source_ip]
        assert use.messages == use.passed + use.failed + use.untold == sum(row.messages for row in mine)
        assert use.passed == sum(row.messages for row in mine if row.passed)
        assert use.untold == sum(row.messages for row in mine if row.passed is None)
