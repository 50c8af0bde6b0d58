"""The trace header fields that a server puts before a message (RFC 5321 section 4.4)."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from ipaddress import IPv6Address

from sidedoor.edge.interface import Session, Transaction
from sidedoor.mail.address import Address

_UNSAFE = re.compile(r"[^!-'*-\[\]-~]")  # a comment is not to be ended, begun or escaped by what a client says
_FOLDED = "\r\n "


def return_path(transaction: Transaction) -> bytes:
    """`Return-Path`, which the server that makes final delivery adds; it says nothing of the recipient."""
    sender = transaction.envelope_sender
    text = str(sender) if isinstance(sender, Address) else ""
    return f"Return-Path: <{text}>\r\n".encode()


def received(transaction: Transaction, hostname: str) -> bytes:
    """`Received`, folded, in UTF-8 where an address is."""
    session = transaction.session
    address = f"IPv6:{session.client_ip}" if isinstance(session.client_ip, IPv6Address) else str(session.client_ip)
    lines = [f"Received: from {_UNSAFE.sub('?', session.helo or 'unknown')[:255]} ([{address}])"]
    if session.tls is not None:
        lines.append(f"(version={session.tls.version}, cipher={session.tls.cipher})")
    lines.append(f"by {hostname} with {protocol(session, smtputf8=transaction.smtputf8)} id {transaction.id}")
    if len(transaction.recipients) == 1:  # RFC 5321 section 7.2: several would tell the one of the other
        lines[-1] += f" for <{transaction.recipients[0].address}>"
    return f"{_FOLDED.join(lines)}; {format_datetime(transaction.received_at)}\r\n".encode()


def protocol(session: Session, *, smtputf8: bool) -> str:
    """The word after `with` (RFC 3848, RFC 6531 section 4.3)."""
    if not session.extended:
        return "SMTP"
    marks = ("S" if session.tls else "") + ("A" if session.authenticated_as else "")
    return f"{'UTF8SMTP' if smtputf8 else 'ESMTP'}{marks}"


def stamp(when: datetime) -> str:
    """A time in UTC by RFC 3339 with milliseconds, as the service writes it: `2026-11-24T04:34:09.123Z`."""
    return f"{when.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"
