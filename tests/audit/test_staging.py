"""The columnar way of reading a CSV and the row reader's way give the same messages and the same rejected rows."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.audit.listed import ListedSender
from sidedoor.audit.run import AuditOptions, audit
from sidedoor.evidence.interface import ReadOptions
from sidedoor.evidence.record import RejectedRow
from sidedoor.mailauth.resolver import Offline
from tests.audit.audit_kit import accepted_domain, connector, csv_text, key, v2_row, write_settings

ALWAYS, NEVER = 0, 1 << 60
DOMAINS = (
    accepted_domain("northwind.example", MatchSubDomains=True),
    accepted_domain("inner.northwind.example"),
    accepted_domain("bücher.example"),
)
CONNECTORS = (
    connector("Filter", SenderIPAddresses=["198.51.100.0/24"]),
    connector("Partner", SenderDomains=["smtp:*.partner.example;1"], SenderIPAddresses=["192.0.2.1"]),
)


@dataclass(frozen=True)
class Result:
    """Everything of an audit that must not depend on how the file was read."""

    messages: Counter[tuple[Any, ...]]
    rejected: tuple[tuple[int, str], ...]
    files: tuple[tuple[str, int, int], ...]
    senders: tuple[tuple[str, int, int], ...]
    merged: int
    expanded: int


def read(folder: Path, files: Sequence[Path], columnar_from: int, listed: ListedSender | None) -> Result:
    """Audit `files` with the columnar way taken from `columnar_from` bytes on."""
    rejected: list[tuple[str, RejectedRow]] = []
    options = AuditOptions(
        Offline(),
        datetime(2026, 11, 24, tzinfo=UTC),
        tenant=(folder / "tenant",),
        listed_sender=listed,
        read=ReadOptions(date_format="mdy"),
        columnar_from=columnar_from,
    )
    out = folder / f"out-{columnar_from}"
    out.mkdir(exist_ok=True)
    answer = audit(files, out, options, lambda path, row: rejected.append((path, row)))
    with duckdb.connect(":memory:") as connection:
        rows = connection.execute(f"SELECT * FROM read_parquet('{out / 'messages.parquet'}')").fetchall()
    return Result(
        Counter(rows),
        tuple(sorted((row.row, row.why) for _, row in rejected)),
        tuple((Path(file.path).name, file.rows, file.rejected_rows) for file in answer.coverage.files),
        tuple(sorted((sender.id, sender.messages, sender.would_reject) for sender in answer.senders)),
        answer.coverage.merged_records,
        answer.coverage.expanded_records,
    )


def assert_same(texts: Sequence[str], listed: ListedSender | None = None, *, every_sender: bool = False) -> Result:
    """Both ways of reading `texts` give one result, and its rows balance."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_settings(folder / "tenant", DOMAINS, CONNECTORS)
        if every_sender:
            (folder / "tenant" / "AcceptedDomain.json").unlink()
        files = []
        for number, text in enumerate(texts):
            files.append(folder / f"trace-{number}.csv")
            files[-1].write_bytes(text.encode("utf-8", "surrogatepass"))
        by_rows = read(folder, files, NEVER, listed)
        by_columns = read(folder, files, ALWAYS, listed)
    assert by_columns == by_rows
    rows, rejected = sum(file[1] for file in by_rows.files), sum(file[2] for file in by_rows.files)
    assert rows == by_rows.messages.total() + rejected + by_rows.merged - by_rows.expanded
    assert len(by_rows.rejected) == rejected
    return by_rows


