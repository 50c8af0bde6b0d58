"""What SPF may ask about a message (RFC 7208 sections 2.4, 4.1, 4.3 and 7.2)."""

from __future__ import annotations

from dataclasses import dataclass

from sidedoor.mail.domain import DomainError, parse_domain
from sidedoor.mail.network import IPAddress
from sidedoor.mailauth.resolver import fold

# Longer than any real one; what a client says must not make macros expand without bound.
_MAX_TEXT = 512


@dataclass(frozen=True, slots=True)
class SpfMessage:
    """The facts of one message.

    `sender`: the envelope sender without angle brackets, "" for the null reverse-path; `helo`: the name in EHLO.
    None means that the fact is not known: a term that asks for it leaves the result undetermined.
    `receiver` and `at` (seconds since 1970) stand in explanations only.
    """

    sender: str | None = None
    helo: str | None = None
    receiver: str = "unknown"
    at: int | None = None

    @property
    def identity(self) -> tuple[str, str] | None:
        """Local part and domain that SPF checks, None where not known.

        Section 2.4: the null reverse-path stands for postmaster at the HELO name. Section 4.3: a sender without local
        part stands for postmaster.
        """
        sender = self.sender
        if sender in {"", "<>"}:
            sender = None if self.helo is None else f"postmaster@{self.helo}"
        if sender is None:
            return None
        local, _, domain = sender.removeprefix("<").removesuffix(">").rpartition("@")
        return local[-_MAX_TEXT:] or "postmaster", domain_text(domain)

    def macro(self, letter: str, ip: IPAddress, sender_domain: str) -> str | None:
        """What a macro letter of section 7.2 stands for; None where the message does not tell (%{p} is not its own)."""
        if letter in {"s", "l"}:
            known = self.identity
            return None if known is None else known[0] if letter == "l" else f"{known[0]}@{sender_domain}"
        if letter == "h":
            return None if self.helo is None else self.helo[:_MAX_TEXT]
        if letter == "i":
            # Section 7.4 writes nibbles in upper case; names are folded before they are asked for.
            return str(ip) if ip.version == 4 else ".".join(ip.exploded.replace(":", "").upper())
        return None


def domain_text(text: str) -> str:
    """A domain in comparable form, with A-labels (section 4.3); as it stands where it is no domain name."""
    try:
        return parse_domain(text).ascii
    except DomainError:
        return fold(text[:_MAX_TEXT])
