"""The decision log of `sidedoor edge` (`sidedoor/edge-log/1`): one JSON line for each recipient that was decided on.

The edge is the door itself, so it knows what the service's exports do not: TLS, who logged in, which connector matched,
and the mail that was refused, which no trace lists.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sidedoor.evidence import values
from sidedoor.evidence.clock import Clock
from sidedoor.evidence.formats.base import Decoder, Spec, required_time
from sidedoor.evidence.interface import Format
from sidedoor.evidence.record import NULL_SENDER, Record
from sidedoor.evidence.sources import Cells, text
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
