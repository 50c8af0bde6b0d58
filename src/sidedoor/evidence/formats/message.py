"""Raw messages: .eml, mailbox files, .msg and pasted headers, each message one record.

Only what Exchange Online vouches for becomes a fact of the record, except what the author wrote and nobody doubts to be
the author's (header From, Message-ID, X-Mailer). A message does not name its envelope recipient, so its record has
none: it speaks of the message to whatever recipient another export names, and alone it is one message to nobody knows
whom. To and Cc are the author's words and no recipients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from sidedoor.errors import InputError
from sidedoor.evidence import values
from sidedoor.evidence.interface import Format, ReadOptions, Recognised
from sidedoor.evidence.message import MessageEvidence, Told, is_message_file, read_messages
from sidedoor.evidence.message.facts import believed
from sidedoor.evidence.record import NULL_SENDER, Record, RejectedRow
from sidedoor.mail.address import Address, EnvelopeSender
from sidedoor.mail.fact import Unknown
from sidedoor.mailauth.authres import AuthResults, MethodResult

_TRACE = "Get-MessageTraceV2 or EmailEvents for the same days"
CANNOT_TELL: Mapping[str, str] = {
    "recipient": f"{_TRACE}: a message does not name its envelope recipient",
    "connector": "EmailEvents (Connectors), Start-HistoricalSearch (connector_id): headers only hint at it",
}
MESSAGE = Format("message", "raw messages", (), CANNOT_TELL, one_encoding=False)

_MAX_TEXT = 500
_SNIFFED = 4_096  # a few trace fields take that much, and a few are enough
_ABSENT = "none"
# Where the mailbox put it: inbox or junk; other letters (C, D ...) are rules of the mailbox.
_TREATMENTS = {"I": "delivered", "J": "junked"}


def recognise_messages(path: Path) -> Recognised | None:
    """A reader for a file that holds messages; None for any other, and for one that cannot be read. Cheap."""
    try:
        with path.open("rb", buffering=0) as handle:
            head = handle.read(_SNIFFED)
    except OSError:
        return None
    return recognised_messages(path) if is_message_file(head) else None


def recognised_messages(path: Path) -> Recognised:
    """The reader for a file that is known to hold messages."""
    return Recognised(path, MESSAGE, partial(_read, path))


def recognised_folder(folder: Path, files: Sequence[Path]) -> Recognised:
    """One reader for many files of messages in one folder: message after message, numbered through."""
    return Recognised(folder, MESSAGE, partial(_read_all, tuple(files)), parts=tuple(files))


def _read(path: Path, _: ReadOptions) -> Iterator[Record | RejectedRow]:
    for number, found in enumerate(read_messages(path), start=1):
        yield found if isinstance(found, RejectedRow) else record_of(found, number)


def _read_all(files: Sequence[Path], _: ReadOptions) -> Iterator[Record | RejectedRow]:
    number = 0
    for path in files:
        try:
            for found in read_messages(path):
                number += 1
                reading = found if isinstance(found, RejectedRow) else record_of(found, number)
                yield _named(reading, path, number) if isinstance(reading, RejectedRow) else reading
        except InputError as error:
            number += 1
            yield _named(RejectedRow(number, error.found, ""), path, number)


def _named(row: RejectedRow, path: Path, number: int) -> RejectedRow:
    """A row with the name of its file, which the folder it is listed under does not tell."""
    return row._replace(row=number, why=f"{path.name}: {row.why}")


def record_of(message: MessageEvidence, row: int) -> Record | RejectedRow:
    """What one message tells in the common form; a RejectedRow where nothing shows when it came or which it is."""
    received_at = message.received_at.value
    if isinstance(received_at, Unknown):
        received_at = message.date.value
    key = believed(message.network_message_id) or ""
    if not message.hops and not key:
        return RejectedRow(
            row, "no Received line: the message was never received, or its header is cut", _shown(message)
        )
    if isinstance(received_at, Unknown):
        return RejectedRow(row, f"no date: {received_at.reason}", _shown(message))
    results = believed(message.authentication)
    course: str = believed(message.directionality) or ""
    compauth = _first(results, "compauth")
    dkim = _dkim(results)
    return Record(
        row,
        key,
        _plain(message.message_id),
        received_at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        None,
        _envelope_sender(message),
        header_from=_header_from(message),
        client_ip=_text(message.client_ip),
        helo=_text(message.helo),
        tls=_text(message.tls, absent=_ABSENT),
        direction=values.direction(course),
        spf=_word(_first(results, "spf")),
        dkim=_word(dkim),
        dmarc=_word(_first(results, "dmarc")),
        compauth=_word(compauth),
        compauth_reason=compauth.reason if compauth else None,
        treatment=_TREATMENTS.get(believed(message.destination) or ""),
        entry=believed(message.entry),
        mailer=_plain(message.mailer),
        dkim_domain=_signer(dkim),
        tenant_id=believed(message.tenant_id),
    )


def _shown(message: MessageEvidence) -> str:
    return "; ".join(f"{field.name}: {field.value}" for field in message.fields[:5])[:_MAX_TEXT]


def _plain(told: Told[str]) -> str | None:
    return None if isinstance(told.value, Unknown) else told.value[:_MAX_TEXT]


def _text(told: Told[object], absent: str = "") -> str | None:
    """The value as text where the service vouches for it; `absent` for a known absence, None for anything unknown."""
    if not told.believed or isinstance(told.value, Unknown):
        return None
    return absent if told.value is None else str(told.value)[:_MAX_TEXT]


def _envelope_sender(message: MessageEvidence) -> str | None:
    """The address; `@domain` where only smtp.mailfrom tells, which leaves out the local part."""
    sender: EnvelopeSender | None = believed(message.envelope_sender)
    if sender is not None:
        return sender.folded if isinstance(sender, Address) else NULL_SENDER
    domain = believed(message.envelope_domain)
    return f"@{domain}" if domain else None


def _header_from(message: MessageEvidence) -> str | None:
    """The first address of From; with several, which an attacker may use, the first is what a mail program shows."""
    if isinstance(message.header_from.value, Unknown):
        return None
    mailbox = next((each for each in message.header_from.value if each.address), None)
    return values.mail_address(mailbox.address) if mailbox else ""


def _first(results: AuthResults | None, method: str) -> MethodResult | None:
    return next(iter(results.of(method)), None) if results else None


def _dkim(results: AuthResults | None) -> MethodResult | None:
    """The signature that counts: one that holds, else the first."""
    found = results.of("dkim") if results else ()
    return next((result for result in found if result.word == "pass"), found[0] if found else None)


def _word(result: MethodResult | None) -> str | None:
    return result.word if result else None


def _signer(dkim: MethodResult | None) -> str | None:
    """header.d; "" where the service says that nobody signed."""
    if dkim is None:
        return None
    domain = (dkim.value("header", "d") or "").lower()
    return "" if domain == _ABSENT else domain[:_MAX_TEXT] or None
