"""An explanation in words: the answer, what the switch would have done, the signs, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from sidedoor.audit.coverage import SOURCES
from sidedoor.audit.explanation import Answer, Explanation, Sure
from sidedoor.audit.identify import in_words
from sidedoor.catalogue.match import Strength
from sidedoor.evidence.message import MessageEvidence, Told
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.alignment import DmarcWord
from sidedoor.mailauth.authenticate import MessageAuthentication
from sidedoor.mailauth.compauth import meaning
from sidedoor.policy.decision import Submission
from sidedoor.policy.reasons import explain as reason_text

T = TypeVar("T")

_CLAIMED = "Only if this header is genuine: no line of it is vouched for."
_UNLABELLED = "Likely, not certain: Exchange Online's own label (IsAnonymousDirectSend) is missing."
_REPORTED = "Likely, not certain: what such fields mean is reported, not documented."
_NO_CONNECTOR = "A Partner connector could have attributed it all the same; --tenant tells."
_ARTICLES = {
    Submission.SENT_DIRECTLY: "It was sent directly, beside the published MX, by a foreign envelope sender",
    Submission.INTERNET: "It came from the internet by the published MX, from a foreign envelope sender",
    Submission.PARTNER_CONNECTOR: "It came through a Partner connector",
    Submission.ONPREMISES_CONNECTOR: "It came through an OnPremises connector",
    Submission.AUTHENTICATED: "Its client had logged in, or it began in a mailbox",
    Submission.OUTBOUND: "It left the organisation",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign in the header: `speaks` for Direct Send, against it, or neither."""

    id: str
    text: str
    speaks: str


def headline(explanation: Explanation) -> str:
    """The answer in one sentence."""
    match explanation.answer:
        case Answer.DIRECT_SEND:
            return "This was Direct Send." if explanation.sure is Sure.CERTAIN else "This was probably Direct Send."
        case Answer.OTHER:
            return f"This was not Direct Send. {_way(explanation)}."
        case Answer.CANNOT_TELL:
            return "The header does not tell whether this was Direct Send."


def _way(explanation: Explanation) -> str:
    way = _ARTICLES.get(explanation.submission)
    connector = explanation.decision.connector
    if way is None:
        return "Its envelope sender is foreign; whether it came by the published MX cannot be told"
    return f"{way} ({connector})" if connector else way


def sureness(explanation: Explanation) -> str:
    """How sure the answer is, and on what that rests."""
    match explanation.sure:
        case Sure.CERTAIN:
            return "That is certain."
        case Sure.LIKELY:
            text = _UNLABELLED if explanation.answer is Answer.DIRECT_SEND else _REPORTED
        case Sure.CLAIMED:
            text = _CLAIMED
        case Sure.OPEN:
            return ""
    return f"{text} {_NO_CONNECTOR}" if explanation.without_connector else text


def effect(explanation: Explanation) -> str:
    """What RejectDirectSend would have done."""
    decision = explanation.decision
    match decision.would_reject:
        case True:
            return (
                "RejectDirectSend would have refused it: 550 5.7.68 TenantInboundAttribution; Direct Send not allowed "
                "for this organization from unauthorized sources."
            )
        case False:
            return "RejectDirectSend would not have touched it."
        case None:
            return "Whether RejectDirectSend would have refused it cannot be told."


def because(explanation: Explanation) -> list[str]:
    """The rule's reasons, as sentences."""
    reasons = explanation.decision.reasons
    left_out = _TECHNICAL | ({"direction-incoming"} if "headers-show-anonymous" in reasons else set())
    return [reason_text(reason) for reason in reasons if reason not in left_out]


_TECHNICAL = frozenset(
    {"facts-unknown", "verdict-depends-on-unknown", "reject-direct-send-unknown", "connectors-unknown"}
)


# The MX and the switch as it is decide nothing here, and no message names its recipient.
_NOT_ASKED = frozenset({"recipient", "mx", "reject-direct-send"})


