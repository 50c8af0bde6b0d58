"""Message traces in Microsoft Graph's form: the list, its pages, and the details of one message for one recipient.

Source: exchangeMessageTrace (Microsoft Graph v1.0). Advanced hunting is not here: it would need Kusto's language.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sidedoor.edge.admin import values
from sidedoor.edge.admin.details import events
from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.odata import Filter, FilterError, matches_empty, parse_filter
from sidedoor.edge.admin.trace_cmdlets import message_id, one, window
from sidedoor.edge.admin.traces import OLDEST, Trace, TraceIndex, Wanted

_MOST_TOP, _USUAL_TOP = 5_000, 1_000
_CONTEXT = "https://graph.microsoft.com/v1.0/$metadata#admin/exchange/tracing/messageTraces"
_TIME = "receivedDateTime"
_CALL = re.compile(r"getDetailsByRecipient\(recipientAddress='(?P<who>(?:[^']|'')*)'\)")
_COLUMNS = {"id": "id", "senderAddress": "sender", "recipientAddress": "recipient", "fromIP": "ip", "status": "status"}


@dataclass(frozen=True, slots=True)
class TracePage:
    """The body of an answer, and the `$skiptoken` of the next; "" where there is none."""

    rows: Sequence[Row]
    token: str

    def body(self, link: str) -> Row:
        """`link`: to the next page, "" for none."""
        return {"@odata.context": _CONTEXT, **({"@odata.nextLink": link} if link else {}), "value": list(self.rows)}


def list_traces(index: TraceIndex, query: Mapping[str, str], *, unfiltered: bool = False) -> TracePage:
    """One page. `$select`, `$orderby` and `$count` are ignored, as in the service. Raises CmdletError."""
    top = _top(query.get("$top"))
    try:
        wanted = _wanted(index, parse_filter(query.get("$filter", "")))
    except FilterError as error:
        raise CmdletError(str(error)) from error
    if unfiltered:
        wanted = Wanted(index.now() - OLDEST, index.now())
    if "$skiptoken" in query:
        wanted = replace(wanted, behind=_position(query["$skiptoken"]))
    rows = index.select(wanted, top + 1)
    token = _token(rows[top - 1]) if len(rows) > top else ""
    return TracePage([_row(index.hostname, row) for row in rows[:top]], token)


def list_details(index: TraceIndex, trace: str, call: str) -> Row:
    """`messageTraces/{id}/getDetailsByRecipient(recipientAddress='...')`. Raises CmdletError."""
    match = _CALL.fullmatch(call)
    if match is None:
        raise CmdletError(f"Resource not found for the segment '{call[:60]}'.", status=404)
    everything = Wanted(index.now() - OLDEST, index.now())
    rows = one(index, trace, match["who"].replace("''", "'"), everything)
    found = [_event(event) for row in rows for event in events(index.hostname, row)]
    return {"@odata.context": f"{_CONTEXT}/details", "value": found}


def _top(given: str | None) -> int:
    if given is None:
        return _USUAL_TOP
    if not re.fullmatch(r"[0-9]{1,5}", given) or not 1 <= int(given) <= _MOST_TOP:
        raise CmdletError("The value of $top must be between 1 and 5000.")
    return int(given)


def _wanted(index: TraceIndex, found: Filter) -> Wanted:
    """Both ends of the time or none; 48 hours then, as by PowerShell (Graph's page does not say)."""
    if (found.since is None) != (found.until is None):
        raise FilterError("receivedDateTime needs both 'ge' and 'le'.")
    times: dict[str, object] = {}
    if found.since is not None:
        times = {"StartDate": values.moment(_TIME, found.since), "EndDate": values.moment(_TIME, found.until)}
    start, end = window(index.now(), times)
    equal: dict[str, Sequence[str]] = {
        column: [found.equal[name]] for name, column in _COLUMNS.items() if name in found.equal
    }
    told = found.equal.get("messageId")
    if told is not None:
        name = told.strip("<>").removesuffix(f"@{index.hostname}")
        equal["id"] = [
            each for each in equal.get("id", [name]) if each == name and message_id(index.hostname, name) == told
        ]
    if found.equal.get("toIP") or found.equal.get("subject") or not matches_empty(found.subject):
        equal["id"] = []  # every trace of ours has an empty subject and no next hop
    return Wanted(start, end, equal)


def _token(last: Trace) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.received, last.recipient, last.id]).encode()).decode()


def _position(token: str) -> tuple[str, str, str]:
    try:
        received, recipient, name = json.loads(base64.b64decode(token.encode("ascii"), b"-_", validate=True))
    except (ValueError, TypeError, RecursionError) as error:
        raise CmdletError("The $skiptoken is not valid.") from error
    return values.text("$skiptoken", received), values.text("$skiptoken", recipient), values.text("$skiptoken", name)


def _row(hostname: str, row: Trace) -> Row:
    return {
        "id": row.id, "senderAddress": row.sender, "recipientAddress": row.recipient,
        "messageId": message_id(hostname, row.id), "receivedDateTime": row.received, "subject": "", "size": row.size,
        "fromIP": row.ip, "toIP": "", "status": row.status[0].lower() + row.status[1:],
    }  # fmt: skip


def _event(event: Row) -> Row:
    names = {"MessageTraceId": "id", "MessageId": "messageId", "Date": "dateTime", "Event": "event",
             "Action": "action", "Detail": "description", "Data": "data"}  # fmt: skip
    return {new: event[old] for old, new in names.items()}
