"""Whom to believe: for each fact, the formats from the best to the least informed.

A format that never holds a fact is not listed for it. Reasons stand in docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Mapping

_EXTENDED, _ENHANCED, _REPORT = "historical-extended", "historical-enhanced", "connector-report"
_DETAIL, _GRAPH_DETAIL, _HUNTING = "trace-detail-v2", "graph-trace-detail", "email-events"
_TRACE, _GRAPH_TRACE, _OLD_TRACE = "message-trace-v2", "graph-message-trace", "message-trace"
_DETAILS = (_DETAIL, _GRAPH_DETAIL)
_LISTS = (_TRACE, _GRAPH_TRACE, _OLD_TRACE)
_MESSAGE = "message"
_EDGE = "edge-log"  # the door itself; its transactions join no export of the service
_LOG = "tracking-log"  # the organisation's own server: what Exchange Online says of its own door comes first

PRECEDENCE: Mapping[str, tuple[str, ...]] = {
    # Seven digits in traces, whole seconds in hunting and details.
    "received_at": (_EDGE, _EXTENDED, *_LISTS, _ENHANCED, _REPORT, _MESSAGE, _HUNTING, *_DETAILS, _LOG),
    "recipient": (_EDGE, *_LISTS, _HUNTING, _ENHANCED, _EXTENDED, _REPORT, _LOG),
    # return_path and ReturnPath are the transaction's own; hunting derives its column from the same message later.
    "envelope_sender": (_EDGE, _EXTENDED, *_DETAILS, _HUNTING, _MESSAGE, _ENHANCED, _REPORT, *_LISTS, _LOG),
    "listed_sender": (_ENHANCED, _REPORT, *_LISTS),
    "header_from": (_MESSAGE, _EDGE, _HUNTING, _EXTENDED, _LOG),
    # Hunting shows the last relay seen, which enhanced filtering may have moved (EmailEvents, SenderIPv4).
    "client_ip": (_EDGE, _EXTENDED, *_DETAILS, *_LISTS, _ENHANCED, _REPORT, _MESSAGE, _HUNTING, _LOG),
    "helo": (_EDGE, _EXTENDED, *_DETAILS, _MESSAGE, _LOG),
    "tls": (_EDGE, _EXTENDED, *_DETAILS, _REPORT, _MESSAGE),
    "connector": (_EDGE, _EXTENDED, *_DETAILS, _HUNTING, _ENHANCED, _REPORT),
    "direction": (_EXTENDED, _HUNTING, _MESSAGE, _ENHANCED, _REPORT),
    "spf": (_HUNTING, _MESSAGE),
    "dkim": (_HUNTING, _MESSAGE),
    "dmarc": (_HUNTING, _MESSAGE),
    "compauth": (_HUNTING, _MESSAGE),
    "compauth_reason": (_MESSAGE,),
    # Only the message itself tells these; a server's own log knows that it relayed. Details know which of the server's
    # own connectors took it.
    "entry": (_MESSAGE, _EDGE, *_DETAILS, _LOG),
    "mailer": (_MESSAGE,),
    "dkim_domain": (_MESSAGE,),
    # Hunting knows where the message lay in the end; a list's status is coarser.
    "treatment": (_EDGE, _HUNTING, *_DETAILS, _EXTENDED, *_LISTS, _ENHANCED, _MESSAGE, _LOG),
}

LAST = 50
"""The rank of a format that is not listed for a fact."""


def rank(format_name: str, fact: str) -> int:
    """The place of a format among those that tell a fact: 0 is the best, LAST where it is not listed."""
    order = PRECEDENCE.get(fact, ())
    return order.index(format_name) if format_name in order else LAST
