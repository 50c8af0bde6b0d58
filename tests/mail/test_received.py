"""Received lines as servers write them, and as nobody should."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.mail.network import parse_ip
from sidedoor.mail.received import MAX_RECEIVED, Received, ReceivedError, parse_date, parse_received

MOMENT = datetime(2026, 11, 3, 8, 15, 27, tzinfo=UTC)
DATE = "Tue, 3 Nov 2026 08:15:27 +0000"
LINES = {
    f"from MFP-HQ3 (203.0.113.10) by A.mail.protection.outlook.com (10.0.0.66) with Microsoft SMTP Server id 15.20.1 "
    f"via Frontend Transport; {DATE}": Received(
        "MFP-HQ3", "MFP-HQ3", None, parse_ip("203.0.113.10"), "A.mail.protection.outlook.com", parse_ip("10.0.0.66"),
        "Microsoft SMTP Server", None, None, "15.20.1", "Frontend Transport", None, MOMENT,
    ),
    "from [127.0.0.1] (192.0.2.66) by A.b (10.0.0.66) with Microsoft SMTP Server (version=TLS1_2, cipher=TLS_X) "
    f"id 15.20.1; {DATE}": Received(
        "[127.0.0.1]", "[127.0.0.1]", None, parse_ip("192.0.2.66"), "A.b", parse_ip("10.0.0.66"),
        "Microsoft SMTP Server", "TLS1.2", "TLS_X", "15.20.1", date=MOMENT,
    ),
    f"from A.outlook.com ([fe80::1]) by A.outlook.com ([fe80::1%4]) with mapi id 15.20.1.010; {DATE}": Received(
        "A.outlook.com", "A.outlook.com", None, parse_ip("fe80::1"), "A.outlook.com", parse_ip("fe80::1"),
        "mapi", id="15.20.1.010", date=MOMENT,
    ),
    "from a.example (r.example [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES (256/256 bits)) (No certificate) by "
    "mx.example (Postfix) with ESMTPS id AB for <x@y.example>; Tue,  3 Nov 2026 09:15:27 +0100 (CET)": Received(
        "a.example", "a.example", "r.example", parse_ip("192.0.2.1"), "mx.example", None, "ESMTPS", "TLS1.3", "TLS_AES",
        "AB", None, "x@y.example", MOMENT,
    ),
    f"from r.example ([192.0.2.4] helo=bar) by e.example with esmtps (X) id 1a-00 for c@d.example; {DATE}": Received(
        "r.example", "bar", "r.example", parse_ip("192.0.2.4"), "e.example", None, "esmtps", None, None, "1a-00", None,
        "c@d.example", MOMENT,
    ),
    f"from unknown (HELO foo) (192.0.2.3) by q.example with SMTP; {DATE}": Received(
        "unknown", "foo", "unknown", parse_ip("192.0.2.3"), "q.example", None, "SMTP", date=MOMENT,
    ),
    "(qmail 123 invoked by uid 89); 3 Nov 2026 08:15:27 -0000": Received(date=MOMENT),
    f"from by (192.0.2.1) by with; {DATE}": Received("by", "by", None, parse_ip("192.0.2.1"), "with", date=MOMENT),
    "from a by b": Received("a", "a", by="b"),
    "": Received(),
}  # fmt: skip


@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_what_servers_write(text: str) -> None:
    assert parse_received(text) == LINES[text]


def test_a_clause_within_a_name_is_noticed() -> None:
    forged = f"from evil by good.example with SMTP; x (192.0.2.1) by A.outlook.com (10.0.0.66) with x; {DATE}"
    assert parse_received(forged).doubled


DATES = {
    "03 Nov 2026 08:15:27.1234 (UTC)": MOMENT.replace(microsecond=123_400),
    "Tue, 03 Nov 2026 08:15 -0500": MOMENT.replace(hour=13, second=0),
    "Tue, 3 Nov 2026 08:15:27 GMT": MOMENT,
    "3 Nov 26 08:15:27 +0000": MOMENT,
    "Tue, 3 Nov 2026 08:15:60 +0000": MOMENT.replace(second=59),
    "Tue, 3 Nov 2026 08:15:27": None,  # of which zone?
    "Tue, 31 Feb 2026 08:15:27 +0000": None,
    "Tue, 3 Xyz 2026 08:15:27 +0000": None,
    "1 Jan 0001 00:00:00 +1400": None,
    "yesterday": None,
    "9" * 500: None,
}


@pytest.mark.parametrize("text", DATES)
def test_dates(text: str) -> None:
    assert parse_date(text) == DATES[text]


words = st.from_regex(r"[A-Za-z0-9_.-]{1,12}", fullmatch=True).filter(
    lambda word: word.lower() not in {"from", "by", "via", "with", "id", "for"}
)
ips = st.ip_addresses().map(lambda address: parse_ip(str(address)))
moments = st.datetimes(datetime(1980, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda moment: moment.replace(microsecond=0)
)


@st.composite
def received(draw: st.DrawFn) -> Received:
    name, by, client = draw(words), draw(words), draw(st.none() | ips)
    rdns = draw(words) if client is not None and draw(st.booleans()) else None
    version, cipher = draw(st.sampled_from([(None, None), ("TLS1.2", "TLS_X"), ("TLS1.3", None)]))
    return Received(
        name, name, rdns, client, by, draw(st.none() | ips), draw(words), version, cipher, draw(st.none() | words),
        draw(st.none() | words), draw(st.none() | words), draw(st.none() | moments),
    )  # fmt: skip


@settings(max_examples=150)
@given(received())
def test_what_is_printed_reads_back(line: Received) -> None:
    assert parse_received(str(line)) == line


@settings(max_examples=300)
@given(st.text(st.sampled_from('()[]\\";= .fromby1:')) | st.text())
def test_any_text_is_a_line_or_our_error(text: str) -> None:
    try:
        parse_received(text)
    except ReceivedError:
        return


HOSTILE = ["(" * 8_000, "()" * 4_000, "(" * 15 + ")" * 15 + "x " * 4_000, '"' * 8_000, '\\"' * 4_000, "; " * 4_000,
           "from " * 1_600, "from a by b " * 600, "[" * 8_000, " " * 8_000, "x" * (MAX_RECEIVED + 1)]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_takes_no_time(text: str) -> None:
    started = time.process_time()
    try:
        parse_received(text)
    except ReceivedError as error:
        assert len(str(error)) < 200  # noqa: PT017
    assert time.process_time() - started < 0.5
