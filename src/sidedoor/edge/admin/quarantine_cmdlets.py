"""The quarantine of the twin by the service's cmdlets, over what the edge holds back.

Source: Get-QuarantineMessage, Release-QuarantineMessage, Delete-QuarantineMessage
(learn.microsoft.com/powershell/module/exchangepowershell).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email import message_from_bytes
from email.policy import compat32

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError, bad_parameter, missing, not_found, unavailable
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import COMMON, iso
from sidedoor.edge.admin.traces import trace_id
from sidedoor.edge.admin.values import Check
from sidedoor.edge.quarantine import Quarantine
from sidedoor.edge.spool.model import Quarantined, SpoolError
from sidedoor.errors import SidedoorError

_HEADER = 65_536
_USUAL_PAGE, _MOST_PAGE = 100, 1_000
_GET: Mapping[str, Check] = {
    "Identity": values.text, "RecipientAddress": values.texts, "SenderAddress": values.texts,
    "StartReceivedDate": values.moment, "EndReceivedDate": values.moment, "PageSize": values.whole,
    "Page": values.whole, **COMMON,
}  # fmt: skip


class QuarantineCmdlets:
    """`opens` gives None where there is nothing that could hold anything: the quarantine is empty then."""

    def __init__(self, opens: Callable[[], Quarantine | None], now: Callable[[], datetime]) -> None:
        self._opens, self._now = opens, now

    def get(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Get-QuarantineMessage: the newest first, 100 a page."""
        found = values.checked(given, _GET)
        size, page = found.get("PageSize", _USUAL_PAGE), found.get("Page", 1)
        if not isinstance(size, int) or not 1 <= size <= _MOST_PAGE:
            raise bad_parameter("PageSize", "The value must be between 1 and 1000.")
        if not isinstance(page, int) or page < 1:
            raise bad_parameter("Page", "The value must be 1 or greater.")

        def rows(store: Quarantine) -> Sequence[Row]:
            # The content is read of those that are shown alone: a message may have 150 MB.
            wanted = [each for each in reversed(list(store.quarantine())) if _is_wanted(each, found)]
            return [_row(store, each) for each in wanted[(page - 1) * size : page * size]]

        shown = self._with(rows)
        if "Identity" in found and not shown:
            raise not_found("QuarantineMessage", str(found["Identity"]))
        return shown

    def release(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Release-QuarantineMessage -Identity ... -ReleaseToAll."""
        found = values.checked(
            given, {"Identity": values.text, "ReleaseToAll": values.truth, "Force": values.truth, **COMMON}
        )
        if not found.get("ReleaseToAll"):
            raise bad_parameter("ReleaseToAll", "The twin releases to all recipients of a message.")
        return self._act(found, lambda store, name: store.release(name, self._now()))

    def delete(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Delete-QuarantineMessage -Identity."""
        found = values.checked(given, {"Identity": values.text, "HardDelete": values.truth, **COMMON})
        return self._act(found, lambda store, name: store.delete(name))

    def _act(self, found: Mapping[str, object], act: Callable[[Quarantine, str], None]) -> Sequence[Row]:
        identity = str(found.get("Identity") or "")
        if not identity:
            raise missing("Identity")

        def run(store: Quarantine) -> Sequence[Row]:
            for each in store.quarantine():
                if trace_id(each.id) == identity.lower():
                    if not found.get("WhatIf"):
                        act(store, each.id)
                    return []
            raise not_found("QuarantineMessage", identity)

        return self._with(run, lambda: not_found("QuarantineMessage", identity))

    def _with(
        self, run: Callable[[Quarantine], Sequence[Row]], none: Callable[[], CmdletError] | None = None
    ) -> Sequence[Row]:
        """What `run` says of the quarantine; where there is none nothing, or the error that `none` makes."""
        try:
            store = self._opens()
            if store is None:
                if none is not None:
                    raise none()
                return []
            try:
                return run(store)
            finally:
                store.close()
        except (SpoolError, SidedoorError) as error:
            raise unavailable(str(error)) from error
        except KeyError as error:  # released or deleted by somebody else meanwhile
            raise not_found("QuarantineMessage", trace_id(str(error.args[0]))) from error


def _is_wanted(each: Quarantined, found: Mapping[str, object]) -> bool:
    if "Identity" in found and trace_id(each.id) != str(found["Identity"]).lower():
        return False
    start, end = found.get("StartReceivedDate"), found.get("EndReceivedDate")
    if isinstance(start, datetime) and each.received_at < start:
        return False
    if isinstance(end, datetime) and each.received_at > end:
        return False
    return _names(found.get("SenderAddress"), [each.envelope_sender]) and _names(
        found.get("RecipientAddress"), each.recipients
    )


def _names(wanted: object, addresses: Sequence[str]) -> bool:
    if not isinstance(wanted, list) or not wanted:
        return True
    return not {str(each).lower() for each in wanted}.isdisjoint(each.lower() for each in addresses)


def _row(store: Quarantine, each: Quarantined) -> Row:
    header = message_from_bytes(store.held(each.id).message.content[:_HEADER], policy=compat32)
    return {
        "Identity": trace_id(each.id), "ReceivedTime": iso(each.received_at), "SenderAddress": each.envelope_sender,
        "RecipientAddress": list(each.recipients), "Subject": _field(header.get("Subject")), "Size": each.size,
        "QuarantineTypes": "TransportRule", "ReleaseStatus": "NOTRELEASED", "PolicyName": each.why,
        "MessageId": _field(header.get("Message-ID")), "Direction": "Inbound",
    }  # fmt: skip


def _field(value: object) -> str:
    """Without half characters: raw octets of a header come out as such."""
    return str(value or "")[:255].encode("utf-8", "replace").decode()
