"""The quarantine of the twin by the service's cmdlets, over the edge's spool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path

from sidedoor.edge.admin import values
from sidedoor.edge.admin.errors import CmdletError, bad_parameter, not_found
from sidedoor.edge.admin.settings import Row
from sidedoor.edge.admin.traces import trace_id
from sidedoor.edge.admin.values import Check
from sidedoor.edge.spool.model import Quarantined, SpoolError
from sidedoor.edge.spool.store import Store

_GET: Mapping[str, Check] = {
    "Identity": values.text, "RecipientAddress": values.texts, "SenderAddress": values.texts, "PageSize": values.whole,
    "Page": values.whole,
}  # fmt: skip


class QuarantineCmdlets:
    """`spool` None: the edge keeps none, and the quarantine is empty."""

    def __init__(self, spool: Path | None, now: Callable[[], datetime]) -> None:
        self._spool, self._now = spool, now

    def get(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Get-QuarantineMessage."""
        found = values.checked(given, _GET)
        rows = self._with(lambda store: [_row(store, each) for each in store.quarantine()])
        if "Identity" in found:
            rows = [row for row in rows if row["Identity"] == found["Identity"]]
            if not rows:
                raise not_found("QuarantineMessage", str(found["Identity"]))
        return rows

    def release(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Release-QuarantineMessage -Identity ... -ReleaseToAll."""
        found = values.checked(given, {"Identity": values.text, "ReleaseToAll": values.truth, "Force": values.truth})
        if not found.get("ReleaseToAll"):
            raise bad_parameter("ReleaseToAll", "The twin releases to all recipients of a message.")
        return self._act(found, lambda store, name: store.release(name, self._now()))

    def delete(self, given: Mapping[str, object]) -> Sequence[Row]:
        """Delete-QuarantineMessage -Identity."""
        found = values.checked(given, {"Identity": values.text, "HardDelete": values.truth, "Confirm": values.truth})
        return self._act(found, Store.delete)

    def _act(self, found: Mapping[str, object], act: Callable[[Store, str], None]) -> Sequence[Row]:
        identity = str(found.get("Identity", ""))

        def run(store: Store) -> Sequence[Row]:
            for each in store.quarantine():
                if trace_id(each.id) == identity:
                    act(store, each.id)
                    return []
            raise not_found("QuarantineMessage", identity)

        return self._with(run)

    def _with(self, run: Callable[[Store], Sequence[Row]]) -> Sequence[Row]:
        if self._spool is None:
            return []
        try:
            store = Store(self._spool)
            try:
                return run(store)
            finally:
                store.close()
        except SpoolError as error:
            raise CmdletError(str(error)) from error


def _row(store: Store, each: Quarantined) -> Row:
    header = message_from_bytes(store.held(each.id).message.content[:65_536], policy=compat32)
    return {
        "Identity": trace_id(each.id), "ReceivedTime@data.type": "System.DateTime",
        "ReceivedTime": each.received_at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"), "SenderAddress": each.envelope_sender,
        "RecipientAddress": list(each.recipients), "Subject": str(header.get("Subject", ""))[:255], "Size": each.size,
        "QuarantineTypes": "TransportRule", "ReleaseStatus": "NOTRELEASED", "PolicyName": each.why,
        "MessageId": str(header.get("Message-ID", ""))[:255], "Direction": "Inbound",
    }  # fmt: skip