def missing(explanation: Explanation) -> list[tuple[str, str]]:
    """(fact, how to get it) for the facts that the answer lacks."""
    named = [name for name in explanation.decision.missing if name not in _NOT_ASKED]
    if explanation.without_connector:
        named.append("inbound-connectors")
    return [(name, SOURCES[name].how_to_get_it) for name in dict.fromkeys(named) if name in SOURCES]


def signs(explanation: Explanation) -> list[Sign]:
    """What in the header speaks for or against, the most telling first."""
    message = explanation.message
    found = [
        _label(message),
        _entity(message),
        _login(message),
        _compauth(explanation),
        _internal(message),
        _mx(message),
    ]
    return [sign for sign in found if sign is not None]


def _value(told: Told[T]) -> T | None:
    return None if isinstance(told.value, Unknown) else told.value


def _label(message: MessageEvidence) -> Sign | None:
    if _value(message.anonymous_direct_send):
        return Sign("label", "Exchange Online labelled it: IsAnonymousDirectSend is True.", "for")
    return Sign("label", "It has no IsAnonymousDirectSend label, which proves nothing: it may have been taken out.", "")


def _entity(message: MessageEvidence) -> Sign | None:
    entity = (_value(message.from_entity) or "").lower()
    if entity == "hybridonprem":
        return Sign(
            "from-entity", "FromEntityHeader is HybridOnPrem: a connector of the tenant attributed it.", "against"
        )
    if entity == "internet":
        return Sign("from-entity", "FromEntityHeader is Internet: no OnPremises connector attributed it.", "for")
    return None if not entity else Sign("from-entity", f"FromEntityHeader is {entity}.", "")


def _login(message: MessageEvidence) -> Sign | None:
    login = (_value(message.auth_as) or "").lower()
    if login == "anonymous":
        return Sign("auth-as", "AuthAs is Anonymous: nobody logged in. Mail through a connector has that too.", "")
    if login == "internal":
        return Sign("auth-as", "AuthAs is Internal: it was sent from inside, or after a login.", "against")
    return None


def _compauth(explanation: Explanation) -> Sign | None:
    result = next((one for one in explanation.results if one.method == "compauth"), None)
    if result is None:
        return None
    known = meaning(result.reason or "")
    says = f"compauth is {result.word}, reason {result.reason or 'not told'}" + (f": {known.text}" if known else "")
    own = (result.reason or "").startswith("6") or result.reason == "010"
    rest = " It judges header From; Direct Send goes by the envelope sender." if own else ""
    return Sign("compauth", f"{says}.{rest}", "for" if own and explanation.answer is Answer.DIRECT_SEND else "")


def _internal(message: MessageEvidence) -> Sign | None:
    if not _value(message.internal_org_sender):
        return None
    return Sign("internal-org-sender", "InternalOrgSender is True, which is set on spoofs as well.", "")


def _mx(message: MessageEvidence) -> Sign | None:
    here = _value(message.mx_points_to_us)
    if here is None or here:
        return None
    return Sign("mx-elsewhere", "The MX led elsewhere (MxPointsToUs: false): it came in beside the mail filter.", "")


def identity(explanation: Explanation) -> str:
    """Who it may be by the catalogue, "" for nobody known."""
    if not explanation.matches:
        return ""
    best = explanation.matches[0]
    if best.strength is Strength.PROOF:
        return f"{best.entry.name}: {in_words(best.best)} shows it"
    return f"{best.entry.name}, as {in_words(best.best)} says, which anybody can say"


