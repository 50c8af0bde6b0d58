"""Patterns for host names and texts, matched in linear time: there is no regular expression to blow up.

`*` is any run of characters, `?` any one, `#` one hexadecimal digit (device names end in hardware addresses).
Case does not count. Host patterns come in three shapes:

    sendgrid.net        dots, no wildcard: that name or any below it, on label boundaries
    brn############     no dots: the first label, whatever domain follows
    o?.em.*.example     dots and wildcards: the whole name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from sidedoor.mail.domain import DomainError, parse_domain

_WILD = frozenset("*?#")
_HEX = frozenset("0123456789abcdef")
_LITERALS = 3  # a pattern with fewer fixed characters would name strangers
_LONGEST_NAME = 253  # RFC 1035 section 2.3.4, as text
_LONGEST_TEXT = 200  # programs name themselves in fewer characters; the rest is not looked at
_MOST_STARS = 4

Owner = TypeVar("Owner")


class PatternError(ValueError):
    """The text is no pattern; the message says why."""


class Shape(Enum):
    """How a host pattern is compared."""

    SUFFIX = "suffix"  # the name or any below it
    LABEL = "label"  # a glob for the first label
    WHOLE = "whole"  # a glob for the whole name


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A pattern for host and domain names, lower case."""

    text: str
    shape: Shape

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class TextPattern:
    """A glob for a whole text, lower case."""

    text: str

    def __str__(self) -> str:
        return self.text


def host_pattern(text: str) -> HostPattern:
    """Read a host pattern. Raises PatternError where it is malformed or would match nearly anything."""
    wild = not _WILD.isdisjoint(text)
    if "." not in text:
        return HostPattern(_glob(text), Shape.LABEL)
    if text.startswith(("*.", ".")):
        raise PatternError(f"{text[:80]!r}: write the domain alone; names below it match anyway")
    if wild:
        if not _WILD.isdisjoint(text.rpartition(".")[2]) or "*" in text.split(".")[-2]:
            raise PatternError(f"{text[:80]!r}: the last two labels may hold no `*`")
        return HostPattern(_glob(text), Shape.WHOLE)
    try:
        return HostPattern(parse_domain(text).ascii, Shape.SUFFIX)
    except DomainError as error:
        raise PatternError(str(error)) from error


def text_pattern(text: str) -> TextPattern:
    """Read a glob for texts. Raises PatternError where it would match nearly anything."""
    return TextPattern(_glob(text))


def _glob(text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise PatternError(f"a pattern of {len(text)} characters; {_LONGEST_TEXT} is the most")
    fixed = sum(1 for sign in text if sign not in "*?")
    letters = sum(1 for sign in text if sign.isalnum())
    if fixed < _LITERALS or letters < 2 or text.count("*") > _MOST_STARS:
        raise PatternError(f"{text!r}: at least {_LITERALS} fixed characters and at most {_MOST_STARS} `*`")
    return text.lower()


def glob_matches(pattern: str, text: str) -> bool:
    """Whether a glob matches a whole text, both lower case; time grows with the product of their lengths at worst."""
    parts = pattern.split("*")
    if len(parts) == 1:
        return len(text) == len(pattern) and _at(pattern, text, 0)
    first, *middle, last = parts
    end = len(text) - len(last)
    if end < len(first) or not _at(first, text, 0) or not _at(last, text, end):
        return False
    place = len(first)
    for part in middle:
        found = next((at for at in range(place, end - len(part) + 1) if _at(part, text, at)), None)
        if found is None:
            return False
        place = found + len(part)
    return True


def _at(part: str, text: str, place: int) -> bool:
    for offset, sign in enumerate(part, place):
        found = text[offset]
        if sign not in (found, "?") and not (sign == "#" and found in _HEX):
            return False
    return True


def comparable_name(text: str) -> str:
    """A host or domain name in lower case A-labels without trailing dot or brackets; "" for what is none."""
    name = text.strip("[]<> \t").removesuffix(".")
    if len(name) > _LONGEST_NAME:
        return ""
    if name.isascii():
        return name.lower()
    try:
        return parse_domain(name).ascii
    except DomainError:
        return ""


def comparable_text(text: str) -> str:
    """A text as patterns see it: lower case, blanks trimmed, its first 200 characters."""
    return text[:_LONGEST_TEXT].strip().lower()


class Globs(Generic[Owner]):
    """Globs by their first character; those that begin with a wildcard are asked of every text."""

    def __init__(self, rows: Iterable[tuple[str, Owner]]) -> None:
        self._rows: dict[str, list[tuple[str, Owner]]] = {}
        for pattern, owner in rows:
            self._rows.setdefault("" if pattern[0] in _WILD else pattern[0], []).append((pattern, owner))

    def find(self, text: str) -> Iterator[tuple[str, Owner]]:
        """Patterns that match, with whose they are."""
        for key in (text[:1], ""):
            for pattern, owner in self._rows.get(key, ()) if text else ():
                if glob_matches(pattern, text):
                    yield pattern, owner


class Hosts(Generic[Owner]):
    """Host patterns of many owners. Of the suffixes of a name only the longest that is known counts."""

    def __init__(self, rows: Iterable[tuple[HostPattern, Owner]]) -> None:
        by_shape: dict[Shape, list[tuple[str, Owner]]] = {shape: [] for shape in Shape}
        for pattern, owner in rows:
            by_shape[pattern.shape].append((pattern.text, owner))
        self._suffixes: dict[str, list[Owner]] = {}
        for suffix, owner in by_shape[Shape.SUFFIX]:
            self._suffixes.setdefault(suffix, []).append(owner)
        self._labels, self._whole = Globs(by_shape[Shape.LABEL]), Globs(by_shape[Shape.WHOLE])

    def find(self, name: str) -> Iterator[tuple[str, Owner]]:
        """Patterns that match a comparable name, with whose they are."""
        suffix, owners = self.owners(name)
        for owner in owners:
            yield suffix, owner
        yield from self._labels.find(name.partition(".")[0])
        yield from self._whole.find(name)

    def owners(self, name: str) -> tuple[str, list[Owner]]:
        """The longest known suffix of a name on label boundaries, and its owners; `("", [])` for none."""
        rest = name
        while rest:
            if rest in self._suffixes:
                return rest, self._suffixes[rest]
            rest = rest.partition(".")[2]
        return "", []
