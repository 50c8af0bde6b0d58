"""Macro strings and domain-specs of SPF records (RFC 7208 section 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

_LITERAL = r"[!-$&-~]"  # macro-literal: visible ASCII but "%"
# macro-expand of a domain-spec: the letters c, r and t belong to explanations only (section 7.2).
_EXPAND = r"%\{[slodiphv](?!0+[r.+,/_=}-])[0-9]*r?[.\-+,/_=]*\}|%%|%_|%-"
_EXPLAIN = _EXPAND.replace("slodiphv", "slodiphvcrt")
_TOPLABEL = r"(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])"
MACRO_STRING = re.compile(rf"(?:{_LITERAL}|{_EXPLAIN})*", re.IGNORECASE | re.ASCII)
_PIECES = re.compile(rf"(?:{_EXPAND})|{_LITERAL}+", re.IGNORECASE | re.ASCII)
_TAIL = re.compile(rf"\.{_TOPLABEL}\.?", re.IGNORECASE | re.ASCII)
_MACRO = re.compile(r"%\{(?P<letter>[a-z])(?P<keep>[0-9]*)(?P<reverse>r?)(?P<cut>[^}]*)\}", re.IGNORECASE | re.ASCII)
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}
_MAX_NAME = 253


class MacroError(ValueError):
    """The text is no domain-spec."""


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A domain name with or without macros, as written."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def has_macros(self) -> bool:
        """Whether anything in it must be expanded."""
        return "%" in self.text

    def expand(self, domain: str, sender_domain: str, version: int) -> str | None:
        """The target name, in lower case without trailing dot; None where it depends on the message.

        `domain` is the domain whose record this is (%{d}), `sender_domain` that of the envelope sender (%{o}),
        `version` 4 or 6 (%{v}). Local part, address, HELO name and reverse name are the message's (section 7.2).
        """
        values = {"d": domain, "o": sender_domain, "v": "in-addr" if version == 4 else "ip6"}
        parts: list[str] = []
        for piece in _PIECES.findall(self.text):
            macro = _MACRO.fullmatch(piece)
            if macro is None:
                parts.append(_ESCAPES.get(piece, piece))
            elif macro["letter"].lower() in values:
                parts.append(_transform(values[macro["letter"].lower()], macro))
            else:
                return None
        return _shorten("".join(parts).lower().removesuffix("."))


def parse_domain_spec(text: str) -> DomainSpec:
    """Parse `domain-spec = macro-string domain-end` (section 7.1). Raises MacroError."""
    pieces = _PIECES.findall(text)
    if not text or "".join(pieces) != text:
        raise MacroError(f"{text[:80]!r} holds something that is neither a macro nor part of a domain name")
    if not pieces[-1].startswith("%"):
        # The literal at the end must close with a dot and a top-level label that is no number.
        cut = pieces[-1].removesuffix(".").rfind(".")
        if cut < 0 or not _TAIL.fullmatch(pieces[-1], cut):
            raise MacroError(f"{text[:80]!r} does not end in a top-level domain")
    return DomainSpec(text)


def _transform(value: str, macro: re.Match[str]) -> str:
    """Split, reverse, keep the right-hand parts, join with dots, escape (section 7.3)."""
    labels = re.split(f"[{re.escape(macro['cut'] or '.')}]", value)
    if macro["reverse"]:
        labels.reverse()
    if macro["keep"]:
        labels = labels[-int(macro["keep"][:4]) :]
    joined = ".".join(labels)
    return quote(joined, safe="-._~") if macro["letter"].isupper() else joined


def _shorten(name: str) -> str:
    """Drop labels on the left until the name fits into 253 characters (section 7.3)."""
    while len(name) > _MAX_NAME and "." in name:
        name = name.partition(".")[2]
    return name
