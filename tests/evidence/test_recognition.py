"""Files are known by what they hold; what is none of ours is None or an error in one clear sentence."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from sidedoor.errors import InputError
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.registry import FORMATS, recognise

DATA = Path(__file__).parent.parent / "data" / "evidence"
V2_HEADER = "MessageTraceId,MessageId,Received,SenderAddress,RecipientAddress,FromIP,Status"
V2_ROW = "a1,<m@x>,2026-11-03T08:15:27Z,a@contoso.com,b@contoso.com,203.0.113.10,Delivered"


def readings(path: Path, date_format: str | None = None) -> list[Record | RejectedRow]:
    recognised = recognise(path)
    assert recognised is not None
    return list(recognised.read(ReadOptions(date_format)))


def file_of(folder: Path, content: bytes | str, name: str = "anything.bin") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


STRANGERS = {
    "prose": b"Dear all, please find attached",
    "two words, comma": b"Dear all, please\nfind, attached\n",
    "binary": bytes(range(256)) * 20,
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(200),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)),
    "one long line": b"x" * 1_000_000,
    "thousand columns": ",".join(f"c{n}" for n in range(20_000)).encode(),
    "html": b"<!doctype html><html><body>Sign in</body></html>",
    "empty list": b"[]",
    "a number": b"42",
    "tenant settings": b'[{"DomainName": "contoso.com", "DomainType": "Authoritative"}]',
    "service error": (DATA / "graph-error.json").read_bytes(),
    "dmarc": (DATA / "dmarc.xml").read_bytes(),
    "protocol log": b"#Software: Exchange\r\n#Fields: date-time,connector-id,session-id,event,data\r\n",
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_none_or_an_input_error(tmp_path: Path, name: str) -> None:
    path = file_of(tmp_path, STRANGERS[name])
    try:
        assert recognise(path) is None
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017


REFUSED = [
    (b"", "an empty file"),
    (b"\xef\xbb\xbf\r\n", "an empty file"),
    (bytes(512), "nothing but NUL bytes"),
    (zipped("export.csv", b"a,b"), "a ZIP archive; expected the export itself; unpack it"),
    ((DATA / "dmarc.zip").read_bytes(), "a ZIP archive"),
    (b"PK\x03\x04 and then nothing", "a damaged ZIP archive"),
    (zipped("xl/workbook.xml", b"<nothing/>"), "a damaged workbook"),
    (
        b"origin_time,network_message_id,recipient_status,original_client_ip\n1,2,3,4\n",
        "origin_time, network_message_id",
    ),
    (b"when,sender_address,network_message_id,connector_type,tls_used\n1,2,3,4,5\n", "expected those of"),
    (
        b'[{"Timestamp": "x", "NetworkMessageId": "y", "RecipientEmailAddress": "z"}]',
        "EmailEvents: Timestamp, NetworkMessageId",
    ),
]


@pytest.mark.parametrize(("content", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_a_damaged_or_packed_export_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        recognise(file_of(tmp_path, content))


def test_no_file_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.csv", tmp_path):
        with pytest.raises(InputError, match="no readable file"):
            recognise(path)


def test_names_do_not_matter(tmp_path: Path) -> None:
    content = (DATA / "message-trace-v2.ps7.json").read_bytes()
    recognised = recognise(file_of(tmp_path, content, "Report.XLSX"))
    assert recognised is not None
    assert recognised.format.name == "message-trace-v2"


@pytest.mark.parametrize(
    ("file", "name"),
    [("connector-summary.csv", "connector-summary"), ("historical-search-jobs.json", "historical-search-jobs")],
)
def test_a_known_file_without_messages_says_so(file: str, name: str) -> None:
    recognised = recognise(DATA / file)
    assert recognised is not None
    assert recognised.format.name == name
    assert "no messages" in recognised.format.note
    assert readings(DATA / file) == []


@pytest.mark.parametrize(
    ("context", "name"),
    [
        ("https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces", "graph-message-trace"),
        ("https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.security.huntingQueryResults", "email-events"),
    ],
)
def test_an_empty_page_is_still_a_page(tmp_path: Path, context: str, name: str) -> None:
    rows = "results" if name == "email-events" else "value"
    recognised = recognise(file_of(tmp_path, json.dumps({"@odata.context": context, rows: []})))
    assert recognised is not None
    assert recognised.format.name == name
    assert list(recognised.read(ReadOptions())) == []


def test_format_names_are_unique_and_every_missing_fact_has_a_remedy() -> None:
    assert len({form.name for form in FORMATS}) == len(FORMATS)
    for form in FORMATS:
        assert all(form.cannot_tell.values())


DIALECTS = [
    "{header}\n{row}\n",
    "\ufeff{header}\r\n{row}\r\n",
    "#TYPE Selected.System.Management.Automation.PSCustomObject\r\n{header}\r\n{row}\r\n",
    "sep=,\r\n{header}\r\n{row}\r\n",
    "PSComputerName,RunspaceId,{header},Index\nouter,guid,{row},0\n",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quoted", [True, False])
@pytest.mark.parametrize("template", DIALECTS, ids=range(len(DIALECTS)))
def test_dialects(tmp_path: Path, template: str, quoted: bool, separator: str, encoding: str) -> None:
    text = template.format(header=V2_HEADER, row=V2_ROW)
    preamble, body = (
        ([text.splitlines(keepends=True)[0]], text.splitlines(keepends=True)[1:])
        if text[0] in "#s"
        else ([], text.splitlines(keepends=True))
    )
    lines = ["".join(preamble).replace(",", separator)]
    for line in body:
        cells = line.strip("\ufeff\r\n").split(",")
        start = "\ufeff" if line.startswith("\ufeff") and encoding != "utf-16" else ""
        lines.append(start + separator.join(f'"{cell}"' if quoted else cell for cell in cells) + "\r\n")
    (record,) = readings(file_of(tmp_path, "".join(lines).encode(encoding)))
    assert isinstance(record, Record)
    assert (record.message_key, record.client_ip, record.treatment) == ("a1", "203.0.113.10", "delivered")
    assert record.received_at == "2026-11-03 08:15:27.000000"


BAD_ROWS = [
    (V2_ROW.replace("2026-11-03T08:15:27Z", ""), "no date"),
    (V2_ROW.replace("2026-11-03", "2026-02-30"), "possible date"),
    (V2_ROW.replace("2026-11-03", "1926-11-03"), "possible date"),
    (V2_ROW.replace("203.0.113.10", "203.0.113.310"), "no IP address"),
    (V2_ROW.replace("b@contoso.com", "nobody"), "bad recipient"),
    (V2_ROW.replace("a1,", "two words,"), "message identifier"),
    (",,2026-11-03T08:15:27Z,,,203.0.113.10,Delivered", "no message identifier and no address"),
    ("one cell", "1 cells; the header has 7"),
]


@pytest.mark.parametrize(("row", "why"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_bad_row_is_rejected_and_the_rest_goes_on(tmp_path: Path, row: str, why: str) -> None:
    found = readings(file_of(tmp_path, f"{V2_HEADER}\n{V2_ROW}\n{row}\n{V2_ROW}\n"))
    assert [type(reading) for reading in found] == [Record, RejectedRow, Record]
    assert [reading.row for reading in found] == [1, 2, 3]
    assert isinstance(found[1], RejectedRow)
    assert why in found[1].why
    assert found[1].text


CULTURE = [
    (["11/3/2026 8:15:27 AM"], None, "day and month cannot be told apart"),
    (["11/25/2026 8:15:27 AM", "25/11/2026 8:15:27 AM"], None, "dates of two orders"),
    (["11/3/2026 8:15:27 AM"], "en-US", "2026-11-03"),
    (["11/3/2026 8:15:27 AM"], "en-GB", "2026-03-11"),
    (["11/3/2026 8:15:27 AM"], "d/M/yyyy h:mm:ss tt", "2026-03-11"),
    (["11/3/2026 8:15:27 AM", "11/25/2026 8:15:27 AM"], None, "2026-11-03"),
    (["11/3/2026 8:15:27 AM", "25/11/2026 8:15:27 AM"], None, "2026-03-11"),
    (["2026-11-03T08:15:27Z", "3/11/2026 8:15", "25/11/2026 8:15"], None, "2026-11-03"),
    (["03.11.2026 08:15:27"], None, "2026-11-03"),
]


@pytest.mark.parametrize(("dates", "stated", "outcome"), CULTURE, ids=range(len(CULTURE)))
def test_culture_dates_are_proven_stated_or_refused(
    tmp_path: Path, dates: list[str], stated: str | None, outcome: str
) -> None:
    rows = "\n".join(V2_ROW.replace("2026-11-03T08:15:27Z", date) for date in dates)
    path = file_of(tmp_path, f"{V2_HEADER}\n{rows}\n")
    if not outcome.startswith("2026"):
        with pytest.raises(InputError, match=outcome):
            readings(path, stated)
        return
    found = readings(path, stated)
    assert isinstance(found[0], Record)
    assert str(found[0].received_at).startswith(outcome)


HOSTILE = [
    "=cmd|'/c calc'!A1",
    "<script>alert(1)</script>",
    "a\u202egnp.exe",
    "bell\x07 and \x1b[31m",
    "née\x85\u2028line",
    '"; DROP TABLE',
    "😀",
]


@pytest.mark.parametrize("subject", HOSTILE)
def test_a_hostile_subject_changes_nothing(tmp_path: Path, subject: str) -> None:
    cell = '"' + subject.replace('"', '""') + '"'
    found = readings(file_of(tmp_path, f"{V2_HEADER},Subject\n{V2_ROW},{cell}\n{V2_ROW},plain\n"))
    assert [type(reading) for reading in found] == [Record, Record]
    assert isinstance(found[0], Record)
    assert isinstance(found[1], Record)
    assert found[0][1:] == found[1][1:]


def test_a_clixml_entity_bomb_is_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'<!DOCTYPE x [<!ENTITY e0 "boom">{entities}]><Objs Version="1.1.0.1" '
        'xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        '<Obj><MS><S N="MessageTraceId">&e9;</S></MS></Obj></Objs>'
    )
    path = file_of(tmp_path, bomb)
    with pytest.raises(InputError):
        assert recognise(path) is not None


def test_one_object_is_a_file_of_one_row(tmp_path: Path) -> None:
    row = json.loads((DATA / "message-trace-v2.ps7.json").read_text(encoding="utf-8"))[0]
    assert len(readings(file_of(tmp_path, json.dumps(row)))) == 1


def test_an_overlong_cell_of_an_object_rejects_its_row(tmp_path: Path) -> None:
    rows = json.loads((DATA / "message-trace-v2.ps7.json").read_text(encoding="utf-8"))[:2]
    rows[0]["SenderAddress"] = "x" * 70_000
    rows[1]["RecipientAddress"] = ["a@contoso.com"]
    found = readings(file_of(tmp_path, json.dumps(rows)))
    assert [type(reading) for reading in found] == [RejectedRow, RejectedRow]


def test_a_workbook_holds_the_same_as_the_csv(tmp_path: Path) -> None:
    import csv

    openpyxl = pytest.importorskip("openpyxl")
    source = DATA / "email-events.portal-iso.csv"
    book = openpyxl.Workbook()
    with source.open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.reader(handle):
            book.active.append(row)
    path = tmp_path / "hunting.csv"
    book.save(path)
    assert readings(path) == readings(source)


def test_a_workbook_that_claims_a_billion_rows_is_refused(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["Timestamp", "NetworkMessageId", "SenderFromAddress"])
    book.active.append(["2026-11-03T08:15:27Z", "a1", "a@contoso.com"])
    book.save(tmp_path / "whole.xlsx")
    path = tmp_path / "gap.xlsx"
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(path, "w") as gap:
        for name in whole.namelist():
            sheet = whole.read(name).replace(b"C2", b"C1000000000")  # the dimension is a claim, too
            gap.writestr(name, sheet.replace(b'<row r="2"', b'<row r="1000000000"'))
    with pytest.raises(InputError, match="1,048,576 rows"):
        readings(path)


PROJECTIONS = [
    ("Timestamp,NetworkMessageId,SenderMailFromAddress", "2026-11-03T08:15:27Z,a1,", {"envelope_sender": "<>"}),
    (
        "Timestamp,InternetMessageId,SenderFromAddress",
        "2026-11-03T08:15:27Z,<m@x>,A@contoso.com",
        {"header_from": "a@contoso.com"},
    ),
    (
        "TimeGenerated,NetworkMessageId,SenderFromAddress,SenderIPv4,Connectors,New",
        "2026-11-03T08:15:27Z,a1,a@contoso.com,,,x",
        {"header_from": "a@contoso.com", "connector": ""},  # without SenderIPv6 an empty SenderIPv4 tells nothing
    ),
    (
        "Timestamp,NetworkMessageId,SenderFromAddress,AuthenticationDetails",
        'Nov 3 2026 8:15:27 AM,a1,a@contoso.com,"{""SPF"":""Pass"",""DMARC"":5}"',
        {"header_from": "a@contoso.com", "spf": "pass"},
    ),
    (
        "Timestamp,NetworkMessageId,SenderFromAddress,AuthenticationDetails",
        '2026-11-03T08:15:27Z,a1,a@contoso.com,"{""SPF"":""pa"',
        {"header_from": "a@contoso.com"},
    ),
]


@pytest.mark.parametrize(("header", "row", "facts"), PROJECTIONS, ids=range(len(PROJECTIONS)))
def test_a_projected_query_tells_only_what_it_kept(
    tmp_path: Path, header: str, row: str, facts: dict[str, str]
) -> None:
    (record,) = readings(file_of(tmp_path, f"{header}\n{row}\n"))
    assert isinstance(record, Record)
    told = {name: value for name, value in record._asdict().items() if value not in {None, ""} or name == "connector"}
    told = {name: value for name, value in told.items() if value is not None}
    for name in ("row", "message_key", "message_id", "received_at"):
        told.pop(name, None)
    assert told == facts


def detail(event: str, text: str, **mep: str) -> dict[str, str]:
    data = "".join(f'<MEP Name="{name}" String="{value}"/>' for name, value in mep.items())
    return {
        "MessageTraceId": "a1", "MessageId": "<m@x>", "Date": "2026-11-03T08:15:27Z", "Event": event, "Action": "",
        "Detail": text, "Data": f"<root>{data}</root>",
    }  # fmt: skip


DEFAULT = r"AM9PR00MB0001\Default AM9PR00MB0001"
RECEIPTS = [
    ({"ConnectorId": DEFAULT}, {"connector": "", "tls": "none", "client_ip": None}),
    ({"ConnectorId": ""}, {"connector": None, "envelope_sender": None}),
    ({}, {"connector": None}),
    ({"ClientIP": "203.0.113.9"}, {"client_ip": None}),  # Microsoft's front end, not the device
    ({"ReturnPath": "&lt;&gt;"}, {"envelope_sender": "<>"}),
    ({"CustomData": "S:ProxiedClientIPAddress=::ffff:203.0.113.9"}, {"client_ip": "203.0.113.9"}),
    (
        {"CustomData": "S:InboundConnectorData=Name=From A;Type=Partner", "ConnectorId": DEFAULT},
        {"connector": "From A"},
    ),
    ({"CustomData": "S:tlsversion=SP_PROT_TLS1_3_SERVER"}, {"tls": "TLS1.3"}),
]


@pytest.mark.parametrize(("mep", "facts"), RECEIPTS, ids=range(len(RECEIPTS)))
def test_what_a_receive_event_tells(tmp_path: Path, mep: dict[str, str], facts: dict[str, str | None]) -> None:
    (record,) = readings(file_of(tmp_path, json.dumps([detail("Receive", "Message received by: X", **mep)])))
    assert isinstance(record, Record)
    assert {name: getattr(record, name) for name in facts} == facts


def test_malformed_event_data_rejects_only_its_row(tmp_path: Path) -> None:
    rows = [detail("Receive", "x") | {"Data": "<root><MEP"}, detail("Submit", "x"), detail("Spam", "x", CIP="nonsense")]
    found = readings(file_of(tmp_path, json.dumps(rows)))
    assert [type(reading) for reading in found] == [RejectedRow, Record, RejectedRow]
    assert isinstance(found[1], Record)
    assert (found[1].client_ip, found[1].connector) == ("", "")
