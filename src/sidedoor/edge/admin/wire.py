"""Answers as the service encodes them: envelopes, types of keys beside keys, errors that bury what they mean. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sidedoor.edge.admin.clixml import clixml
from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.faults import Fault, FaultKind

NULS = bytes(64)
_THROTTLED = "Your recent queries have surpassed the permitted limit, please try again later."
_TRACE_SERVICE = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"  # appId of Microsoft's message trace service
_NOT_PROVISIONED = f"The service principal of {_TRACE_SERVICE} is missing in this tenant."
_EXPIRED = "Expired or invalid pagination request. Default expiry time is 30 minutes."
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TIME_NAMES = re.compile(r"(?:When|Received|Date)\w*")
_CODES = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 503: "ServiceUnavailable"}


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, body and headers of one answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of rows. link: to the next, "" for none."""

    tenant: str
    rows: Sequence[Row]
    warnings: Sequence[str] = ()
    link: str = ""

    def reply(self, *, as_clixml: bool = False, select: Sequence[str] = ()) -> Reply:
        """In the form that was asked for. select: names of the cells that are wanted; none for all."""
        names = {name.strip().casefold() for name in select}
        rows = [{key: row[key] for key in row if not names or key.casefold() in names} for row in self.rows]
        body = {
            "@odata.context": f"https://outlook.office365.com/adminapi/beta/{self.tenant}"
            "/$metadata#Collection(Exchange.GenericHashTable)",
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": list(self.warnings),
            **({"@odata.nextLink": self.link} if self.link else {}),
            "value": [{"_clixml": clixml(row, _types(row))} if as_clixml else typed(row) for row in rows],
        }
        return reply(200, body)


def reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A body of JSON."""
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


def typed(row: Mapping[str, object]) -> Row:
    """With the keys beside keys that tell types: `Received@data.type`, `SenderDomains@odata.type`."""
    types, out = _types(row), Row()
    for name, value in row.items():
        if isinstance(value, list):
            out[f"{name}@odata.type"] = "#Collection(String)"
        elif name in types:
            out[f"{name}@data.type"] = types[name]
        out[name] = value
    return out


def _types(row: Mapping[str, object]) -> dict[str, str]:
    """What JSON cannot tell."""
    found = {}
    for name, value in row.items():
        if isinstance(value, int) and not isinstance(value, bool):
            found[name] = "System.Int32" if -(1 << 31) <= value < 1 << 31 else "System.Int64"
        elif isinstance(value, str) and _TIME_NAMES.fullmatch(name) and _TIME.fullmatch(value):
            found[name] = "System.DateTime"
        elif isinstance(value, str) and name.endswith("Guid") and _GUID.fullmatch(value):
            found[name] = "System.Guid"
    return found


def refusal(error: CmdletError) -> Reply:
    """`error.message` says little; what it was stands deep inside and at the end of the details."""
    message = str(error)
    inner = {
        "message": "Invalid Operation",
        "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
        "stacktrace": "",
        "internalexception": {"message": message, "type": error.exception, "stacktrace": ""},
    }
    body = {
        "error": {
            "code": _CODES.get(error.status, "BadRequest"),
            "message": "Invalid Operation",
            "details": [{"code": "Context", "target": "", "message": f"Ex6F9304|{error.exception}|{message}"}],
            "innererror": inner,
        },
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": [],
    }
    return reply(error.status, body)


def graph_refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Microsoft Graph's error resource type (learn.microsoft.com/graph/errors)."""
    inner = {"date": "", "request-id": "", "client-request-id": ""}
    return reply(status, {"error": {"code": code, "message": message, "innerError": inner}}, headers)


def throttled(seconds: int, *, graph: bool = False) -> Reply:
    """429 with Retry-After."""
    return early(Fault(FaultKind.THROTTLED, seconds=seconds), "", graph=graph)


_EARLY: Mapping[FaultKind, tuple[int, str, str]] = {
    FaultKind.THROTTLED: (429, "TooManyRequests", _THROTTLED),
    FaultKind.UNAUTHORIZED: (401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired."),
    FaultKind.NOT_PROVISIONED: (401, "UnauthenticatedServicePrincipal", _NOT_PROVISIONED),
    FaultKind.FORBIDDEN: (403, "Forbidden", "Insufficient privileges to complete the operation."),
    FaultKind.REDIRECTED: (302, "Found", ""),
    FaultKind.BROKEN: (500, "InternalServerError", ""),
    FaultKind.UNAVAILABLE: (503, "ServiceUnavailable", ""),
    FaultKind.EXPIRED: (400, "BadRequest", _EXPIRED),
    FaultKind.NULS: (200, "", ""),
}
"""Faults instead of an answer: the status, code and message in the body (code "": the body is NUL bytes)."""


def is_early(fault: Fault | None) -> bool:
    """Whether a fault comes instead of an answer."""
    return fault is not None and fault.kind in _EARLY


def early(fault: Fault, elsewhere: str, *, graph: bool = False) -> Reply:
    """The answer that a fault is. elsewhere: where a redirect leads if the fault does not say."""
    status, code, message = _EARLY[fault.kind]
    headers = {}
    if status in {429, 503}:
        headers["Retry-After"] = str(fault.seconds)
    if status == 302:
        headers["Location"] = fault.location or elsewhere
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    if not code or (status == 403 and not graph):
        return Reply(status, NULS, {"Content-Type": "application/json", **headers})
    if graph:
        return graph_refusal(status, code, message, headers)
    if status == 400:
        return refusal(CmdletError(message))
    return reply(status, {"error": {"code": code, "message": message}}, headers)
