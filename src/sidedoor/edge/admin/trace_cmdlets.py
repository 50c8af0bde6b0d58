"""Get-MessageTraceV2 and Get-MessageTraceDetailV2, with their limits and their ways of saying nothing.

Sources: Get-MessageTraceV2 and Get-MessageTraceDetailV2 (learn.microsoft.com/powershell/module/exchangepowershell), and
what clients have measured of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sidedoor.edge.admin import values
from sidedoor.edge.admin.details import events
from sidedoor.edge.admin.errors import CmdletError, bad_parameter
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import COMMON, iso
from sidedoor.edge.admin.traces import OLDEST, Trace, TraceIndex, Wanted
from sidedoor.edge.admin.values import Check

_MOST_RESULTS, _USUAL_RESULTS = 5_000, 1_000
WIDEST, USUAL = timedelta(days=10), timedelta(hours=48)
_GRACE = timedelta(hours=1)  # who asks for 90 days to the second has to get his request here first
_STATUSES = ("Delivered", "Expanded", "Failed", "FilteredAsSpam", "GettingStatus", "Pending", "Quarantined")
_LIST: Mapping[str, Check] = {
    "StartDate": values.moment, "EndDate": values.moment, "ResultSize": values.whole,
    "StartingRecipientAddress": values.text, "SenderAddress": values.texts, "RecipientAddress": values.texts,
    "MessageTraceId": values.text, "MessageId": values.texts, "FromIP": values.text, "ToIP": values.text,
    "Status": values.choices(*_STATUSES), "Subject": values.text,
    "SubjectFilterType": values.choice("Contains", "EndsWith", "StartsWith"), **COMMON,
}  # fmt: skip
_DETAIL: Mapping[str, Check] = {
    "MessageTraceId": values.text, "RecipientAddress": values.text, "StartDate": values.moment,
    "EndDate": values.moment, "ResultSize": values.whole, **COMMON,
}  # fmt: skip
_COLUMNS = (("SenderAddress", "sender"), ("RecipientAddress", "recipient"), ("Status", "status"),
            ("MessageTraceId", "id"), ("FromIP", "ip"))  # fmt: skip


def message_trace(
    index: TraceIndex, given: Mapping[str, object], *, unfiltered: bool = False
) -> tuple[Sequence[Row], Sequence[str]]:
    """Get-MessageTraceV2: rows, the newest first, and warnings; a cut answer has a warning and no next link.

    unfiltered: a fault; everything but the number of rows is ignored, without an error.
    """
    found = values.checked(given, _LIST)
    start, end = window(index.now(), found)
    most = _results(found)
    wanted = Wanted(start, end, _equal(index, found), _text(found, "StartingRecipientAddress"))
    if unfiltered:
        wanted = Wanted(index.now() - OLDEST, index.now())
    rows = index.select(wanted, most + 1)
    warnings = [_more(start, rows[most - 1], most)] if len(rows) > most else []
    return [_row(index.hostname, row) for row in rows[:most]], warnings


def message_trace_detail(index: TraceIndex, given: Mapping[str, object]) -> Sequence[Row]:
    """Get-MessageTraceDetailV2. One of its two keys alone gives nothing, without an error, as in the service."""
    found = values.checked(given, _DETAIL)
    trace, recipient = _text(found, "MessageTraceId"), _text(found, "RecipientAddress")
    start, end = window(index.now(), found)
    if not trace or not recipient:
        return []
    rows = one(index, trace, recipient, Wanted(start, end))
    return [event for row in rows for event in events(index.hostname, row)]


def one(index: TraceIndex, trace: str, recipient: str, wanted: Wanted) -> list[Trace]:
    """The trace with both keys, if it is within the times."""
    if "*" in trace + recipient:
        return []
    return index.select(replace(wanted, equal={"id": [trace], "recipient": [recipient]}), 1)


def window(now: datetime, found: Mapping[str, object]) -> tuple[datetime, datetime]:
    """The last 48 hours if not given; at most ten days, at most 90 days back. Raises CmdletError."""
    end, start = found.get("EndDate", now), found.get("StartDate")
    assert isinstance(end, datetime)
    try:
        start = start if isinstance(start, datetime) else end - USUAL
    except OverflowError as error:
        raise bad_parameter("EndDate", "The date is out of range.") from error
    if start > end:
        raise bad_parameter("StartDate", "StartDate must be before EndDate.")
    if end - start > WIDEST:
        raise CmdletError("The date range between StartDate and EndDate must be within 10 days.")
    if now - start > OLDEST + _GRACE:
        raise CmdletError("StartDate must be within the last 90 days.")
    return start, end


def message_id(hostname: str, trace: str) -> str:
    """Made up: the decision log has none."""
    return f"<{trace}@{hostname}>"


def _equal(index: TraceIndex, found: Mapping[str, object]) -> dict[str, Sequence[str]]:
    equal: dict[str, Sequence[str]] = {}
    for name, column in _COLUMNS:
        value = found.get(name)
        if value:
            equal[column] = value if isinstance(value, list) else [str(value)]
    if found.get("Subject") or found.get("ToIP"):
        equal["id"] = []  # every trace of ours has an empty subject and no next hop
    ids = found.get("MessageId")
    if isinstance(ids, list) and ids:
        named = [each.strip("<>").removesuffix(f"@{index.hostname}") for each in map(str, ids)]
        equal["id"] = [each for each in named if each in equal.get("id", [each])]
    return equal


def _text(found: Mapping[str, object], name: str) -> str | None:
    return str(found[name]) if name in found else None


def _results(found: Mapping[str, object]) -> int:
    most = found.get("ResultSize", _USUAL_RESULTS)
    if not isinstance(most, int) or not 1 <= most <= _MOST_RESULTS:
        raise bad_parameter("ResultSize", "The value must be between 1 and 5000.")
    return most


def _row(hostname: str, row: Trace) -> Row:
    return {
        "MessageTraceId": row.id, "MessageId": message_id(hostname, row.id), "Received": row.received,
        "SenderAddress": row.sender, "RecipientAddress": row.recipient, "FromIP": row.ip, "ToIP": "", "Subject": "",
        "Status": row.status, "Size": row.size,
    }  # fmt: skip


def _more(start: datetime, last: Trace, most: int) -> str:
    """The warning that is the only sign of a cut answer."""
    return (
        "There are more results, use the following command to get more. Get-MessageTraceV2 "
        f'-StartDate "{iso(start)}" -EndDate "{last.received}" -StartingRecipientAddress "{last.recipient}" '
        f"-ResultSize {most}"
    )
