"""What the endpoint rests on, and the table of its cmdlets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sidedoor.edge.admin.errors import CmdletError, ForbiddenError, unavailable
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.faults import Faults
from sidedoor.edge.admin.quarantine_cmdlets import QuarantineCmdlets
from sidedoor.edge.admin.quota import REQUESTS
from sidedoor.edge.admin.settings import TenantFolder
from sidedoor.edge.admin.tenant_cmdlets import CMDLETS
from sidedoor.edge.admin.trace_cmdlets import message_trace, message_trace_detail
from sidedoor.edge.admin.traces import TraceIndex
from sidedoor.errors import SidedoorError

TRACES = frozenset({"get-messagetracev2", "get-messagetracedetailv2"})
_RETIRED = frozenset({"get-messagetrace", "get-messagetracedetail"})
_TENANT = {name.casefold(): cmdlet for name, cmdlet in CMDLETS.items()}
_QUARANTINE: Mapping[str, Callable[[QuarantineCmdlets, Mapping[str, object]], Sequence[Row]]] = {
    "get-quarantinemessage": QuarantineCmdlets.get,
    "release-quarantinemessage": QuarantineCmdlets.release,
    "delete-quarantinemessage": QuarantineCmdlets.delete,
}


@dataclass(slots=True)
class Admin:
    """`traces` None: no decision log is written. throttle: trace requests in five minutes before 429.

    say: for the operator, of what should not have happened. Its methods block; one thread at a time.
    """

    token: str
    folder: TenantFolder
    traces: TraceIndex | None
    quarantine: QuarantineCmdlets
    now: Callable[[], datetime]
    faults: Faults
    throttle: int = REQUESTS
    say: Callable[[str], None] = lambda _: None

    def run(
        self, cmdlet: str, parameters: Mapping[str, object], *, unfiltered: bool = False
    ) -> tuple[Sequence[Row], Sequence[str]]:
        """Rows and warnings. unfiltered: a fault of traces. Raises CmdletError, ForbiddenError."""
        name = cmdlet.casefold()
        try:
            if name in _TENANT:
                return _TENANT[name](self.folder, parameters), []
            if name in _QUARANTINE:
                return _QUARANTINE[name](self.quarantine, parameters), []
            if name in TRACES:
                return self._traces(name, parameters, unfiltered=unfiltered)
        except (SidedoorError, OSError, sqlite3.Error) as error:
            raise unavailable(f"The twin cannot answer: {error}") from error
        if name in _RETIRED:  # measured: 400, not 403
            raise CmdletError(f"{cmdlet} is no longer supported. Use {cmdlet}V2.")
        raise ForbiddenError

    def _traces(
        self, name: str, parameters: Mapping[str, object], *, unfiltered: bool
    ) -> tuple[Sequence[Row], Sequence[str]]:
        index = self.index()
        if name == "get-messagetracev2":
            return message_trace(index, parameters, unfiltered=unfiltered)
        return message_trace_detail(index, parameters), []

    def index(self) -> TraceIndex:
        """The traces as of now. Raises CmdletError where there is no log, OSError, sqlite3.Error."""
        if self.traces is None:
            raise CmdletError("The edge behind this endpoint keeps no decision log, so there are no message traces.")
        self.traces.refresh()
        return self.traces

    def close(self) -> None:
        """Forget the traces."""
        if self.traces is not None:
            self.traces.close()
