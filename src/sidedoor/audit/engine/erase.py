"""A person's address taken out of the records of a history; another address of the same domain stands in its place."""

from __future__ import annotations

from pathlib import Path

from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.days import PARQUET
from sidedoor.mail.address import Address

_COLUMNS = ("envelope_sender", "listed_sender", "header_from", "recipient")


def erase(database: Database, part: Path, address: Address, mark: str) -> int:
    """Put `mark`@domain in place of the address, with any `+tag`, in one file of records; returns the rows changed."""
    local = address.local.strip('"').lower()
    domains = sorted({address.domain.ascii, address.domain.unicode})
    asked = [_is(column, local, domain) for column in _COLUMNS for domain in domains]
    source = f"read_parquet({literal(part)})"
    rows = int(database.scalar(f"SELECT count(*) FROM {source} WHERE {' OR '.join(asked)}"))
    if rows:
        changed = ", ".join(
            f"CASE WHEN {' OR '.join(_is(column, local, domain) for domain in domains)} "
            f"THEN {literal(f'{mark}@{address.domain.ascii}')} ELSE {column} END AS {column}"
            for column in _COLUMNS
        )
        partial = part.with_name(f".{part.name}.partial")
        database.run(f"COPY (SELECT * REPLACE ({changed}) FROM {source}) TO {literal(partial)} ({PARQUET})")
        partial.replace(part)
    return rows


def _is(column: str, local: str, domain: str) -> str:
    """SQL: whether an address, which records hold in lower case, is this one."""
    end = literal(f"@{domain}")
    tagged = f"(starts_with({column}, {literal(f'{local}+')}) AND ends_with({column}, {end}))"
    return f"coalesce({column} = {literal(f'{local}@{domain}')} OR {tagged}, false)"
