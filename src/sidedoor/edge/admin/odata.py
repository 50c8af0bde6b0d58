"""The `$filter` of Graph's message traces, understood as the service does: what it does not know it ignores.

Documented: `eq`, `ge` with `le` on receivedDateTime, and contains, startsWith, endsWith on subject (list messageTraces,
Microsoft Graph v1.0). Measured by others: `or`, `in`, `ne` and `not` are ignored without an error, of several values of
one property the last counts, and the text functions are ignored on addresses. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<mark>[(),])|(?P<word>[A-Za-z_][A-Za-z_]*(?![\w]))|(?P<value>[\w:.+-]+))"
)
_EQUAL = frozenset({"id", "senderAddress", "recipientAddress", "messageId", "fromIP", "toIP", "status", "subject"})
_TIME = "receivedDateTime"
_FUNCTIONS = frozenset({"contains", "startsWith", "endsWith"})
_MOST_TOKENS = 2_000


class FilterError(ValueError):
    """What the service answers 400; the message says why."""


@dataclass(slots=True)
class Filter:
    """equal: the last value of each property. since, until: of receivedDateTime, as written. subject: by function."""

    equal: dict[str, str] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None
    subject: dict[str, str] = field(default_factory=dict)


def parse_filter(text: str) -> Filter:
    """Raises FilterError."""
    tokens = _tokens(text)
    reading = _Reading(tokens)
    while reading.more():
        reading.clause(Filter() if reading.skip("not") else reading.found)
    return reading.found


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(found) >= _MOST_TOKENS:
            raise FilterError(f"Syntax error at position {at} in the filter.")
        found.append(match[0].strip())
        at = match.end()
    return found


class _Reading:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0
        self.found = Filter()

    def more(self) -> bool:
        """Past what joins clauses; whether there is another."""
        while self._at < len(self._tokens) and self._tokens[self._at] in {"and", "or", "(", ")"}:
            self._at += 1
        return self._at < len(self._tokens)

    def skip(self, token: str) -> bool:
        """Whether it stands here; it is passed over."""
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False

    def clause(self, into: Filter) -> None:
        """A comparison, a function, a list; or all that stands in brackets behind `not`."""
        if self.skip("("):
            while self._at < len(self._tokens) and not self.skip(")"):
                if self.more():
                    self.clause(Filter())
            return
        name = self._take()
        if name in _FUNCTIONS:
            self._function(name, into)
        elif name in _EQUAL or name == _TIME:
            self._comparison(name, into)
        else:
            raise FilterError(f"Could not find a property named '{name[:60]}' on type 'exchangeMessageTrace'.")

    def _take(self, wanted: str = "") -> str:
        if self._at >= len(self._tokens):
            raise FilterError("Syntax error: the filter ends too early.")
        token = self._tokens[self._at]
        if wanted and token != wanted:
            raise FilterError(f"Syntax error: '{wanted}' expected, '{token[:60]}' found.")
        self._at += 1
        return token

    def _function(self, name: str, into: Filter) -> None:
        self._take("(")
        where = self._take()
        self._take(",")
        value = _literal(self._take())
        self._take(")")
        if where == "subject":
            into.subject[name] = value

    def _comparison(self, name: str, into: Filter) -> None:
        operator = self._take()
        if operator == "in":
            self._take("(")
            while self._take() != ")":
                pass
        elif operator == "ne":
            self._take()
        elif name == _TIME and operator in {"ge", "le"}:
            value = self._take()
            if operator == "ge":
                into.since = value
            else:
                into.until = value
        elif name != _TIME and operator == "eq":
            into.equal[name] = _literal(self._take())
        else:
            raise FilterError(f"The operator '{operator[:20]}' is not supported for '{name}'.")


def _literal(token: str) -> str:
    if token in {"(", ")", ","}:
        raise FilterError(f"Syntax error: a value expected, '{token}' found.")
    return token[1:-1].replace("''", "'") if token.startswith("'") else token


def matches_empty(subject: Mapping[str, str]) -> bool:
    """Whether an empty subject would be found."""
    return not any(subject.values())
