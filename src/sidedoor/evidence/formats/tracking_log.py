"""Message tracking logs of Exchange Server (MSGTRK*.LOG), for organisations that keep servers beside Exchange Online.

They show what the organisation's own server saw. The client of a RECEIVE spoke to that server and not to Exchange
Online, so such mail is `relayed`, and the server's receive connector is no inbound connector of the tenant. Whatever an
export of Exchange Online tells of the same message is believed first (evidence/precedence.py).

Sources: Microsoft's "Message tracking" for Exchange Server (fields, event ids, sources); sender-address is 5322.From
(or Sender), return-path is 5321.MailFrom.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.customdata import parse_custom_data
from sidedoor.evidence.formats.base import Decoder, Spec, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import NULL_SENDER, Record, RejectedRow
from sidedoor.evidence.sources import Cells, fold, text, unique
from sidedoor.evidence.tables import EXCERPT, MAX_COLUMNS, Layout, physical_lines, split_rows
from sidedoor.evidence.text import open_text
from sidedoor.evidence.values import RowError

_ONLINE = "an extended historical search (Start-HistoricalSearch -ReportType MessageTraceDetail)"
_HUNTING = "Defender advanced hunting (EmailEvents)"
_HEADERS = "the message's own headers"
TRACKING_LOG = Format(
    "tracking-log",
    "message tracking log of Exchange Server",
    cannot_tell=dict.fromkeys(("tls", "connector", "direction"), _ONLINE)
    | dict.fromkeys(("spf", "dkim", "dmarc", "compauth"), _HUNTING)
    | dict.fromkeys(("compauth_reason",), _HEADERS),
)

_FIELDS = "#fields:"
_MARK = "#fields"  # a column that no table has: it tells a log from a CSV of the same columns
_LOOKED = 50  # lines at the head of a log before its #Fields
_ESSENTIAL = frozenset({"datetime", "source", "eventid", "recipientaddress"})
_IDS = frozenset({"networkmessageid", "messageid"})
_NO_KEY = "00000000-0000-0000-0000-000000000000"
_DATES = ("datetime",)
_FATES = {
    "DELIVER": "delivered",
    "DUPLICATEDELIVER": "delivered",
    "FAIL": "failed",
    "BADMAIL": "failed",
    "DROP": "failed",
    "DEFER": "pending",
}
# These rows list the new recipients; what became of the old one is theirs to tell.
_FATES_OF_RELATED = {"EXPAND": "expanded", "REDIRECT": "replaced", "RESOLVE": "replaced"}
_ACCEPTED = {"RECEIVE", "SUBMIT"}
# Servers of Exchange Online, which hand messages to the organisation's own: the log does not show how those came in.
_ONLINE_HOSTS = (".protection.outlook.com", ".prod.outlook.com", ".prod.exchangelabs.com")
# `EX01\\Default EX01`: the connector of the transport service, which only other Exchange servers speak to.
_INTERNAL = re.compile(r"(?P<server>[^\\]{1,200})\\Default (?P=server)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LogSource:
    """A log, or several one behind the other: each `#Fields:` line says what the rows below it are."""

    path: Path
    header: tuple[str, ...]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(map(fold, self.header)) | {_MARK}

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        with open_text(self.path) as handle:
            sections = _Sections(physical_lines(handle))
            first = 0
            while not sections.ended:
                number = 0
                for number, row in _section(sections):
                    yield row._replace(row=first + number) if isinstance(row, RejectedRow) else (first + number, row)
                first += number


class _Sections:
    """Lines of a log, cut where a line beginning with `#` stands."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.header: tuple[str, ...] | None = None
        self.ended = False

    def lines(self) -> Iterator[str]:
        """The data lines up to the next `#Fields:`, whose names `header` then holds."""
        for line in self._lines:
            bare = line.lstrip("\ufeff")  # logs that were put one behind the other keep their marks
            if bare.startswith("#"):
                if bare[: len(_FIELDS)].lower() == _FIELDS:
                    self.header = fields_of(bare)
                    return
            else:
                yield line
        self.ended = True


def _section(sections: _Sections) -> Iterator[tuple[int, Cells | RejectedRow]]:
    """The rows below the `#Fields:` line that was read last, numbered from 1."""
    header = sections.header
    if header is None:
        lines = (line for line in sections.lines() if line.strip())
        for number, line in enumerate(lines, start=1):
            yield number, RejectedRow(number, "no #Fields line above it", line[:EXCERPT])
        return
    names = unique([fold(name) for name in header])
    for row in split_rows(sections.lines(), Layout(",", header, 0)):
        yield (row.row, row) if isinstance(row, RejectedRow) else (row[0], dict(zip(names, row[1], strict=True)))