DOMAIN = st.sampled_from(
    [
        "northwind.example",
        "NORTHWIND.example",
        "a.northwind.example",
        "inner.northwind.example",
        "x.inner.northwind.example",
        "notnorthwind.example",
        "bücher.example",
        "BÜCHER.example",
        "xn--bcher-kva.example",
        "elsewhere.example",
        "b.partner.example",
        "partner.example",
        "northwind.example.",
        "[192.0.2.1]",
        "",
        "-",
        "a..b",
        "northwind.example>",
    ]
)
LOCAL = st.sampled_from(
    ["anna", "Anna", "a b", '"a@b"', "", "jörg", "a+b", "=cmd|' /C calc'!A0", "İ", "<x", "a;b", "'"]
)
ADDRESS = st.one_of(
    st.builds("{}@{}".format, LOCAL, DOMAIN),
    st.sampled_from(
        [
            "",
            "<>",
            " ",
            "nobody",
            "@northwind.example",
            "<anna@northwind.example>",
            " anna@northwind.example ",
            "anna@northwind.example,bob@northwind.example",
            "a\nb@northwind.example",
            "a@\u202enorthwind.example",
            "\t",
            "<> ",
            "a" * 400 + "@northwind.example",
            "\ufeffanna@northwind.example",
            "\xa0@northwind.example\xa0",
        ]
    ),
)
IP = st.sampled_from(
    [
        "203.0.113.10",
        "198.51.100.7",
        "192.0.2.1",
        "",
        " ",
        "::1",
        "2001:db8:10::25",
        "2001:DB8:10::25",
        "::ffff:198.51.100.7",
        "198.51.100.007",
        "198.51.100.7:2525",
        "fe80::1%eth0",
        "999.1.1.1",
        "0:0:0:0:0:0:0:1",
        "1.2.3",
        "10.1.1.1 ",
        "::",
        "1::2:3",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "2001:db8:0:0:1:0:0:1",
        "[2001:db8::1]",
    ]
)
TIME = st.sampled_from(
    [
        "2026-11-03T08:15:27.1234567Z",
        "2026-11-03T08:15:27Z",
        "2026-11-03 08:15:27",
        "2026-11-03T08:15:27+02:00",
        "2026-11-03T08:15:27.123-0500",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.9999999Z",
        "1601-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2099-12-31T23:59:59.9999999Z",
        "2026-02-30T00:00:00Z",
        "2026-11-03T24:00:00Z",
        "2026-11-03T08:15:60Z",
        "2026-11-03",
        "",
        "infinity",
        "epoch",
        "2026-11-03T08:15:27.9999999Z",
        "2026-11-03T8:15:27Z",
        "11/3/2026 8:15:27 AM",
        "2026-11-03T08:15:27z",
        " 2026-11-03T08:15:27Z",
        "2026-11-03 08:15:27 UTC",
        "2026-11-03T08:15:27Z ",
        "2026-11-03T08:15",
        "2026-11-03 08:15:27 Europe/Berlin",
        "2026-11-03 (BC)",
        "2026-11-03T08:15:27+02",
        "2026-11-03T08:15:27.12345678901Z",
    ]
)
SHORT_TIME = st.sampled_from(
    [
        "11/3/2026 8:15:27 AM",
        "11/30/2026 12:15:27 PM",
        "13/1/2026 8:15:27 AM",
        "11/3/2026 0:15:27 AM",
        "1/1/26 8:15:27 AM",
        "11/3/2026 13:15:27 PM",
        "2026-11-03T08:15:27Z",
        "11/3/2026 8:15:27 am",
        "",
        "11/03/2026 08:15:27 AM",
    ]
)
KEY = st.one_of(
    st.integers(0, 3).map(key),
    st.integers(0, 3).map(lambda number: key(number).upper()),
    st.sampled_from(
        [
            "",
            "x",
            "00000000-0000-0000-0000-000000000000",
            "é" * 18,
            "a" * 36,
            "|" * 36,
            key(1) + " ",
            "{" + key(1) + "}",
        ]
    ),
)
MESSAGE_ID = st.sampled_from(["<1@x>", "<1@X>", "", " ", "<a\r\nb>", "<,>", '<">', "plain"])
STATUS = st.sampled_from(
    [
        "Delivered",
        "delivered",
        "DELIVERED",
        "FilteredAsSpam",
        "Expanded",
        "",
        "Odd",
        " Delivered",
        "GettingStatus",
        "None",
    ]
)
SUBJECT = st.sampled_from(
    [
        "",
        "Scan",
        '"',
        '""',
        "a\nb",
        "a\r\nb",
        ",;\t|",
        "\u2028",
        "'); DROP TABLE events; --",
        "\ue000",
        "\ue001",
        "NULL",
        "x" * 5000,
    ]
)
ODD = {
    "MessageTraceId": KEY,
    "MessageId": MESSAGE_ID,
    "Received": TIME,
    "SenderAddress": ADDRESS,
    "RecipientAddress": ADDRESS,
    "FromIP": IP,
    "Subject": SUBJECT,
    "Status": STATUS,
}


@st.composite
def tables(draw: st.DrawFn, times: st.SearchStrategy[str] = TIME, first_time: str = "2026-11-03T08:15:27Z") -> str:
    """A V2 export whose rows are mostly plain, with some odd cells and now and then a broken line."""
    rows = [v2_row(1, Received=first_time, Subject="x" * 400)]  # a NUL further up is no text at all
    for number in range(draw(st.integers(0, 6))):
        row = v2_row(10 + number, Received=first_time, SenderAddress=draw(ADDRESS), FromIP=draw(IP))
        for column in draw(st.lists(st.sampled_from(sorted(ODD)), max_size=2)):
            row[column] = draw(times if column == "Received" else ODD[column])
        rows.append(row)
    text = csv_text(rows, end=draw(st.sampled_from(["\r\n", "\n"])))
    if draw(st.integers(0, 5)) == 0:
        lines = text.splitlines(keepends=True)
        broken = draw(
            st.sampled_from(
                [
                    "a,b\r\n",
                    '"open,\r\n',
                    "\r\n",
                    "\0\r\n",
                    '"a"b,' + "," * 8 + "\r\n",
                    "," * 12 + "\n",
                    "," * 9 + "\n",
                    "x\r",
                    " \n",
                ]
            )
        )
        place = draw(st.integers(2, len(lines)))
        text = "".join([*lines[:place], broken, *lines[place:]])
    return text


MANY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(tables())
def test_one_file(text: str) -> None:
    assert_same([text])


@MANY
@given(tables(), tables(), st.sampled_from([None, *ListedSender]))
def test_two_files_with_doubles(first: str, second: str, listed: ListedSender | None) -> None:
    assert_same([first, second], listed)


@settings(MANY, max_examples=8)
@given(tables())
def test_every_sender_wanted(text: str) -> None:
    assert_same([text], every_sender=True)


@settings(MANY, max_examples=8)
@given(tables(SHORT_TIME, "11/3/2026 8:15:27 AM"))
def test_dates_of_a_culture(text: str) -> None:
    assert_same([text])
