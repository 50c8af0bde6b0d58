"""The events of one trace, as the service's details tell them, with the `<root><MEP .../></root>` of each.

The device's address stands in CustomData (ProxiedClientIPAddress); ClientIP is a front end's, as in the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import quoteattr

from sidedoor.edge.admin.export_file import Row
from sidedoor.edge.admin.named import iso
from sidedoor.edge.admin.traces import Trace
from sidedoor.edge.admin.values import moment

_FRONT_END = "127.0.0.1"
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_NO_PART = re.compile(r"[;'|\x00-\x1f\x7f]")  # what would end a part of CustomData
_TLS = re.compile(r"(?:TLS)?v?1[._]([0-3])", re.IGNORECASE)


def events(hostname: str, trace: Trace) -> Iterator[Row]:
    """Get-MessageTraceDetailV2's rows. Events of one second come in no order that a client may rest on."""
    told = json.loads(trace.told)
    common: Row = {
        "MessageTraceId": trace.id,
        "MessageId": f"<{trace.id}@{hostname}>",
        "Date": iso(moment("time", told["time"])),
    }
    using = _protocol(told)
    detail = f"Message received by: {hostname}" + (f" using {using}" if using else "")
    yield {**common, "Event": "Receive", "Action": "", "Detail": detail, "Data": _received(hostname, told)}
    handled = told.get("handled") if isinstance(told.get("handled"), dict) else {}
    action = str(handled.get("action") or "deliver")
    for rule in handled.get("rules") or []:
        data = root(("ruleName", "String", str(rule)))
        said = f"Transport rule: '{rule}'"
        yield {**common, "Event": "Transport rule", "Action": _did(action), "Detail": said, "Data": data}
    if action in _ENDS:
        event, said = _ENDS[action]
        yield {**common, "Event": event, "Action": "", "Detail": said or _reason(told), "Data": root()}


_ENDS: Mapping[str, tuple[str, str]] = {
    "deliver": ("Deliver", "The message was delivered."),
    "relay": ("Send external", "The message was sent on."),
    "reject": ("Fail", ""),
    "delete": ("Drop", "The message was dropped."),
}
"""A message in quarantine has no end yet."""


def _did(action: str) -> str:
    return {"quarantine": "Quarantine", "reject": "Reject", "delete": "Delete"}.get(action, "")


def _reason(told: Mapping[str, object]) -> str:
    final = told.get("final")
    said = (
        f"{final.get('code')} {final.get('enhanced')} {final.get('text')}" if isinstance(final, dict) else "550 5.7.1"
    )
    return f"Reason: [{{LED={said}}};{{MSG=}};{{FQDN=}};{{IP=}};{{LRT=}}]"


def _protocol(told: Mapping[str, object]) -> str:
    """`TLS1.3`, or "" in clear."""
    tls = told.get("tls")
    found = _TLS.search(str(tls.get("version"))) if isinstance(tls, dict) else None
    return f"TLS1.{found[1]}" if found else ""


def _received(hostname: str, told: Mapping[str, object]) -> str:
    using = _protocol(told)
    parts = [
        f"S:ProxyHop1={hostname}({_FRONT_END})",
        f"S:ProxiedClientIPAddress={told['client_ip']}",
        f"S:ProxiedClientHostname={_NO_PART.sub('_', str(told.get('helo') or ''))}",
        *([f"S:tlsversion=SP_PROT_{using.replace('.', '_')}_SERVER"] if using else []),
    ]
    return root(
        ("ServerHostName", "String", hostname),
        ("ConnectorId", "String", str(told.get("connector") or rf"{hostname}\{_own(told)} {hostname}")),
        ("ClientIP", "String", _FRONT_END),
        ("ClientName", "String", hostname),
        ("ReturnPath", "String", str(told["envelope_sender"]) or "<>"),
        ("CustomData", "Blob", ";".join(parts)),
    )


def _own(told: Mapping[str, object]) -> str:
    """The server's own receive connector: clients that logged in have another (Learn, Receive connectors)."""
    return "Client Proxy" if told.get("authenticated_as") else "Default"


def root(*parts: tuple[str, str, str]) -> str:
    """Name, type and value of each part."""
    inner = "".join(f'<MEP Name="{name}" {kind}={quoteattr(_NO_XML.sub("?", text))} />' for name, kind, text in parts)
    return f"<root>{inner}</root>"
