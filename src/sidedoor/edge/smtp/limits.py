"""Limits of one connection, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts are for one connection, sizes in octets."""

    line: int = 2_048  # RFC 5321 section 4.5.3.1.4 asks for 512; extensions add to it, Postfix takes 2,048
    login_line: int = 12_288  # RFC 4954 section 4.2
    message: int = 150 * 1024 * 1024  # the most that Exchange Online can be set to take
    recipients: int = 1_000  # of one transaction, as Exchange Online; RFC 5321 section 4.5.3.1.8 asks for 100
    transactions: int = 10_000
    errors: int = 20  # commands that were no commands, as Postfix's hard error limit
    refusals: int = 1_000  # recipients refused; a harvest of addresses ends here
    chatter: int = 100  # NOOP and its like between two messages, as Postfix's junk command limit
    logins: int = 3


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server offers beside the basics: its name, and whether STARTTLS and AUTH are there."""

    hostname: str
    starttls: bool = False
    auth: bool = False  # offered once TLS is up, never before (RFC 4954 section 4)
    limits: Limits = Limits()
