"""One message: is it a report, is it about our door, and what does it tell?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from sidedoor.evidence.bounces.codes import MATTER, status_in
from sidedoor.evidence.bounces.dsn import Recipient, Status, read_status
from sidedoor.evidence.bounces.model import Bounce, Kind
from sidedoor.evidence.bounces.parts import MAX_MAIL, Part, parts_of, split_message, value_of
from sidedoor.evidence.bounces.prose import quoted
from sidedoor.evidence.bounces.vouch import vouched
from sidedoor.evidence.message.addresses import decoded, parse_mailboxes
from sidedoor.evidence.message.facts import believed
from sidedoor.evidence.message.fields import MessageError
from sidedoor.evidence.message.model import HeaderField, MessageEvidence
from sidedoor.evidence.message.parse import read_message
from sidedoor.mail.address import AddressError, parse_envelope_sender
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.mail.network import NetworkError, parse_ip
from sidedoor.mail.received import parse_date

_MOST_RECIPIENTS = 200
_MOST_DIAGNOSTIC, _MOST_TEXT = 1_000, 320
_STATUSES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_WHOLE = frozenset({"message/rfc822", "message/global"})
_RETURNED = _WHOLE | {"text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
_PROSE = frozenset({"text/plain", "text/html"})
_REPORTERS = re.compile(
    r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon|mail\.?delivery|microsoftexchange[0-9a-f]{20,40})(?:@|\Z)"
)
_SUBJECTS = re.compile(
    r"undeliver|deliver(?:y|ed)?\b.{0,30}\b(?:fail|status|problem|notif|report)|failure (?:notice|delivery)"
    r"|returned mail|mail delivery|(?:send|transmission|e-?mail) (?:error|fail)|unzustellbar|nicht zugestellt"
    r"|non remis|no entregado",
    re.IGNORECASE,
)
# Exchange Online's own time in the brackets behind its refusal.
_STAMP = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,7})?Z")
_LITERAL = re.compile(r"\[?(?:IPv6:)?([0-9A-Fa-f.:]{3,45})\]?", re.IGNORECASE)
_RETURN_FIELDS = ("return-path", "x-envelope-from", "x-envelope-sender", "x-original-from")
_UNTOLD = Unknown("the report names no time")
_MOST_WITHIN = 10  # messages within a message that are looked at


@dataclass(frozen=True, slots=True)
class Finding:
    """What one message is: its bounces, and the codes of recipients that are no business of ours."""

    kind: Kind
    bounces: tuple[Bounce, ...] = ()
    other_codes: Mapping[str, int] = field(default_factory=dict)


def is_ours(data: bytes) -> bool:
    """Whether a raw message is a report with a code that matters. Never raises."""
    try:
        return read_report(data).kind is Kind.OURS
    except MessageError:
        return False


def read_report(data: bytes, *, within: bool = False) -> Finding:
    """Read one raw message, of which `MAX_MAIL` bytes are looked at. Raises MessageError where there is no header.

    `within`: it lay in another message, whose author may have written all of it, its trace fields too.
    """
    fields, body = split_message(data[:MAX_MAIL].lstrip(b"\r\n"))
    if not fields:
        raise MessageError("no header at the beginning")
    message = _Message(fields, tuple(parts_of(fields, body)), believable=not within)
    statuses = [status for part in message.parts if part.type in _STATUSES and (status := read_status(part.data))]
    if statuses or message.looks_like_report:
        return _finding(message, statuses)
    return Finding(Kind.NO_REPORT) if within else _forwarded(message)


def _finding(message: _Message, statuses: Sequence[Status]) -> Finding:
    """From the delivery status where it tells, else from the text: some servers keep the answer for that."""
    failed = [(status, each) for status in statuses for each in status.recipients][:_MOST_RECIPIENTS]
    told = [(status, each) for status, each in failed if each.matters]
    if any(not each.diagnostic for _, each in told):  # a bare status: what was said stands in the text
        said = {each.address.lower(): each for each in message.from_prose(failed)}
        told = [(status, _filled(each, said.get(each.address.lower()))) for status, each in told]
    ours = [message.bounce(each, status) for status, each in told]
    others = _counted(each.code for _, each in failed if not each.matters)
    if not ours and (failed or not statuses):
        status = statuses[0] if statuses else Status("", "", ())
        ours = [message.bounce(each, status) for each in message.from_prose(failed)]
        others = {} if ours else others or message.other_code()
    return Finding(Kind.OURS if ours else Kind.OTHER, tuple(_once(ours)), others)


def _filled(refused: Recipient, quoted_one: Recipient | None) -> Recipient:
    if refused.diagnostic or quoted_one is None:
        return refused
    server = refused.remote_mta or quoted_one.remote_mta
    return refused._replace(diagnostic=quoted_one.diagnostic, remote_mta=server)


def _forwarded(message: _Message) -> Finding:
    """Reports that somebody has attached to a message of his own."""
    found = []
    for part in [part for part in message.parts if part.type in _WHOLE][:_MOST_WITHIN]:
        with suppress(MessageError):
            found.append(read_report(part.data, within=True))
    ours = [bounce for each in found for bounce in each.bounces]
    return Finding(Kind.OURS, tuple(_once(ours))) if ours else Finding(Kind.NO_REPORT)


class _Message:
    """A report with its parts."""

    def __init__(self, fields: Sequence[HeaderField], parts: Sequence[Part], *, believable: bool) -> None:
        self.fields, self.parts, self._believable = fields, parts, believable
        self._evidence: MessageEvidence | None = None
        returned = next((part for part in parts if part.type in _RETURNED), None)
        self._returned = split_message(returned.data)[0] if returned else ()

    @property
    def evidence(self) -> MessageEvidence:
        """Who vouches for what; read for reports that matter only."""
        self._evidence = self._evidence or read_message(self.fields)
        return self._evidence

    @property
    def looks_like_report(self) -> bool:
        """By the marks that programs give their reports (RFC 5321 section 4.5.5) and by what people read."""
        names = {each.name.lower() for each in self.fields}
        if value_of(self.fields, "x-application").strip() == "Sidedoor":
            return False  # an alert of ours about reports, which quotes one
        senders = parse_mailboxes(value_of(self.fields, "from"))
        return (
            value_of(self.fields, "return-path").strip() == "<>"
            or value_of(self.fields, "content-type").strip().lower().startswith("multipart/report")
            or not names.isdisjoint({"x-failed-recipients", "x-ms-exchange-message-is-ndr"})
            or any(_REPORTERS.match(each.address.lower()) for each in senders)
            or _SUBJECTS.search(decoded(value_of(self.fields, "subject")[:1_000])[:300]) is not None
        )

    @property
    def texts(self) -> Iterator[str]:
        """What is written for people."""
        return (part.text for part in self.parts if part.type in _PROSE)

    def from_prose(self, failed: Sequence[tuple[Status, Recipient]]) -> Iterator[Recipient]:
        """Refusals quoted in the texts. HTML repeats what the plain text says: the first text that tells is enough."""
        named = [each.address for _, each in failed] + [
            each.address for each in parse_mailboxes(value_of(self.fields, "x-failed-recipients"))
        ]
        for text in self.texts:
            found = list(quoted(text))[:_MOST_RECIPIENTS]
            for each in found:
                recipient = each.recipient or (named[0] if named else "")
                yield Recipient(recipient, each.code, each.answer, each.server, "")
            if found:
                return

    def other_code(self) -> dict[str, int]:
        """Of a report in prose about something else: the first code that it quotes."""
        return _counted([next((code for text in self.texts if (code := status_in(text))), "")])

    def bounce(self, refused: Recipient, status: Status) -> Bounce:
        """The value for one recipient."""
        message_id = value_of(self.fields, "message-id").strip()[:_MOST_TEXT]
        envelope_sender, sender_from = self._envelope_sender(status)
        recipient = refused.address[:_MOST_TEXT]
        behind = vouched(self.evidence, status.reporting_mta) if self._believable else ""
        diagnostic = refused.diagnostic[:_MOST_DIAGNOSTIC]
        # Without an id, what makes this report this report.
        own = message_id or "\0".join(
            (value_of(self.fields, "date"), status.reporting_mta, envelope_sender, diagnostic)
        )
        return Bounce(
            key=_digest(own, recipient.lower(), refused.code),
            code=refused.code,
            diagnostic=diagnostic,
            envelope_sender=envelope_sender,
            sender_from=sender_from,
            recipient=recipient,
            reporting_mta=status.reporting_mta[:_MOST_TEXT],
            remote_mta=refused.remote_mta[:_MOST_TEXT],
            address=self._address(status.reporting_mta, vouching=bool(behind)),
            at=self._time(refused),
            message_id=message_id,
            claimed=not behind,
            vouched=behind,
        )

    def _envelope_sender(self, status: Status) -> tuple[str, str]:
        """A report goes to the envelope sender of what came back (RFC 5321 section 6.1); better words come before."""
        told = [(status.sender, "delivery status")]
        told += [(value_of(self._returned, name), f"returned {name.title()}") for name in _RETURN_FIELDS]
        told += [(_first_address(self.fields, "to"), "addressee of the report")]
        told += [(_first_address(self._returned, "from"), "returned From")]
        for text, where in told:
            if text.strip():
                try:
                    return str(parse_envelope_sender(text))[:_MOST_TEXT], where
                except AddressError:
                    continue
        return "", ""

    def _address(self, reporting_mta: str, *, vouching: bool) -> str:
        """The address that knocked at the door: the reporter's, where it says it or its origin is vouched for."""
        literal = _LITERAL.fullmatch(reporting_mta)
        if literal:
            try:
                return str(parse_ip(literal[1]))
            except NetworkError:
                pass
        found = believed(self.evidence.client_ip) if vouching else None
        return "" if found is None else str(found)

    def _time(self, refused: Recipient) -> Fact[datetime]:
        """When it was refused: the refusing server's own stamp, the last attempt, else the report's time."""
        stamp = _STAMP.search(refused.diagnostic)
        received = self.evidence.received_at.value
        times = (
            _iso(stamp[1]) if stamp else None,
            parse_date(refused.last_attempt),
            parse_date(value_of(self.fields, "date")),
            None if isinstance(received, Unknown) else received,
        )
        return next((each for each in times if each is not None), _UNTOLD)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None


def _first_address(fields: Sequence[HeaderField], name: str) -> str:
    return next((each.address for each in parse_mailboxes(value_of(fields, name)) if "@" in each.address), "")


def _counted(codes: Iterable[str]) -> dict[str, int]:
    """Codes that a report names, each bounded in form by `status_in`; without any it is `unknown`."""
    counts: dict[str, int] = {}
    for code in codes:
        name = code or "unknown"
        if name not in MATTER:
            counts[name] = counts.get(name, 0) + 1
    return counts


def _once(bounces: Iterable[Bounce]) -> Iterator[Bounce]:
    """One for each key: a text that quotes the answer twice is one refusal."""
    return iter({each.key: each for each in bounces}.values())


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
