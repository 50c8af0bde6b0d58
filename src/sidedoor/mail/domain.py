"""Domain names as mail uses them: case-insensitive, no trailing dot, internationalised ones in both forms.

Comparison is by A-label in lower case (RFC 5890 section 2.3.2.1); the U-label is kept for people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# RFC 1035 section 2.3.4: 63 octets a label, 255 a name (253 as text).
_MAX_LABEL, _MAX_NAME = 63, 253
_MAX_TEXT = 4 * _MAX_NAME  # U-labels may be longer than their A-labels while unmapped; more is not worth encoding
# Letters, digits, hyphen; underscore too, because devices and DNS owners use it and Exchange takes it.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?", re.ASCII)


class DomainError(ValueError):
    """The text is no domain name; the message says why."""


@dataclass(frozen=True, slots=True, order=True)
class Domain:
    """A domain name in comparable form.

    `ascii` is the A-label form in lower case without trailing dot: `xn--bcher-kva.example`.
    Build it with `parse_domain`.
    """

    ascii: str

    def __str__(self) -> str:
        return self.ascii

    @property
    def unicode(self) -> str:
        """The U-label form for display; the A-label form where decoding fails."""
        if "xn--" not in self.ascii:
            return self.ascii
        import idna

        try:
            return idna.decode(self.ascii)
        except (idna.IDNAError, UnicodeError):
            return self.ascii

    def is_under(self, ancestor: Domain) -> bool:
        """Whether this is a proper subdomain: `a.contoso.com` under `contoso.com`, never `notcontoso.com`."""
        return self.ascii.endswith("." + ancestor.ascii)

    def is_at_or_under(self, ancestor: Domain) -> bool:
        """Whether this is `ancestor` itself or a subdomain of it."""
        return self.ascii == ancestor.ascii or self.is_under(ancestor)


def parse_domain(text: str) -> Domain:
    """Parse one domain name, ASCII or internationalised.

    Raises DomainError where the text is empty, has an empty or over-long label, or a forbidden character.
    """
    name = text.strip().removesuffix(".")
    if len(name) > _MAX_TEXT:
        raise DomainError(f"a domain name of {len(name)} characters; {_MAX_NAME} is the most")
    if not name:
        raise DomainError("an empty domain name")
    name = name.lower() if name.isascii() else _to_ascii(name)
    if len(name) > _MAX_NAME:
        raise DomainError(f"a domain name of {len(name)} characters; {_MAX_NAME} is the most")
    for label in name.split("."):
        if len(label) > _MAX_LABEL or not _LABEL.fullmatch(label):
            raise DomainError(f"{label[:80]!r} is no label of a domain name")
    return Domain(name)


def _to_ascii(name: str) -> str:
    """A-labels of an internationalised name (RFC 5891; UTS 46 mapping folds case and width, as MTAs do).

    Label by label, because idna would refuse the underscore in the ASCII ones: `_dmarc.bücher.example`.
    """
    import idna

    try:
        labels = idna.uts46_remap(name, std3_rules=False, transitional=False).removesuffix(".").split(".")
        return ".".join(label if label.isascii() else idna.alabel(label).decode("ascii") for label in labels).lower()
    except (idna.IDNAError, UnicodeError) as error:
        raise DomainError(f"{name[:80]!r} is no internationalised domain name ({error})") from error
