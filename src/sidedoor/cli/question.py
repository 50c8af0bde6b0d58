"""The JSON of `sidedoor check`: a question is parsed, decided for each recipient, and answered. No printing here.

What a question leaves out is known to be absent (no TLS, nobody logged in); client_ip, mail_from and rcpt_to must be
there, because no answer can rest on their absence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from sidedoor.mail.address import Address, AddressError, EnvelopeSender, parse_address, parse_envelope_sender
from sidedoor.mail.domain import Domain, DomainError, parse_domain
from sidedoor.mail.network import NetworkError, parse_ip
from sidedoor.policy.decision import Decision
from sidedoor.policy.facts import ClientCertificate, Connection, Envelope, MessageFacts, Tls
from sidedoor.policy.rule import Rule

T = TypeVar("T")
JsonObject = dict[str, Any]
MAX_LINE = 1 << 20
"""Octets of one line of a batch; a transaction with ten thousand recipients fits."""
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*\Z")


class QuestionError(ValueError):
    """A question that cannot be asked; the message names the key, what was found and what was expected."""


class Question(NamedTuple):
    """One transaction: a connection, an envelope sender and its recipients (as written, and parsed)."""

    id: object
    connection: Connection
    envelope_sender: EnvelopeSender
    recipients: tuple[tuple[str, Address], ...]
    message: MessageFacts


def load_line(line: bytes | None) -> JsonObject:
    """Read one line of JSON, None standing for one longer than `MAX_LINE`. Raises QuestionError."""
    if line is None:
        raise QuestionError(f"found more than {MAX_LINE} octets; expected a shorter line")
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise QuestionError("found JSON nested too deeply; expected one object") from error
    except ValueError as error:  # also bytes that are no UTF-8, and numbers of thousands of digits
        raise QuestionError(f"found no JSON ({str(error)[:120]}); expected one object") from error
    if not isinstance(value, dict):
        raise QuestionError(f"found {_kind(value)}; expected an object")
    return value


def parse_question(value: JsonObject) -> Question:
    """Check types and parse. Raises QuestionError."""
    identity = value.get("id")
    if isinstance(identity, dict | list):
        raise QuestionError(f"id: found {_kind(identity)}; expected a string or a number")
    client_ip = _parsed("client_ip", _text(value, "client_ip", required=True), parse_ip)
    sender = _parsed("mail_from", _text(value, "mail_from", required=True), parse_envelope_sender)
    login = _text(value, "authenticated_as")
    if login == "":
        raise QuestionError("authenticated_as: found an empty string; expected a user, or null for nobody")
    connection = Connection(client_ip, _text(value, "helo"), _tls(value.get("tls")), login)
    header_from = _text(value, "header_from")
    domain = None if header_from is None else _parsed("header_from", header_from, _domain_of)
    return Question(identity, connection, sender, _recipients(value.get("rcpt_to")), MessageFacts(header_from=domain))


def answer(rule: Rule, question: Question, adjust: Callable[[Decision], Decision]) -> JsonObject:
    """Decide for each recipient; the top level is the first's. `adjust` has the last word on each decision."""
    told: list[JsonObject] = []
    for text, recipient in question.recipients:
        envelope = Envelope(question.envelope_sender, recipient)
        decision = adjust(rule.decide(question.connection, envelope, question.message))
        told.append({"rcpt_to": text, **as_json(decision)})
    top = {"id": question.id, **{key: item for key, item in told[0].items() if key != "rcpt_to"}}
    if len(told) > 1:
        top["recipients"] = told
    return top


def as_json(decision: Decision) -> JsonObject:
    """A decision in the words of the public contract (docs/rule.md)."""
    reply = decision.reply
    return {
        "verdict": decision.verdict.value,
        "reply": {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text},
        "submission": decision.submission.value,
        "connector": decision.connector,
        "step": decision.step.name.lower().replace("_", "-"),
        "certainty": decision.certainty.word,
        "reasons": list(decision.reasons),
    }


def _text(value: Mapping[str, Any], key: str, *, required: bool = False) -> str | None:
    found = value.get(key)
    if isinstance(found, str) or (found is None and not required):
        return found
    if key not in value:
        raise QuestionError(f"{key}: found nothing; expected a string")
    raise QuestionError(f"{key}: found {_kind(found)}; expected a string{'' if required else ' or null'}")


def _parsed(key: str, text: str | None, parse: Callable[[str], T]) -> T:
    try:
        return parse(text or "")
    except (AddressError, DomainError, NetworkError) as error:
        raise QuestionError(f"{key}: {error}") from error


def _recipients(found: object) -> tuple[tuple[str, Address], ...]:
    if not isinstance(found, list) or not found:
        raise QuestionError(f"rcpt_to: found {_kind(found)}; expected a list of at least one address")
    for number, item in enumerate(found):
        if not isinstance(item, str):
            raise QuestionError(f"rcpt_to[{number}]: found {_kind(item)}; expected an address")
    return tuple((item, _parsed("rcpt_to", item, parse_address)) for item in found)


def _tls(found: object) -> Tls | None:
    if found is None:
        return None
    if not isinstance(found, dict):
        raise QuestionError(f"tls: found {_kind(found)}; expected an object or null")
    shown = found.get("client_certificate")
    if shown is None:
        return Tls(_text(found, "version") or "", None)
    if not isinstance(shown, dict):
        raise QuestionError(f"client_certificate: found {_kind(shown)}; expected an object or null")
    names = shown.get("dns_names")
    names = [] if names is None else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise QuestionError("dns_names: expected a list of strings")
    return Tls(_text(found, "version") or "", ClientCertificate(_text(shown, "subject_cn"), tuple(names)))


def _domain_of(text: str) -> Domain:
    """The domain of a header From: an address, with a display name before it or not, or a bare domain."""
    bracketed = _IN_BRACKETS.search(text)
    bare = bracketed[1] if bracketed else text
    return parse_address(bare).domain if "@" in bare else parse_domain(bare)


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if value == []:
        return "an empty list"
    names = {bool: "a boolean", str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
