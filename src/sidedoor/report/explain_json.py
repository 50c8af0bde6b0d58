"""An explanation as JSON, for other programs: `sidedoor/explain/1` (docs/contract.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sidedoor.audit.explanation import Explanation
from sidedoor.evidence.message import Hop, Mailbox, MessageEvidence, Told
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.authenticate import MessageAuthentication
from sidedoor.mailauth.authres import MethodResult
from sidedoor.report import explain_words as said
from sidedoor.report.text import without_surrogates
from sidedoor.report.words import iso

SCHEMA_NAME = "sidedoor/explain/1"
_FACTS = (
    "client_ip", "helo", "ptr", "tls", "envelope_sender", "envelope_domain", "received_at", "header_from",
    "header_recipients", "delivered_to", "message_id", "date", "mailer", "list_id", "auth_as", "auth_source",
    "directionality", "from_entity", "anonymous_direct_send", "internal_org_sender", "mx_points_to_us",
    "network_message_id", "tenant_id", "scl", "report", "destination", "entry",
)  # fmt: skip


def render(explanation: Explanation) -> dict[str, Any]:
    """One message as JSON values."""
    message, decision = explanation.message, explanation.decision
    return {
        "answer": explanation.answer.value,
        "sureness": explanation.sure.value,
        "headline": said.headline(explanation),
        "submission": decision.submission.value,
        "connector": decision.connector,
        "would_reject": decision.would_reject,
        "certainty": decision.certainty.word,
        "assumes_no_connector": explanation.without_connector,
        "reasons": list(decision.reasons),
        "missing": [{"fact": name, "how_to_get_it": how} for name, how in said.missing(explanation)],
        "inferred_accepted_domains": [str(domain) for domain in explanation.inferred],
        "facts": {name: _told(getattr(message, name)) for name in _FACTS},
        "authentication": [_result(result) for result in explanation.results],
        "path": [_hop(hop) for hop in message.hops],
        "hops_left_out": message.hops_left_out,
        "boundary_line": _boundary(message),
        "signs": [
            {"id": sign.id, "text": _text(sign.text), "speaks": sign.speaks or "neither"}
            for sign in said.signs(explanation)
        ],
        "known_as": [
            {
                "id": match.entry.id, "name": match.entry.name, "strength": match.strength.name.lower(),
                "trait": match.best.trait.value, "value": _text(match.best.value),
            }
            for match in explanation.matches
        ],
        "notes": [_text(note) for note in message.notes],
    }  # fmt: skip


def render_verified(found: MessageAuthentication) -> dict[str, Any]:
    """The checks made now."""
    return {
        "spf": None if found.spf is None else {"result": found.spf.result.value, "cause": _text(found.spf.cause)},
        "dkim": [
            {"result": each.word.value, "domain": _text(each.domain), "selector": _text(each.selector),
             "reason": _text(each.reason), "bits": each.bits, "covers_all": each.covers_all}
            for each in found.dkim
        ],
        "arc": {"result": found.arc.chain.value, "sealers": [_text(name) for name in found.arc.sealers],
                "reason": _text(found.arc.reason)},
        "dmarc": {"result": found.dmarc.word.value, "reason": _text(found.dmarc.reason),
                  "policy": found.dmarc.policy.value if found.dmarc.policy else None},
    }  # fmt: skip


def _result(result: MethodResult) -> dict[str, Any]:
    properties = {f"{each.ptype}.{each.name}".lstrip("."): _text(each.value) for each in result.properties}
    return {
        "method": _text(result.method),
        "result": _text(result.word),
        "reason": result.reason,
        "properties": properties,
    }


def _boundary(message: MessageEvidence) -> int | None:
    """The line of the header where the service took the message; None where no line shows it."""
    hop = message.entry_hop
    return hop.line if hop else None


def _told(told: Told[Any]) -> dict[str, Any]:
    if isinstance(told.value, Unknown):
        return {"value": None, "unknown": _text(told.value.reason)}
    return {
        "value": _plain(told.value),
        "sureness": told.sureness.value,
        "field": _text(told.source),
        "line": told.line or None,
    }


def _plain(value: object) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mailbox):
        return {"display": _text(value.display), "address": _text(value.address)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {_text(str(key)): _plain(item) for key, item in value.items()}
    return _text(str(value))


def _hop(hop: Hop) -> dict[str, Any]:
    parsed = hop.parsed
    return {
        "line": hop.line,
        "trust": hop.trust.value,
        "helo": _maybe(parsed.helo or parsed.from_name),
        "reverse_name": _maybe(parsed.rdns),
        "client_ip": None if parsed.client_ip is None else str(parsed.client_ip),
        "by": _maybe(parsed.by),
        "protocol": _maybe(parsed.protocol),
        "tls": parsed.tls,
        "date": iso(parsed.date) if parsed.date else None,
        "problem": hop.problem or None,
    }


def _maybe(text: str | None) -> str | None:
    return None if text is None else _text(text)


def _text(text: str) -> str:
    return without_surrogates(text)
