"""The tables of the store, where this version has one: columns, types and what they refer to."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from sitegen.text import code, plain, table

PATH = "reference/store-tables.md"
_HEAD = """# Tables of the store

What is decided and what was seen is kept in these tables, in SQLite or in PostgreSQL. They are Sidedoor's own: other
programs read them by the API, not here. The columns can change with each version, which `alembic` carries over.
"""


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page; nothing where there is no store."""
    try:
        metadata: Any = importlib.import_module("sidedoor.store.schema").METADATA
    except ModuleNotFoundError as error:
        if (error.name or "") != "sidedoor.store.schema":
            raise
        return
    parts = [_HEAD]
    for each in metadata.sorted_tables:
        parts += [f"## {code(each.name)}\n", table(("column", "type", "may be empty", "key"), _rows(each))]
    yield PATH, "\n".join(parts)


def _rows(each: Any) -> Iterator[tuple[str, str, str, str]]:
    for column in each.columns:
        refers = [code(key.target_fullname) for key in column.foreign_keys]
        keys = ["primary"] * bool(column.primary_key) + [f"refers to {name}" for name in refers]
        yield code(column.name), plain(str(column.type)), "yes" if column.nullable else "no", ", ".join(keys)
