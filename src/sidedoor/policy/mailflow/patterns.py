"""Patterns of rules (.NET regular expressions, no regard to case) as RE2, which takes time linear in the text.

A rule's pattern meets a text that an attacker writes; a backtracking engine could be held for hours by `(a+)+$`. A time
limit would need a clock, which the policy has not. RE2 cannot express what needs backtracking (look-around, back
references, atomic groups): a rule with such a pattern is named as unsupported.

RE2 reads some of .NET's syntax differently; every construct is therefore translated by a table, and what is not in the
table is refused. https://learn.microsoft.com/dotnet/standard/base-types/regular-expression-language-quick-reference
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sidedoor.mail.fact import Fact, Unknown

MAX_PATTERN = 2_048
"""Characters of one pattern; a whole rule has 8 KB in Exchange Online."""
_MAX_MEMORY = 8 << 20  # octets of RE2's tables for one pattern
_NOT_ASCII = Unknown(r"\b in a pattern is exact for ASCII text only")

# .NET's classes are Unicode, RE2's are ASCII. Inner parts of a bracket, and negated.
_CLASSES: Mapping[str, str] = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{Mn}\p{Nd}\p{Pc}",
    "s": r"\t\n\v\f\r\x{85}\p{Z}",
}
_LETTERS: Mapping[str, str] = {
    **{letter: rf"\{letter}" for letter in "tnvfrabB"},
    "A": r"\A",
    "z": r"\z",
    "Z": r"\z",  # before a last line end too; a header value has none
    "e": r"\x{1b}",
}
_ANYWHERE = frozenset("tnvfre")  # of these, what may stand in brackets too
_GROUP = re.compile(
    r"\(\?(?:(?P<name><[A-Za-z_]\w{0,60}>|'[A-Za-z_]\w{0,60}')|(?P<flags>[ims]{0,3}(?:-[ims]{1,3})?)(?P<end>[:)]))"
)
_CATEGORY = re.compile(r"\\[pP]\{(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[co]?)\}")
_CODE = re.compile(r"\\(?:x(?P<two>[0-9A-Fa-f]{2})|u(?P<four>[0-9A-Fa-f]{4}))")
_REPEAT = re.compile(r"\{[0-9]{1,4}(?:,[0-9]{0,4})?\}")


class PatternError(ValueError):
    """The pattern cannot be translated, or is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `ascii_only`: it asks for word boundaries, which RE2 knows in ASCII only."""

    source: str
    regex: Any  # re2 has no types
    ascii_only: bool

    def search(self, text: str) -> Fact[bool]:
        """Whether the pattern occurs in the text. Linear in the text."""
        if self.ascii_only and not text.isascii():
            return _NOT_ASCII
        clean = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
        return self.regex.search(clean) is not None


def compile_pattern(source: str) -> Pattern:
    """Compile a .NET pattern. Raises PatternError where it needs what RE2 has not, and without google-re2."""
    translated = translate(source)
    try:
        import re2
    except ImportError as error:
        raise PatternError("patterns need google-re2, which is in the extra `edge`") from error
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.max_mem = False, False, _MAX_MEMORY
    try:
        regex = re2.compile(translated, options)
    except re2.error as error:
        what = error.args[0] if error.args else error
        text = what.decode("utf-8", "replace") if isinstance(what, bytes) else str(what)
        raise PatternError(f"the pattern {source[:80]!r}: {text[:120]}") from error
    return Pattern(source, regex, ascii_only=r"\b" in translated or r"\B" in translated)


def translate(source: str) -> str:
    """A .NET pattern in RE2's syntax. Raises PatternError."""
    if not source or len(source) > MAX_PATTERN:
        raise PatternError(f"a pattern of {len(source):,} characters; 1 to {MAX_PATTERN:,} are taken")
    return "".join(_parts(source))


def _parts(source: str) -> Iterator[str]:
    at = 0
    while at < len(source):
        part, at = _part(source, at)
        yield part


def _part(source: str, at: int) -> tuple[str, int]:
    """One construct translated, and the place behind it."""
    match source[at]:
        case "\\":
            return _escape(source, at, in_brackets=False)
        case "[":
            return _brackets(source, at)
        case "(" if source.startswith("(?", at):
            return _group(source, at)
        case "{":
            return _repeat(source, at)
        case character:
            return _literal(character), at + 1


def _literal(character: str) -> str:
    if "\ud800" <= character <= "\udfff":
        raise PatternError("a lone surrogate in a pattern")
    return character


def _repeat(source: str, at: int) -> tuple[str, int]:
    repeat = _REPEAT.match(source, at)
    if repeat is None:  # .NET reads `{` as itself where no count follows
        return r"\{", at + 1
    return repeat[0], repeat.end()


def _group(source: str, at: int) -> tuple[str, int]:
    group = _GROUP.match(source, at)
    if group is None:
        raise PatternError(f"the pattern {source[:80]!r} has {source[at : at + 4]!r}, which would need backtracking")
    if group["name"]:  # nothing asks for a group by its name
        return "(", group.end()
    if not group["flags"] and group["end"] == ")":
        raise PatternError(f"the pattern {source[:80]!r} has an empty group of options")
    return f"(?{group['flags']}{group['end']}", group.end()


def _escape(source: str, at: int, *, in_brackets: bool) -> tuple[str, int]:
    letter = source[at + 1 : at + 2]
    if letter.lower() in _CLASSES and letter:
        return _class(letter, in_brackets=in_brackets), at + 2
    if letter in _LETTERS and (not in_brackets or letter in _ANYWHERE):
        return _LETTERS[letter], at + 2
    if in_brackets and letter == "b":  # a backspace there
        return r"\x{8}", at + 2
    if code := _CODE.match(source, at):
        return rf"\x{{{_scalar(code['two'] or code['four'])}}}", code.end()
    if category := _CATEGORY.match(source, at):
        return category[0], category.end()
    if letter and not letter.isalnum() and letter != "_" and letter.isascii():
        return re.escape(letter) if letter not in "\"'" else letter, at + 2
    raise PatternError(f"the pattern {source[:80]!r} has \\{letter}, which is not translated")


def _scalar(digits: str) -> str:
    if 0xD800 <= int(digits, 16) <= 0xDFFF:
        raise PatternError("half of a surrogate pair in a pattern")
    return digits


def _class(letter: str, *, in_brackets: bool) -> str:
    inner = _CLASSES[letter.lower()]
    if letter.islower():
        return inner if in_brackets else f"[{inner}]"
    if in_brackets:
        raise PatternError(f"\\{letter} within brackets is not translated")
    return f"[^{inner}]"


def _brackets(source: str, at: int) -> tuple[str, int]:
    """`[...]`: .NET can subtract classes (`[a-z-[aeiou]]`); the `[[:alpha:]]` of RE2 means something else there."""
    out, at = "[", at + 1
    if source.startswith("^", at):
        out, at = out + "^", at + 1
    first = at
    while at < len(source):
        character = source[at]
        if character == "]" and at > first:
            return out + "]", at + 1
        if character == "[":
            if source[at - 1] == "-" and at - 1 > first:
                raise PatternError(f"the pattern {source[:80]!r} subtracts a class")
            part, at = r"\[", at + 1
        elif character == "\\":
            part, at = _escape(source, at, in_brackets=True)
        else:
            part, at = (r"\]" if character == "]" else _literal(character)), at + 1
        out += part
    raise PatternError(f"the pattern {source[:80]!r} has a bracket that does not close")
