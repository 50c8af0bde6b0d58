"""Authentication-Results (RFC 8601) and ARC-Authentication-Results (RFC 8617), in both forms that occur.

Exchange Online names no authserv-id, writes `action=` without a property type, and gives its own verdict as a method:
`spf=fail (sender IP is 192.0.2.66) smtp.mailfrom=contoso.com; dkim=none (message not signed) header.d=none;dmarc=fail
action=oreject header.from=contoso.com;compauth=fail reason=010` (Microsoft, "Anti-spam message headers").
Who wrote a field is for the caller to know: anybody can put one into a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

MAX_RESULTS = 16_384
"""Characters of one unfolded field."""
_MAX_METHODS = 200
_MAX_DEPTH = 16
_BLANK = re.compile(r"\s*")
_KEY = re.compile(r'[^\s()";=]+')
_BARE = re.compile(r'[^\s();"]+')
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
# What most fields are made of, in one step each: blanks and `;`, a flat comment, `key=value`, a word of no pair.
_STEP = re.compile(
    r"\s++|(?P<end>;)|\((?P<comment>[^()\\]*+)\)|(?P<key>[^\s()\";=]++)=(?P<value>[^\s();\"]++)"
    r"|(?P<word>[^\s()\";=]++)(?=\s*+(?:\Z|[^\s=(]))"
)
_PARENTHESES = re.compile(r"[()]|\\.", re.DOTALL)
_PLAIN = re.compile(r"[!#-'*-:<>-\[\]-~]+")  # needs no quotes: no blank, ( ) ; = \ or "


class AuthResultsError(ValueError):
    """The text is no Authentication-Results field that could be read; the message says why."""


class Result(StrEnum):
    """Result words in use (RFC 8601 section 2.7, and Microsoft's own)."""

    PASS = "pass"  # noqa: S105 - the check succeeded
    FAIL = "fail"  # it failed
    SOFTFAIL = "softfail"  # SPF ~all
    NEUTRAL = "neutral"  # SPF ?all; DKIM: no usable signature
    NONE = "none"  # nothing to check
    POLICY = "policy"  # good, and not accepted by local policy
    TEMPERROR = "temperror"  # DNS did not answer; a later try may succeed
    PERMERROR = "permerror"  # a record or signature that cannot be read
    BESTGUESSPASS = "bestguesspass"  # Microsoft: no DMARC record, and it would have passed
    SOFTPASS = "softpass"  # Microsoft, compauth: implicit pass of low confidence
    HARDFAIL = "hardfail"  # RFC 5451's word for fail


class Property(NamedTuple):
    """`smtp.mailfrom=contoso.com`: ptype `smtp`, name `mailfrom`. Microsoft's `action=none` has the ptype ""."""

    ptype: str
    name: str
    value: str


class MethodResult(NamedTuple):
    """What one method found. `method` and `word` in lower case, the word as written if it is none of `Result`."""

    method: str
    word: str
    version: int | None = None
    reason: str | None = None
    comments: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()

    @property
    def result(self) -> Result | None:
        """The word as one of the known ones; None for another (RFC 8601 section 2.7.7: to be ignored)."""
        try:
            return Result(self.word)
        except ValueError:
            return None

    def value(self, ptype: str, name: str) -> str | None:
        """The first property of that name, or None."""
        return next((each.value for each in self.properties if (each.ptype, each.name) == (ptype, name)), None)


@dataclass(frozen=True, slots=True)
class AuthResults:
    """One field. `authserv_id` None is Microsoft's form; `instance` is ARC's `i=`, None elsewhere."""

    results: tuple[MethodResult, ...] = ()
    authserv_id: str | None = None
    version: int | None = None
    instance: int | None = None

    def of(self, method: str) -> tuple[MethodResult, ...]:
        """The results of one method: DKIM has one for each signature."""
        return tuple(result for result in self.results if result.method == method)

    def __str__(self) -> str:
        """The field's value in RFC 8601's form; reads back as the same value."""
        head = [f"i={self.instance}"] if self.instance is not None else []
        if self.authserv_id is not None:
            head.append(_printed(self.authserv_id) + (f" {self.version}" if self.version is not None else ""))
        return "; ".join([*head, *(map(_print_result, self.results) if self.results else ["none"])])


def parse_authentication_results(text: str) -> AuthResults:
    """Read one unfolded value of Authentication-Results or ARC-Authentication-Results.

    Raises AuthResultsError where it is too long, nested too deep, or holds nothing of the kind.
    """
    if len(text) > MAX_RESULTS:
        raise AuthResultsError(f"{len(text):,} characters of results; {MAX_RESULTS:,} is the most")
    segments = _Scanner(text).segments()
    instance = _take_instance(segments)
    server, version = _take_server(segments)
    results = tuple(result for segment in segments if segment.pairs and (result := _result(segment)) is not None)
    if not results and server is None and not any(segment.words == ["none"] for segment in segments):
        raise AuthResultsError(f"{text[:80]!r} has no result")
    return AuthResults(results, server, version, instance)


@dataclass(slots=True)
class _Segment:
    """What stands between two semicolons: `key=value` pairs, words without `=`, comments."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


class _Scanner:
    """One pass over the text; every step moves on."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._unclosed = False  # once a quote has no end, the rest are plain characters: nothing is scanned twice

    def segments(self) -> list[_Segment]:
        found = [_Segment()]
        while self._at < len(self._text):
            step = _STEP.match(self._text, self._at)
            if step is None:
                self._odd(found[-1])
                continue
            self._at = step.end()
            match step.lastgroup:
                case "value":
                    found[-1].pairs.append((step["key"], step["value"]))
                case "comment":
                    found[-1].comments.append(step["comment"])
                case "word":
                    found[-1].words.append(step["word"])
                case "end":
                    found.append(_Segment())
                    if len(found) > _MAX_METHODS:
                        raise AuthResultsError(f"more than {_MAX_METHODS} results")
        return found

    def _odd(self, segment: _Segment) -> None:
        """What takes more than one step: nested comments, quotes, blanks around `=`."""
        self._skip(segment)
        if self._at < len(self._text) and self._text[self._at] != ";":
            self._word(segment)

    def _word(self, segment: _Segment) -> None:
        """A pair, a word, or a stray character."""
        if (quoted := self._quoted()) is not None:
            segment.words.append(quoted)
            return
        key = _KEY.match(self._text, self._at)
        if key is None:
            self._at += 1
            return
        self._at = key.end()
        self._skip(segment)
        if self._text[self._at : self._at + 1] != "=":
            segment.words.append(key[0])
            return
        self._at += 1
        self._skip(segment)
        segment.pairs.append((key[0], self._value()))

    def _value(self) -> str:
        quoted = self._quoted()  # a quoted local part may be followed by its @domain (RFC 8601 section 2.2, pvalue)
        bare = _BARE.match(self._text, self._at)
        if bare:
            self._at = bare.end()
        return (quoted or "") + (bare[0] if bare else "")

    def _quoted(self) -> str | None:
        if self._unclosed or self._text[self._at : self._at + 1] != '"':
            return None
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            self._unclosed = True
            return None
        self._at = match.end()
        return _unescaped(match[1])

    def _skip(self, segment: _Segment) -> None:
        """Blanks and comments (RFC 5322 section 3.2.2, CFWS)."""
        while True:
            blank = _BLANK.match(self._text, self._at)
            self._at = blank.end() if blank else self._at
            if self._text[self._at : self._at + 1] != "(":
                return
            segment.comments.append(self._comment())

    def _comment(self) -> str:
        depth, start = 0, self._at + 1
        for match in _PARENTHESES.finditer(self._text, self._at):
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth > _MAX_DEPTH:
                raise AuthResultsError(f"comments nested more than {_MAX_DEPTH} deep")
            if depth == 0:
                self._at = match.end()
                return _unescaped(self._text[start : match.start()])
        self._at = len(self._text)  # nobody closes it: the rest of the field is comment
        return _unescaped(self._text[start:])


def _unescaped(text: str) -> str:
    """Quoted pairs resolved (RFC 5322 section 3.2.1)."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def _take_instance(segments: list[_Segment]) -> int | None:
    """ARC's `i=1;` in front (RFC 8617 section 4.1.1); `i` is no method."""
    pairs = segments[0].pairs
    if not segments[0].words and len(pairs) == 1 and pairs[0][0].lower() == "i" and _number(pairs[0][1]) is not None:
        segments.pop(0)
        segments.extend([] if segments else [_Segment()])
        return _number(pairs[0][1])
    return None


def _take_server(segments: list[_Segment]) -> tuple[str | None, int | None]:
    """authserv-id and its version; Microsoft's form begins with a result instead."""
    words = segments[0].words
    if not words or (words == ["none"] and not segments[0].pairs):
        return None, None
    version = _number(words[1]) if len(words) > 1 else None
    return words[0], version


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _result(segment: _Segment) -> MethodResult | None:
    (method, word), *rest = segment.pairs
    name, _, version = method.partition("/")
    if not name or not word:
        return None
    reason = next((value for key, value in rest if key.lower() == "reason"), None)
    named = [(key.lower(), value) for key, value in rest if key.strip(".")]
    properties = tuple(_property(key, value) for key, value in named if key != "reason")
    return MethodResult(
        name.lower(), word.lower(), _number(version), reason, tuple(map(str.strip, segment.comments)), properties
    )


def _property(key: str, value: str) -> Property:
    ptype, _, name = key.rpartition(".")
    return Property(ptype, name, value)


def _printed(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'


def _print_result(result: MethodResult) -> str:
    parts = [f"{result.method}{'' if result.version is None else f'/{result.version}'}={_printed(result.word)}"]
    parts += ["(" + re.sub(r"([()\\])", r"\\\1", comment) + ")" for comment in result.comments]
    parts += [] if result.reason is None else [f"reason={_printed(result.reason)}"]
    parts += [f"{each.ptype}{'.' * bool(each.ptype)}{each.name}={_printed(each.value)}" for each in result.properties]
    return " ".join(parts)
