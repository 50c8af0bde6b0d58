"""Rows that nobody can read, for the exports of the invented tenant; truth.json lists them.

Each is a good row with something wrong in it. Rows cut short stand in the smaller exports only: an export that a
person edited by hand is rarely the big one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

CUT = "cut"  # a column of this name says after how many cells the row breaks off


class Broken(NamedTuple):
    """Why a row cannot be read, and its cells."""

    why: str
    cells: Sequence[str]


_TRACE = {
    "MessageTraceId": "bad00000-0000-4000-8000-0000000000{n:02d}", "MessageId": "<bad-{n}@x.example>",
    "Received": "10/28/2026 8:00:00 AM", "SenderAddress": "a@b.example", "RecipientAddress": "c@d.example",
    "FromIP": "198.18.0.1", "Subject": "broken on purpose", "Status": "Delivered", "Size": "1",
}  # fmt: skip
_EVENTS = {
    "Timestamp": "2026-10-28T08:00:00Z", "NetworkMessageId": "bad00000-0000-4000-8000-0000000001{n:02d}",
    "InternetMessageId": "<bad-event-{n}@x.example>", "SenderMailFromAddress": "a@b.example",
    "SenderFromAddress": "a@b.example", "SenderIPv4": "198.18.0.1", "RecipientEmailAddress": "c@d.example",
    "EmailDirection": "Inbound",
}  # fmt: skip
_ENHANCED = {
    "origin_timestamp_utc": "2026-10-28T08:00:00.0000000Z", "sender_address": "a@b.example",
    "recipient_status": "c@d.example##Receive, Deliver", "message_id": "<bad-enhanced-{n}@x.example>",
    "network_message_id": "bad00000-0000-4000-8000-0000000002{n:02d}", "original_client_ip": "198.18.0.1",
    "directionality": "1",
}  # fmt: skip

_Table = Sequence[tuple[str, Mapping[str, str]]]
_OF_TRACE: _Table = (
    ("a day that no calendar has", {"Received": "11/31/2026 8:00:00 AM"}),
    ("neither month nor day", {"Received": "31/31/2026 8:00:00 AM"}),
    ("the thirteenth hour before noon", {"Received": "10/28/2026 13:00:00 AM"}),
    ("no time", {"Received": ""}),
    ("a word for a time", {"Received": "yesterday"}),
    ("an address beyond 255", {"FromIP": "999.0.2.1"}),
    ("a name for an address", {"FromIP": "mfp-hq3"}),
    ("an address of three parts", {"FromIP": "192.0.2"}),
    ("a recipient without a domain", {"RecipientAddress": "c@"}),
    ("two at signs and no domain", {"RecipientAddress": "c@@"}),
)
_OF_EVENTS: _Table = (
    ("a month that no year has", {"Timestamp": "2026-13-28T08:00:00Z"}),
    ("no time", {"Timestamp": ""}),
    ("an address beyond 255", {"SenderIPv4": "198.18.0.256"}),
    ("a recipient without a domain", {"RecipientEmailAddress": "c@"}),
    ("cut short", {CUT: "5"}),
)
_OF_ENHANCED: _Table = (
    ("an hour that no day has", {"origin_timestamp_utc": "2026-10-28T25:00:00.0000000Z"}),
    ("no time", {"origin_timestamp_utc": ""}),
    ("an address of words", {"original_client_ip": "not known"}),
    ("cut short", {CUT: "3"}),
    ("cut shorter", {CUT: "1"}),
)


def broken_trace(header: Sequence[str]) -> Sequence[Broken]:
    """For Get-MessageTraceV2."""
    return _rows(header, _TRACE, _OF_TRACE)


def broken_events(header: Sequence[str]) -> Sequence[Broken]:
    """For EmailEvents."""
    return _rows(header, _EVENTS, _OF_EVENTS)


def broken_enhanced(header: Sequence[str]) -> Sequence[Broken]:
    """For the enhanced historical search."""
    return _rows(header, _ENHANCED, _OF_ENHANCED)


def _rows(header: Sequence[str], good: Mapping[str, str], table: _Table) -> Sequence[Broken]:
    rows = []
    for number, (why, wrong) in enumerate(table):
        row = {**good, **wrong}
        cells = [row.get(name, "").format(n=number) for name in header]
        rows.append(Broken(why, cells[: int(wrong.get(CUT, len(cells)))]))
    return rows
