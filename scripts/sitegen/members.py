"""What a closed word means: the comment on its line in the code."""

from __future__ import annotations

import inspect
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from enum import Enum

from sitegen.text import code, prose, table


class UnexplainedError(ValueError):
    """A word, a setting or a column of which the code does not say what it means."""


def comments(kind: type) -> Mapping[str, str]:
    """Name -> the comment at the end of its line, for the assignments of a class."""
    found: dict[str, str] = {}
    name, depth = "", 0
    for token in tokenize.generate_tokens(io.StringIO(inspect.getsource(kind)).readline):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.string, 0) if token.type == tokenize.OP else 0
        if token.type == tokenize.NAME and depth == 0 and re.match(rf"\s*{token.string}\b\s*[:=]", token.line):
            name = token.string
        elif token.type == tokenize.COMMENT and name:
            found.setdefault(name, token.string.lstrip("# "))
    return found


def meanings(kind: type[Enum]) -> Iterator[tuple[str, str]]:
    """(value, meaning) of each member. Raises UnexplainedError."""
    said = comments(kind)
    for member in kind:
        if member.name not in said:
            raise UnexplainedError(f"{kind.__module__}.{kind.__name__}.{member.name} has no comment on its line")
        value = member.value if isinstance(member.value, str) else member.name.lower().replace("_", "-")
        yield value, said[member.name]


def enum_table(kind: type[Enum], up: str = "../") -> str:
    """A table of a closed set of words."""
    return table(("word", "meaning"), ((code(value), prose(text, up)) for value, text in meanings(kind)))
