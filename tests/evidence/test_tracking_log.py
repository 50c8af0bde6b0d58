"""Message tracking logs: what the organisation's own server saw, and what that means for Exchange Online's door."""

from __future__ import annotations

import csv
import io
import time
import tracemalloc
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.precedence import PRECEDENCE
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.registry import recognise
from tests.audit.audit_kit import assert_balanced, audit, v2_file, v2_row, write_settings
from tests.audit.audit_kit import key as trace_key

DATA = Path(__file__).parent.parent / "data" / "tracking"
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FIELDS = (
    "date-time", "client-ip", "client-hostname", "server-ip", "server-hostname", "connector-id", "source", "event-id",
    "message-id", "network-message-id", "recipient-address", "sender-address", "return-path", "original-client-ip",
    "message-subject", "custom-data",
)  # fmt: skip


def key(number: int) -> str:
    """A network message id of the sample logs."""
    return f"c{number:07d}-1b62-4d07-db4f-08df1a18ee9b"


def read(path: Path) -> list[Record | RejectedRow]:
    """All that a log says."""
    recognised = recognise(path)
    assert recognised is not None
    assert recognised.format.name == "tracking-log"
    return list(recognised.read(ReadOptions()))


def records(name: str) -> list[Record]:
    """The records of a sample log."""
    return [reading for reading in read(DATA / name) if isinstance(reading, Record)]


def told(record: Record) -> dict[str, Any]:
    """The facts that a record tells, the identity of row and message apart."""
    names = ("row", "message_key", "message_id", "received_at", "header_from")
    return {name: value for name, value in record._asdict().items() if value is not None and name not in names}


def test_a_device_at_the_organisation_s_server() -> None:
    device = {
        "envelope_sender": "scan-hq3@contoso.com",
        "client_ip": "203.0.113.10",
        "helo": "MFP-HQ3",
        "entry": "relayed",
    }
    found = records("relay-printer.log")
    assert [told(record) for record in found] == [
        device | {"recipient": "helpdesk@contoso.com"}, device, {"recipient": "helpdesk@contoso.com"},
    ]  # fmt: skip
    assert {record.message_key for record in found} == {"a1000000-1b62-4d07-db4f-08df1a10ee9b"}
    assert {record.header_from for record in found} == {"scan-hq3@contoso.com"}
    assert [record.received_at for record in found] == ["2026-11-03 08:15:27.123000"] * 2 + [
        "2026-11-03 08:15:28.456000"
    ]


CLIENTS: dict[int, dict[str, str]] = {
    10: {"client_ip": "203.0.113.20", "helo": "ups1", "entry": "relayed"},
    11: {"client_ip": "203.0.113.21", "helo": "[10.0.0.7]", "entry": "relayed"},
    12: {"client_ip": "203.0.113.22", "helo": "mon01.contoso.com", "entry": "relayed"},
    13: {},  # another server of the organisation
    14: {},  # the server itself
    15: {},  # Exchange Online
    16: {"client_ip": "", "entry": "relayed"},  # a mailbox
    17: {"client_ip": "", "entry": "relayed", "envelope_sender": "<>"},  # the pickup folder
    18: {"client_ip": "", "entry": "relayed"},
    19: {"client_ip": "203.0.113.29", "helo": "MFP", "entry": "relayed", "envelope_sender": "<>"},
}


@pytest.mark.parametrize("number", CLIENTS)
def test_who_the_client_was(number: int) -> None:
    mine = [told(record) for record in records("clients.log") if record.message_key == key(number)]
    sender = {} if number == 18 else {"envelope_sender": "scan@contoso.com"}
    assert mine[-1] == sender | CLIENTS[number]
    assert [record.get("recipient") for record in mine] == ([None] if number == 18 else ["a@contoso.com", None])


def test_later_events_tell_of_fates_only() -> None:
    later = [record for record in records("events.log") if record.row not in {1, 10}]
    assert [(record.row, record.recipient, record.treatment) for record in later if record.treatment] == [
        (3, "staff@contoso.com", "expanded"),
        (7, "anna@contoso.com", "delivered"),
        (8, "carol@contoso.com", "failed"),
        (11, "old@contoso.com", "replaced"),
        (12, "new@contoso.com", "delivered"),
    ]
    assert {name for record in later for name in told(record)} == {"recipient", "treatment"}
    assert {record.row for record in later} == {2, 3, 4, 5, 6, 7, 8, 9, 11, 12}


def test_rows_without_a_key_are_joined_by_the_server_s_own_number() -> None:
    keys = [record.message_key for record in records("no-message-key.log")]
    assert keys == ["77:<m@contoso.com>"] * 3 + ["78:<m@contoso.com>"] * 2


