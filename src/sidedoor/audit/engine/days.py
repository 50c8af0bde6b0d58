"""A history kept by day: the records of a file, split by their day (UTC), each day's part a Parquet file.

A message that two sources place on two sides of midnight goes where its first record went, so that they still meet.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from sidedoor.audit.engine.columns import CLASSED
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.staging import STAGED, Staged

UNDATED = "undated"  # the day of records that tell no time
PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
KEPT = tuple(name for name in STAGED if name != "file")
# Two sources stamp one message at different points of its way through the service.
_BESIDE_MIDNIGHT = "INTERVAL 15 MINUTE"


def many(paths: Iterable[Path]) -> str:
    """SQL: a table expression over several Parquet files of the same columns."""
    return f"read_parquet([{', '.join(literal(path) for path in paths)}])"


def split(database: Database, staged: Staged, history: Path, name: str) -> tuple[str, ...]:
    """Put the records of one staged file into the folders of their days as `name`.parquet; returns the days.

    Parts of the same name are replaced: adding a file again after a crash changes nothing.
    """
    queries = [f"SELECT * FROM read_parquet({literal(path)})" for path in staged.parquets]
    queries += [staged.rest] if staged.rest else []
    if not queries:
        return ()
    define_incoming(database, queries)
    _meet_beside_midnight(database, history)
    parts = database.folder / f"parts-{name}"
    database.run(
        f"COPY (SELECT {', '.join(f'i.{column}' for column in KEPT)}, "
        "coalesce(strftime(coalesce(m.day, i.received_at::DATE), '%Y-%m-%d'), "
        f"'{UNDATED}') AS day FROM incoming i LEFT JOIN meeting m USING (key)) "
        f"TO {literal(parts)} ({PARQUET}, PARTITION_BY (day), FILENAME_PATTERN 'part_{{i}}')"
    )
    database.run("DROP VIEW incoming; DROP TABLE meeting")
    return tuple(sorted(_moved(database, folder, history, name) for folder in parts.iterdir()))


def define_incoming(database: Database, queries: Sequence[str]) -> None:
    """The view of all records, lacking columns as NULL."""
    kinds = {"received_at": "TIMESTAMP"}
    nothing = ", ".join(f"NULL::{kinds.get(name, 'VARCHAR')} AS {name}" for name in KEPT)
    classes = ", ".join(f"NULL::SMALLINT AS {name}" for name in CLASSED)
    union = " UNION ALL BY NAME ".join([f"SELECT {nothing}, {classes} WHERE false", *queries])
    database.run(f"CREATE TEMP VIEW incoming AS SELECT {', '.join(KEPT)} FROM ({union})")


def _meet_beside_midnight(database: Database, history: Path) -> None:
    """`meeting`: message -> the day beside its own where an earlier record of it lies."""
    database.run("CREATE TEMP TABLE meeting (key VARCHAR, day DATE)")
    database.run(
        "CREATE TEMP TABLE beside AS SELECT DISTINCT key, "
        f"(received_at - {_BESIDE_MIDNIGHT})::DATE AS before, (received_at + {_BESIDE_MIDNIGHT})::DATE AS after, "
        "received_at::DATE AS own FROM incoming "
        f"WHERE (received_at - {_BESIDE_MIDNIGHT})::DATE <> (received_at + {_BESIDE_MIDNIGHT})::DATE"
    )
    for (day,) in database.rows("SELECT DISTINCT CASE WHEN own = before THEN after ELSE before END FROM beside"):
        parts = sorted((history / str(day)).glob("*.part.parquet"))
        if parts:
            database.run(
                f"INSERT INTO meeting SELECT DISTINCT key, DATE {literal(str(day))} FROM {many(parts)} p "
                f"WHERE key IN (SELECT key FROM beside WHERE own <> DATE {literal(str(day))}) "
                "AND key NOT IN (SELECT key FROM meeting)"
            )
    database.run("DROP TABLE beside")


def _moved(database: Database, folder: Path, history: Path, name: str) -> str:
    """One day's part put in its place, whole; the day."""
    day = folder.name.removeprefix("day=")
    place = history / day
    place.mkdir(parents=True, exist_ok=True)
    files = sorted(folder.glob("*.parquet"))
    whole = files[0]
    if len(files) > 1:
        whole = folder / "whole"
        columns = ", ".join(KEPT)
        database.run(f"COPY (SELECT {columns} FROM {many(files)}) TO {literal(whole)} ({PARQUET})")
    partial = place / f".{name}.partial"
    shutil.move(whole, partial)
    partial.replace(place / f"{name}.part.parquet")
    return day


def records_tenants(database: Database, staged: Staged) -> tuple[str, ...]:
    """The tenant ids that the records of a staged file name."""
    found: set[str] = set()
    for path in staged.parquets:
        # What a file of one row per recipient keeps of each row has no such column.
        columns = {name for name, *_ in database.rows(f"DESCRIBE SELECT * FROM read_parquet({literal(path)})")}
        if "tenant_id" in columns:
            rows = database.rows(f"SELECT DISTINCT tenant_id FROM read_parquet({literal(path)}) WHERE tenant_id <> ''")
            found.update(tenant for (tenant,) in rows)
    return tuple(sorted(found))


def bring_home(database: Database, history: Path, days: Sequence[Path]) -> None:
    """Move records that tell no time to the day among `days` where others tell of the same message, if there is one.

    The day's file is whole before the undated one is shortened; a crash in between is mended by the next call.
    """
    undated = sorted((history / UNDATED).glob("*.part.parquet"))
    dated = [part for day in days if day.name != UNDATED for part in sorted(day.glob("*.part.parquet"))]
    if not undated or not dated:
        return
    database.run(
        "CREATE TEMP TABLE home AS SELECT key, min(received_at)::DATE AS day FROM "
        f"{many(dated)} WHERE received_at IS NOT NULL AND key IN (SELECT key FROM {many(undated)}) GROUP BY key"
    )
    for part in undated:
        for (day,) in database.rows(f"SELECT DISTINCT day FROM {many([part])} JOIN home USING (key)"):
            _join(database, part, history / str(day))
        if database.scalar(f"SELECT count(*) FROM {many([part])} WHERE key IN (SELECT key FROM home)"):
            stay = f"SELECT * FROM {many([part])} WHERE key NOT IN (SELECT key FROM home)"
            if database.scalar(f"SELECT count(*) FROM ({stay})"):
                _replace(database, part, stay)
            else:
                part.unlink()
    database.run("DROP TABLE home")


def _join(database: Database, part: Path, day: Path) -> None:
    """The records of an undated part whose home is `day`, put beside what that day has of it, each once."""
    homed = day / part.name.replace(".part.parquet", ".homed.part.parquet")
    columns = ", ".join(KEPT)
    query = f"SELECT {columns} FROM {many([part])} JOIN home USING (key) WHERE day = DATE {literal(day.name)}"
    if homed.exists():
        query = f"{query} UNION SELECT {columns} FROM {many([homed])}"
    _replace(database, homed, query)


def _replace(database: Database, path: Path, query: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    database.run(f"COPY ({query}) TO {literal(partial)} ({PARQUET})")
    partial.replace(path)
