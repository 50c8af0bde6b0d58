"""Engines by name: `duckdb`, `spark` (with its master behind a colon), or the URL of an Ibis back end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sidedoor.audit.engine.database import open_database
from sidedoor.audit.engine.portable.engine import Store
from sidedoor.errors import UsageError

_EXPECTED = "duckdb, spark, spark:MASTER, or the URL of a back end of Ibis"


@contextmanager
def open_engine(name: str, scratch: Path, place: str) -> Iterator[Store]:
    """The engine, for as long as the block. scratch: a folder of this machine; place: where records lie, or will."""
    kind, _, rest = name.partition(":")
    if name == "duckdb":
        from sidedoor.audit.engine.portable.duckdb import DuckDBEngine

        with open_database(scratch) as database:
            yield DuckDBEngine(database)
    elif kind == "spark":
        from sidedoor.audit.engine.portable.spark import open_spark

        master = name if rest.startswith("//") else rest  # spark://host:7077 is a master itself
        with open_spark(master, f"{place.rstrip('/')}-kept-{uuid4().hex[:8]}") as spark:
            yield spark
    elif "://" in name:
        from sidedoor.audit.engine.portable.any_ibis import open_ibis

        with open_ibis(name) as other:
            yield other
    else:
        raise UsageError(f"--engine: found {name!r}; expected {_EXPECTED}")
