"""Macro strings and domain-specs of SPF records (RFC 7208 section 7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
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
_EXPLAINED = re.compile(rf"(?:{_EXPLAIN})|(?:{_LITERAL}| )+", re.IGNORECASE | re.ASCII)
_ESCAPES = {"%%": "%", "%_": " ", "%-": "%20"}
_MAX_NAME = 253
MAX_EXPLANATION = 1000  # characters; an SMTP reply line holds 512 octets (RFC 5321 section 4.5.3.1.5)
Values = Callable[[str], str | None]  # macro letter, lower case -> what it stands for; None where that is not known


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

    @property
    def letters(self) -> frozenset[str]:
        """The macro letters in it, lower case."""
        return frozenset(match["letter"].lower() for match in _MACRO.finditer(self.text))

    def expand(self, domain: str, sender_domain: str, version: int, message: Values | None = None) -> str | None:
        """The target name, in lower case without trailing dot; None where it depends on what is not known.

        `domain` is the domain whose record this is (%{d}), `sender_domain` that of the envelope sender (%{o}),
        `version` 4 or 6 (%{v}). Local part, address, HELO name and reverse name are the message's (section 7.2).
        """
        own = {"d": domain, "o": sender_domain, "v": version_name(version)}

        def value(letter: str) -> str | None:
            return own[letter] if letter in own else message and message(letter)

        name = _expanded(_PIECES.findall(self.text), value)
        return None if name is None else _shorten(name.lower().removesuffix("."))


def version_name(version: int) -> str:
    """What %{v} stands for."""
    return "in-addr" if version == 4 else "ip6"


def expand_explanation(text: str, values: Values) -> str | None:
    """The explanation that an exp record holds (section 6.2), cut at 1,000 characters; None where it is none."""
    pieces = _EXPLAINED.findall(text)
    if "".join(pieces) != text:
        return None
    expanded = _expanded(pieces, values, MAX_EXPLANATION, from_left=True)
    return None if expanded is None else expanded[:MAX_EXPLANATION]


def _expanded(pieces: list[str], values: Values, enough: int = 2 * _MAX_NAME, *, from_left: bool = False) -> str | None:
    """The pieces with their macros replaced, as far as `enough` characters need: a name is cut on its left anyway."""
    macros = {piece: macro for piece in set(pieces) if (macro := _MACRO.fullmatch(piece))}
    known = {letter: values(letter) for letter in {macro["letter"].lower() for macro in macros.values()}}
    if None in known.values():
        return None
    shown = {piece: _transform(known[macro["letter"].lower()] or "", macro) for piece, macro in macros.items()}
    parts: list[str] = []
    length = 0
    order: Iterable[str] = pieces if from_left else reversed(pieces)
    for piece in order:
        parts.append(shown[piece] if piece in shown else _ESCAPES.get(piece, piece))
        length += len(parts[-1])
        if length > enough:
            break
    return "".join(parts if from_left else reversed(parts))


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