def facts(explanation: Explanation) -> list[tuple[str, str, str]]:
    """(label, value, remark) of the facts, in the order they are asked for."""
    message = explanation.message
    rows = [
        ("Client address", _with(message.client_ip, message.ptr, "reverse name"), message.client_ip),
        ("HELO", _plain(message.helo), message.helo),
        ("TLS", _plain(message.tls, absent="none: the connection was in clear"), message.tls),
        ("Envelope sender", _sender(message), message.envelope_domain),
        ("Header From", _mailboxes(message.header_from), message.header_from),
        ("To", _mailboxes(message.header_recipients), message.header_recipients),
        ("Taken", _moment(message), message.received_at),
    ]
    shown = [(label, value, _remark(explanation, told)) for label, value, told in rows if value]
    checks = "; ".join(_result(explanation, method) for method in ("spf", "dkim", "dmarc"))
    shown.append(("SPF, DKIM, DMARC", checks, ""))
    mailer = _plain(message.mailer)
    if mailer:
        shown.append(("Written by", mailer, "its own word"))
    who = identity(explanation)
    return [*shown, ("Known as", who, "")] if who else shown


def _plain(told: Told[str] | Told[str | None], absent: str = "") -> str:
    value = told.value
    return "" if isinstance(value, Unknown) else (absent if value is None else str(value))


_NO_NAME = "infodomainnonexistent"  # PTR in X-Forefront-Antispam-Report where DNS has none


def _with(told: Told[T], other: Told[str | None], label: str) -> str:
    value = told.value
    if isinstance(value, Unknown):
        return f"unknown: {value.reason}"
    if value is None:
        return "none: it began in a mailbox"
    beside = _plain(other)
    if beside.lower() == _NO_NAME:
        return f"{value} (no {label})"
    return f"{value} ({label} {beside})" if beside else f"{value}"


def _sender(message: MessageEvidence) -> str:
    sender = message.envelope_sender.value
    if not isinstance(sender, Unknown):
        return str(sender)
    domain = message.envelope_domain.value
    return f"unknown: {sender.reason}" if isinstance(domain, Unknown) or domain is None else f"somebody at {domain}"


def _mailboxes(told: Told[T]) -> str:
    if isinstance(told.value, Unknown) or not isinstance(told.value, tuple):
        return ""
    shown = [f"{box.display} <{box.address}>" if box.display else f"{box.address}" for box in told.value[:3]]
    more = len(told.value) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _moment(message: MessageEvidence) -> str:
    moment = message.received_at.value
    return "" if isinstance(moment, Unknown) else moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _remark(explanation: Explanation, told: Told[T]) -> str:
    """Where a value is only the sender's word, say so; header From and To always are."""
    if told in (explanation.message.header_from, explanation.message.header_recipients):
        return ""
    return "" if told.believed or isinstance(told.value, Unknown) else "not vouched for"


def _result(explanation: Explanation, method: str) -> str:
    found = [result for result in explanation.results if result.method == method]
    if not found:
        return f"{method} not told"
    names = {"spf": ("smtp", "mailfrom"), "dkim": ("header", "d"), "dmarc": ("header", "from")}
    shown = []
    for result in found[:3]:
        about = result.value(*names[method])
        shown.append(f"{method} {result.word}" + (f" ({about})" if about and about != "none" else ""))
    return ", ".join(shown)


def verified(found: MessageAuthentication) -> list[tuple[str, str, str]]:
    """(mechanism, result, why) of the checks made now."""
    spf = found.spf
    rows = [("SPF", spf.result.value if spf else "not checked", spf.cause if spf else "nobody knows who connected")]
    rows += [
        ("DKIM", each.word.value, f"{each.domain or 'no domain'}{', ' if each.reason else ''}{each.reason}")
        for each in found.dkim
    ] or [("DKIM", "none", "no signature")]
    sealers = ", ".join(found.arc.sealers)
    rows.append(("ARC", found.arc.chain.value, "; ".join(part for part in (found.arc.reason, sealers) if part)))
    would = "; it would pass" if found.dmarc.would_pass and found.dmarc.word is DmarcWord.NONE else ""
    rows.append(("DMARC", found.dmarc.word.value, found.dmarc.reason + would))
    return rows
