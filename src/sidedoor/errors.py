"""The errors Sidedoor raises on purpose, and the exit code each becomes at the command line.

SidedoorError               anything a user can be told in one sentence
├── UsageError              2   the command was put together wrongly
├── OutputError             2   what was to be written cannot be: no folder, no right, no room
├── InputError              3   a file cannot be read: file, line, found, expected
└── UnreachableError        4   tenant or network did not answer

Each module that parses raises a subclass of InputError or a ValueError of its own family
(`mail.domain.DomainError`, ...); nothing else reaches a user without `--debug`.
"""

from __future__ import annotations


class SidedoorError(Exception):
    """Base of every error meant for a person; `str()` is a complete sentence."""

    exit_code = 70


class UsageError(SidedoorError):
    """The question itself is wrong: options that do not go together, a value that is no value."""

    exit_code = 2


class OutputError(SidedoorError):
    """A file that cannot be written where the user wants it; `str()` names it and why."""

    exit_code = 2


class InputError(SidedoorError):
    """A file that cannot be read as what it claims to be.

    `found` and `expected` are short phrases; `line` is 1-based, None where lines mean nothing.
    """

    exit_code = 3

    def __init__(self, path: str, found: str, expected: str, line: int | None = None) -> None:
        where = path if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: found {found}; expected {expected}")
        self.path, self.found, self.expected, self.line = path, found, expected, line


class UnreachableError(SidedoorError):
    """The tenant, or a server it needs, did not answer in time."""

    exit_code = 4
