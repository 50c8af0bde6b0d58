"""Records where an engine keeps them: a folder of Parquet in three parts, made of raw exports by `normalise`.

    PLACE/kind=record/     a row per record, with the file it came from
    PLACE/kind=rejected/   a row per row of a file that could not be read
    PLACE/kind=source/     a row per file: its counts, what is remarkable about it, and how many files there are

`kind=` is how Hive, and so Spark, names parts. Whether all is there shows in the numbers themselves: every file has
its row, and as many records and rejected rows as that says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidedoor.audit.engine.staging import TEXT_FACTS

RECORD_KIND, REJECTED_KIND, SOURCE_KIND = "record", "rejected", "source"
# Column -> type, in the words of Ibis. `source` names the file, `format` what that file is.
RECORD: Mapping[str, str] = {
    "key": "string",
    "received_at": "timestamp(6)",
    **dict.fromkeys(TEXT_FACTS, "string"),
    "tenant_id": "string",
    "source": "string",
    "format": "string",
}
REJECTED: Mapping[str, str] = {
    "source": "string", "number": "int32", "row": "int64", "why": "string", "text": "string",
}  # fmt: skip
SOURCE: Mapping[str, str] = {
    "source": "string",
    "format": "string",
    "number": "int32",
    "inputs": "int32",
    **dict.fromkeys(("rows", "rejected", "records", "expanded"), "int64"),
    "note": "string",
    "remark": "string",
    "announces": "boolean",
    "skipped": "string",
    "error": "string",
}
KINDS: Mapping[str, Mapping[str, str]] = {RECORD_KIND: RECORD, REJECTED_KIND: REJECTED, SOURCE_KIND: SOURCE}
# What all three are written as at first.
ALL: Mapping[str, str] = {"kind": "string", **RECORD, **REJECTED, **SOURCE}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One file. rows, rejected, records, expanded: as in `staging.Staged`.

    number: its place among the `inputs`. note: what became of it; remark: what is remarkable about it. announces:
    whether it says that a further page exists. skipped: why it is none of a history; error: why the whole run must end.
    """

    source: str
    format: str
    number: int
    inputs: int
    rows: int
    rejected: int
    records: int
    expanded: int
    note: str = ""
    remark: str = ""
    announces: bool = False
    skipped: str = ""
    error: str = ""
