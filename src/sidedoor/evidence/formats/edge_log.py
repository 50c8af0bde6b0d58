"""The decision log of `sidedoor edge` (`sidedoor/edge-log/1`): one JSON line for each recipient that was decided on.

The edge is the door itself, so it knows what the service's exports do not: TLS, who logged in, which connector matched,
and the mail that was refused, which no trace lists.

A process that is killed while it writes leaves half a line, and others go on behind it: a line that cannot be read is a
row that is rejected, and the file goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.formats.base import Decoder, Spec, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.objects.limits import tidy, unique_keys
from sidedoor.evidence.record import NULL_SENDER, Record, RejectedRow
from sidedoor.evidence.sources import Cells, fold_object, text
from sidedoor.evidence.tables import EXCERPT
from sidedoor.evidence.text import unreadable
from sidedoor.evidence.values import RowError

_HEADERS = "an edge that checks authentication (--authenticate), or the message's own headers"
CANNOT_TELL: Mapping[str, str] = {
    "direction": "nothing more is needed: the log says who logged in and which connector matched",
    **dict.fromkeys(("spf", "dkim", "dmarc", "compauth", "compauth_reason"), _HEADERS),
}
EDGE_LOG = Format("edge-log", "decision log of sidedoor edge", (), CANNOT_TELL)

_WORD = re.compile(r"[a-z]{1,20}")
_CONNECTORS = {"partner-connector", "onpremises-connector"}
_NEEDED = frozenset({"schema", "transaction", "clientip", "envelopesender", "recipient", "outcome", "settingsat"})
# Steps of the rule that come before RejectDirectSend.
_EARLIER = frozenset({"connection-filter", "recipient-tenant", "partner-connector"})
# What became of the recipient; the client that went away has its mail still.
_TREATMENTS = {"kept": "delivered", "refused": "blocked", "not-kept": "failed", "abandoned": "failed"}

_MARK = b'"sidedoor/edge-log/'
_MOST_LINE = 1 << 20  # of ours none is beyond 64 KB
_LOOKED_AT = 5


@dataclass(frozen=True, slots=True)
class LogSource:
    """Lines of a log; see `sources.Source`."""

    path: Path

    @property
    def columns(self) -> frozenset[str]:
        """Folded names of all keys of its first lines."""
        found = (row[1] for row in islice(self.rows(), _LOOKED_AT) if not isinstance(row, RejectedRow))
        return frozenset(name for cells in found for name in cells) - {""}

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        """All lines but empty ones."""
        for number, line in enumerate(_lines(self.path), 1):
            try:
                cells = _cells(line)
            except (ValueError, RecursionError):
                shown = line[:EXCERPT].decode("utf-8", "replace")
                yield RejectedRow(number, "a line that is no JSON object, or half of one", shown)
            else:
                yield number, cells


def _cells(line: bytes) -> Cells:
    """Raises ValueError, RecursionError."""
    item = json.loads(line, object_pairs_hook=unique_keys)
    return fold_object(tidy(item)) if isinstance(item, dict) else {}  # which the decoder refuses


def open_log(path: Path, head: bytes) -> LogSource | None:
    """The log, where one of its first lines is one of ours; None for any other file. head: its first octets."""
    if _MARK not in head:
        return None
    source = LogSource(path)
    first = islice(source.rows(), _LOOKED_AT)
    ours = any(not isinstance(row, RejectedRow) and row[1].keys() >= _NEEDED for row in first)
    return source if ours else None


def _lines(path: Path) -> Iterator[bytes]:
    """Of one that is too long its beginning, which is no JSON. Raises InputError where the file cannot be read."""
    try:
        with path.open("rb") as handle:
            while line := handle.readline(_MOST_LINE):
                rest = line
                while len(rest) == _MOST_LINE and not rest.endswith(b"\n"):
                    rest = handle.readline(_MOST_LINE)
                if line.strip():
                    yield line
    except OSError as error:
        raise unreadable(path, error) from error


def _decoder(clock: Clock) -> Decoder:
    def decode(row: int, cells: Cells) -> list[Record]:
        schema = text(cells, "schema") or ""
        if schema != "sidedoor/edge-log/1":
            raise RowError(f"a record of {schema[:60] or 'no schema'}, not of sidedoor/edge-log/1")
        transaction = (text(cells, "transaction") or "").strip().lower()
        to = text(cells, "recipient")
        if not transaction or not to:
            raise RowError("no transaction or no recipient")
        return [
            Record(
                row,
                transaction,
                None,
                required_time(cells, clock, ("time",)),
                values.recipient(to),
                values.mail_address(text(cells, "envelopesender") or "") or NULL_SENDER,
                header_from=values.mail_address(text(cells, "headerfrom") or "") or None,
                client_ip=values.client_ip(text(cells, "clientip") or "") or None,
                helo=text(cells, "helo") or "",
                tls=_tls(cells.get("tls")),
                connector=_connector(cells),
                entry=_entry(cells),
                treatment=_TREATMENTS.get(text(cells, "outcome") or ""),
                **_results(cells.get("authentication")),
            )
        ]

    return decode


def _results(cell: object) -> Mapping[str, str]:
    """The words of an edge that checks authentication; none of another's."""
    if not isinstance(cell, Mapping):
        return {}
    found = {name: cell.get(name) for name in ("spf", "dkim", "dmarc")}
    return {name: word for name, word in found.items() if isinstance(word, str) and _WORD.fullmatch(word)}


def _connector(cells: Cells) -> str | None:
    """A refusal names the connector that it violates, which has not attributed the message."""
    submission = text(cells, "submission")
    if submission in _CONNECTORS:
        return values.connector(text(cells, "connector") or "") or ""
    return None if _open(cells) else ""


def _open(cells: Cells) -> bool:
    """Whether the edge itself could not tell, or handed the mail on for a device: then nobody has attributed it."""
    return text(cells, "submission") == "undetermined" or _action(cells.get("handled")) == "relay"


def _action(cell: object) -> str:
    return str(cell.get("action")) if isinstance(cell, Mapping) else ""


def _entry(cells: Cells) -> str | None:
    if _action(cells.get("handled")) == "relay":
        return "relayed"
    if text(cells, "authenticatedas"):
        return "authenticated"
    if text(cells, "verdict") == "reject" and text(cells, "step") in _EARLIER:
        return "refused"
    if text(cells, "submission") == "onpremises-connector":
        return "onpremises"
    return None if _open(cells) else "anonymous"


def _tls(cell: object) -> str:
    """`none`, or the version; an object in the log."""
    if not isinstance(cell, Mapping):
        return "none"
    return str(cell.get("version") or "TLS")[:20]


SPECS = (
    Spec(
        EDGE_LOG,
        lambda columns: columns >= _NEEDED,
        frozenset({"settingsat", "auditonly", "transaction"}),
        "schema, time, transaction, client_ip, envelope_sender, recipient, submission, outcome, settings_at",
        _decoder,
        ("time",),
    ),
)
