"""TOML files that people write: bounded, and every complaint names file, line, what was found and what was expected."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from sidedoor.errors import InputError
from sidedoor.mail.domain import DomainError, parse_domain

E = TypeVar("E", bound=Enum)
Convert = Callable[[object], Any]
Keys = Mapping[str, Convert]
_MOST_TEXT = 1_000
_MOST_ITEMS = 10_000
_MOST_SHOWN = 60


class TomlValueError(ValueError):
    """What a key holds is not what it should: `found` and `expected`."""

    def __init__(self, found: object, expected: str) -> None:
        super().__init__(expected)
        self.found = repr(found)[:_MOST_SHOWN]
        self.expected = expected


class TomlFile:
    """One file, parsed; `body` its tables, `text` as it was read. `line` finds the line that a key stands on."""

    def __init__(self, text: str, path: str, what: str) -> None:
        """Parse. `what` describes the file in complaints: "a plan.toml (docs/plan.md)". Raises InputError."""
        self._lines, self.path, self.text = text.splitlines(), path, text
        try:
            self.body: Mapping[str, Any] = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            match = re.search(r"line (\d+)", str(error))
            line = int(match[1]) if match else None
            raise InputError(path, f"no TOML ({str(error)[:100]})", what, line) from error

    @classmethod
    def read(cls, path: Path, what: str, most_bytes: int = 1 << 20) -> TomlFile:
        """Read a file. Raises InputError."""
        try:
            with path.open("rb") as stream:
                data = stream.read(most_bytes + 1)
            text = data.decode("utf-8-sig")
        except OSError as error:
            raise InputError(str(path), f"nothing to read ({error.strerror})", what) from error
        except UnicodeDecodeError as error:
            raise InputError(str(path), "no UTF-8", what) from error
        if len(data) > most_bytes:
            raise InputError(str(path), f"more than {most_bytes >> 20} MB", what)
        return cls(text, str(path), what)

    def table(self, where: Sequence[str], value: object, keys: Keys) -> dict[str, Any]:
        """A table's values, converted; a key that is not known is refused. Raises InputError."""
        if not isinstance(value, dict):
            raise self.error(where, repr(value)[:_MOST_SHOWN], f"a table [{'.'.join(where)}]")
        return {key: self.value((*where, key), key, item, keys) for key, item in value.items()}

    def value(self, where: Sequence[str], key: str, item: object, keys: Keys) -> Any:
        """One value, converted. Raises InputError."""
        if key not in keys:
            raise self.error(where, f"the key {key[:_MOST_SHOWN]!r}", ", ".join(keys))
        try:
            return keys[key](item)
        except TomlValueError as problem:
            raise self.error(where, f"{key} = {problem.found}", problem.expected) from problem

    def part(self, name: str, keys: Keys) -> dict[str, Any]:
        """The table [name], {} where there is none. Raises InputError."""
        return self.table((name,), self.body.get(name, {}), keys)

    def only(self, names: Sequence[str]) -> None:
        """Refuse what stands on top and is none of `names`. Raises InputError."""
        for name in self.body:
            if name not in names:
                raise self.error((name,), f"the key {name[:_MOST_SHOWN]!r}", ", ".join(names))

    def error(self, where: Sequence[str], found: str, expected: str) -> InputError:
        """A complaint with the key's line."""
        return InputError(self.path, found, expected, self.line(*where))

    def line(self, *where: str) -> int:
        """A key's line, from 1: after the header of its table, where the file is written with headers."""
        start = 0
        for depth in range(len(where), 0, -1):
            header = re.compile(r"\s*\[{1,2}\s*" + r"\s*\.\s*".join(_quoted(part) for part in where[:depth]) + r"\s*\]")
            at = next((number for number, line in enumerate(self._lines) if header.match(line)), None)
            if at is not None:
                start = at
                break
        key = re.compile(rf"\s*{_quoted(where[-1])}\s*=")
        return next((number for number in range(start, len(self._lines)) if key.match(self._lines[number])), start) + 1


def _quoted(part: str) -> str:
    return rf"[\"']?{re.escape(part)}[\"']?"


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise TomlValueError(value, "true or false")
    return value


def text(value: object) -> str:
    """A text."""
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise TomlValueError(value, "a text")
    return value


def texts(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or len(value) > _MOST_ITEMS:
        raise TomlValueError(value, "a list of texts")
    return tuple(map(text, value))


def whole(low: int, high: int) -> Convert:
    """A whole number from `low` to `high`."""

    def convert(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise TomlValueError(value, f"a whole number from {low:,} to {high:,}")
        return value

    return convert


def number(low: float, high: float) -> Convert:
    """A number from `low` to `high`."""

    def convert(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise TomlValueError(value, f"a number from {low:g} to {high:g}")
        return float(value)

    return convert


def one_of(kind: type[E]) -> Convert:
    """A member of an enum by its value."""

    def convert(value: object) -> E:
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(str(member.value) or '""' for member in kind)
            raise TomlValueError(value, f"one of {names}") from None

    return convert


def domain_name(value: object) -> str:
    """A domain, as A-label."""
    try:
        return parse_domain(text(value)).ascii
    except DomainError as error:
        raise TomlValueError(value, "a domain name") from error


def anything(value: object) -> object:
    """What somebody else looks at."""
    return value