def test_the_fields_line_counts_and_may_change() -> None:
    readings = read(DATA / "joined.log")
    assert [reading.row for reading in readings] == [1, 1, 2, 2, 3, 4, 4]
    assert [reading.message_key for reading in readings if isinstance(reading, Record)] == [
        key(number) for number in (30, 30, 31, 31, 32, 32)
    ]
    assert [reading.why for reading in readings if isinstance(reading, RejectedRow)] == ["3 cells; the header has 11"]
    assert isinstance(readings[2], Record)
    assert told(readings[2]) == {
        "recipient": "b@contoso.com", "envelope_sender": "x@contoso.com", "client_ip": "203.0.113.40", "helo": "erp",
        "entry": "relayed",
    }  # fmt: skip


def test_bad_rows_are_rejected_one_by_one() -> None:
    readings = read(DATA / "bad-rows.log")
    rejected = {reading.row: reading.why for reading in readings if isinstance(reading, RejectedRow)}
    assert [rejected[row].split(":")[0] for row in sorted(rejected)] == [
        "bad recipient", "'nonsense' is no IP address", "'yesterday' is no date", "no date", "no message identifier",
        "its quotes do not fit",
    ]  # fmt: skip
    assert sorted(rejected) == [2, 3, 4, 5, 6, 7]
    assert {reading.row for reading in readings if isinstance(reading, Record)} == {1, 8}
    assert [reading.recipient for reading in readings if reading.row == 8 and isinstance(reading, Record)] == [
        "a@contoso.com", None,
    ]  # fmt: skip


def test_what_exchange_online_says_comes_first() -> None:
    for fact, order in PRECEDENCE.items():
        assert "tracking-log" not in order[:-1], fact
    assert {fact for fact, order in PRECEDENCE.items() if order and order[-1] == "tracking-log"} == {
        "received_at", "recipient", "envelope_sender", "header_from", "client_ip", "helo", "entry", "treatment",
    }  # fmt: skip