def fields_of(line: str) -> tuple[str, ...]:
    """The names of a `#Fields:` line."""
    names = line.partition(":")[2].strip().split(",")
    return tuple(name.strip() for name in names[:MAX_COLUMNS])


def open_log(path: Path) -> LogSource | None:
    """The log at `path` if its head has a `#Fields:` line; whether it is a tracking log is told by its columns."""
    with open_text(path) as handle:
        for line in islice(physical_lines(handle), _LOOKED):
            bare = line.lstrip("\ufeff")
            if bare[: len(_FIELDS)].lower() == _FIELDS:
                return LogSource(path, fields_of(bare))
            if bare.strip() and not bare.startswith("#"):
                return None
    return None


def _decoder(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        source, event = ((text(cells, name) or "").strip().upper() for name in ("source", "eventid"))
        base = Record(
            row,
            _key(cells),
            (text(cells, "messageid") or "").strip() or None,
            required_time(cells, clock, _DATES),
            header_from=_sender(cells, "senderaddress"),
        )
        if event in _ACCEPTED:
            return _accepted(_taken(base, cells, source), cells)
        return _later(base, cells, event)

    return decode


def _key(cells: Cells) -> str:
    """The message's identity; servers before 2013 gave it a number of their own only. Raises RowError for none."""
    key = values.message_key(text(cells, "networkmessageid") or "")
    if key and key != _NO_KEY:
        return key
    parts = [(text(cells, name) or "").strip().lower() for name in ("internalmessageid", "messageid")]
    if not any(parts):
        raise RowError("no message identifier")
    return ":".join(parts)


def _sender(cells: Cells, column: str) -> str | None:
    return values.mail_address(text(cells, column) or "") or None


def _accepted(base: Record, cells: Cells) -> list[Record]:
    """A record for each recipient, and one for those to whom the message goes on: members of groups, new addresses."""
    addresses = _addresses(cells, "recipientaddress")
    return [*(base._replace(recipient=to) for to in addresses), base]


def _taken(base: Record, cells: Cells, source: str) -> Record:
    """What the server that took the message knows of its client."""
    base = base._replace(envelope_sender=_sender(cells, "returnpath"))
    if source != "SMTP":  # from a mailbox, the pickup folder, an agent: no SMTP client
        return base._replace(client_ip="", entry="relayed")
    blob = parse_custom_data(text(cells, "customdata") or "")
    seen, hostname = values.client_ip(text(cells, "clientip") or ""), (text(cells, "clienthostname") or "").strip()
    original = (text(cells, "originalclientip") or blob.first("ProxiedClientIPAddress") or "").strip()
    address = values.client_ip(original) or seen
    helo = blob.first("ProxiedClientHostname") or (hostname if address == seen else "")
    if (helo or hostname).lower().rstrip(".").endswith(_ONLINE_HOSTS):
        return base
    if not original and _is_own_server(cells, seen, hostname):
        return base
    return base._replace(client_ip=address or None, helo=helo or None, entry="relayed")


def _is_own_server(cells: Cells, address: str, hostname: str) -> bool:
    """Whether the client was another Exchange server of the organisation: the message had been taken before."""
    server, own = (text(cells, "serverhostname") or "").strip().lower(), hostname.lower()
    same = own == server or values.client_ip(text(cells, "serverip") or "") == address
    parent = server.partition(".")[2]
    internal = _INTERNAL.fullmatch((text(cells, "connectorid") or "").strip()) is not None
    return same or (internal and bool(parent) and own.partition(".")[2] == parent)


def _later(base: Record, cells: Cells, event: str) -> list[Record]:
    """Sending, delivery, agents, copies for high availability: which message, which recipients, what became of it."""
    found = [base._replace(recipient=to, treatment=_FATES.get(event)) for to in _addresses(cells, "recipientaddress")]
    if fate := _FATES_OF_RELATED.get(event):
        found += [base._replace(recipient=to, treatment=fate) for to in _addresses(cells, "relatedrecipientaddress")]
    return found or [base]


def _addresses(cells: Cells, column: str) -> list[str]:
    """A list of addresses, each once; `<>` and blanks are none."""
    listed = (item.strip() for item in (text(cells, column) or "").split(";"))
    return list(dict.fromkeys(values.recipient(item) for item in listed if item and item != NULL_SENDER))


SPECS = (
    Spec(
        TRACKING_LOG,
        lambda columns: _MARK in columns and columns >= _ESSENTIAL and bool(columns & _IDS),
        frozenset({"eventid", "sourcecontext", "internalmessageid", "recipientstatus", "relatedrecipientaddress"}),
        "#Fields: date-time, source, event-id, network-message-id, recipient-address, sender-address, return-path",
        _decoder,
        _DATES,
    ),
)