def test_an_audit_joins_the_log_with_the_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three rows of the log and one of the trace are two messages.

    Where the trace tells whom Exchange Online saw, the device's address, greeting and relay are of another connection.
    """
    row = {
        "date-time": "2026-11-03T08:00:00.000Z", "client-ip": "10.1.2.3", "client-hostname": "mfp", "source": "SMTP",
        "event-id": "RECEIVE", "network-message-id": trace_key(7), "sender-address": "printer@northwind.example",
        "return-path": "printer@northwind.example", "recipient-address": "anna@northwind.example;bo@northwind.example",
    }  # fmt: skip
    sent = row | {"event-id": "SENDEXTERNAL", "server-hostname": "northwind.mail.protection.outlook.com"}
    agent = row | {"event-id": "AGENTINFO", "source": "AGENT"}
    (tmp_path / "MSGTRK.LOG").write_text(log(row, agent, sent), encoding="utf-8", newline="")
    v2_file(tmp_path / "trace.csv", [v2_row(7)])
    write_settings(tmp_path / "tenant")
    outcome = audit(capsys, tmp_path / "out", tmp_path)
    assert outcome.code == 0, outcome.said
    assert sorted(outcome.messages("network_message_id, recipient, client_ip, envelope_sender, helo, entry")) == [
        (trace_key(7), "anna@northwind.example", "203.0.113.10", "printer@northwind.example", None, None),
        (trace_key(7), "bo@northwind.example", "10.1.2.3", "printer@northwind.example", "mfp", "relayed"),
    ]
    assert outcome.report["coverage"]["disagreements"] == []
    assert_balanced(outcome)


def test_an_audit_of_all_samples_balances(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = audit(capsys, tmp_path / "out", DATA)
    assert outcome.code == 0, outcome.said
    assert outcome.report["coverage"]["messages"] == 24
    assert len(outcome.rejected()) == 7
    assert_balanced(outcome)


@pytest.mark.parametrize(
    "fields",
    ["date-time,connector-id,session-id,sequence-number,event,data", "date,time,s-ip,cs-method", ""],
    ids=["protocol log", "web log", "no fields"],
)
def test_other_logs_are_strangers(tmp_path: Path, fields: str) -> None:
    path = tmp_path / "other.log"
    path.write_text(f"#Software: Exchange\r\n#Fields: {fields}\r\n", encoding="utf-8")
    assert recognise(path) is None


def test_a_tracking_log_that_lacks_what_it_needs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "short.log"
    path.write_text("#Fields: date-time,event-id,source-context,internal-message-id\r\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"found the columns date-time.*expected those of message tracking log"):
        recognise(path)


def line(cells: dict[str, str]) -> str:
    """One row of a log."""
    out = io.StringIO()
    csv.DictWriter(out, FIELDS, restval="", lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def log(*rows: dict[str, str]) -> str:
    """A log of these rows."""
    return "\ufeff#Software: Exchange\r\n#Fields: " + ",".join(FIELDS) + "\r\n" + "".join(map(line, rows))


def test_rows_above_the_first_fields_line_are_rejected(tmp_path: Path) -> None:
    row = {
        "date-time": "2026-11-03T08:00:00.000Z",
        "event-id": "DELIVER",
        "source": "STOREDRIVER",
        "message-id": "<1@x>",
    }
    path = tmp_path / "late.log"
    path.write_text("#Software: Exchange\r\n" + line(row) + log(row)[1:], encoding="utf-8")
    assert recognise(path) is None  # it does not begin as a log does
    path.write_text(log(row) + "#Fields: \r\n" + line(row), encoding="utf-8")
    readings = read(path)
    assert [type(reading) for reading in readings] == [Record, RejectedRow]


def test_a_long_log_streams(tmp_path: Path) -> None:
    row = {
        "date-time": "2026-11-03T08:00:00.000Z",
        "event-id": "DELIVER",
        "source": "STOREDRIVER",
        "recipient-address": "a@b.example",
    }
    path = tmp_path / "long.log"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(log())
        file.writelines(line(row | {"network-message-id": key(number)}) for number in range(20_000))
    recognised = recognise(path)
    assert recognised is not None
    tracemalloc.start()
    started = time.monotonic()
    assert sum(1 for _ in recognised.read(ReadOptions())) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    "tail",
    [
        "#Fields: a,b\r\n" * 100_000,
        "#\r\n" * 500_000,
        "#" + "x" * 5_000_000,
        '"' * 2_000_001,
        "\ufeff" * 1_000_000,
        ",\r\n" * 100_000,
    ],
    ids=["fields", "comments", "a long comment", "quotes", "marks", "commas"],
)
def test_a_hostile_log_is_read_in_bounded_time(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "hostile.log"
    path.write_text(log() + tail, encoding="utf-8", newline="")
    started = time.monotonic()
    assert all(isinstance(reading, RejectedRow) for reading in read(path))
    assert time.monotonic() - started < 20


@MANY
@given(st.text(max_size=300) | st.text('#Fields:,\r\n"dates-v;a@b0123456789TZ.<>', max_size=300))
def test_any_text_is_records_rejected_rows_or_an_input_error(tmp_path: Path, tail: str) -> None:
    path = tmp_path / "any.log"
    for start in ("#", log()):
        path.write_text(start + tail, encoding="utf-8", errors="replace", newline="")
        try:
            recognised = recognise(path)
            readings = list(recognised.read(ReadOptions())) if recognised else []
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert all(isinstance(reading, Record | RejectedRow) for reading in readings)


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
MAILBOXES = st.builds("{}@{}.example".format, NAMES, NAMES)
SUBJECTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=30)


@st.composite
def receives(draw: st.DrawFn) -> dict[str, str]:
    """A RECEIVE row of a device."""
    moment = draw(
        st.datetimes(min_value=datetime.fromisoformat("2001-01-01"), max_value=datetime.fromisoformat("2090-01-01"))
    )
    address = str(draw(st.ip_addresses(v=4)))
    return {
        "date-time": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z",
        "client-ip": address, "client-hostname": draw(NAMES), "server-hostname": "EX01.contoso.local",
        "connector-id": "EX01\\Relay", "source": "SMTP", "event-id": "RECEIVE",
        "network-message-id": str(draw(st.uuids())),
        "recipient-address": ";".join(draw(st.lists(MAILBOXES, min_size=1, max_size=4, unique=True))),
        "sender-address": draw(MAILBOXES), "return-path": draw(MAILBOXES | st.just("<>")),
        "original-client-ip": draw(st.sampled_from([address, ""])), "message-subject": draw(SUBJECTS),
    }  # fmt: skip


@MANY
@given(st.lists(receives(), max_size=4))
def test_what_is_printed_is_read_back(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    path = tmp_path / "printed.log"
    path.write_text(log(*rows), encoding="utf-8", newline="")
    readings = [reading for reading in read(path) if isinstance(reading, Record)]
    for number, row in enumerate(rows, start=1):
        *each, general = (record for record in readings if record.row == number)
        assert [record.recipient for record in each] == row["recipient-address"].split(";")
        assert {record._replace(recipient=None) for record in each} == {general}
        assert (general.received_at or "")[:23] == row["date-time"][:-1].replace("T", " ")
        names = ("network-message-id", "return-path", "sender-address", "client-ip", "client-hostname")
        facts = (general.message_key, general.envelope_sender, general.header_from, general.client_ip, general.helo)
        assert facts == tuple(row[name] for name in names)
