"""Records in folders that this machine sees, read from raw exports by this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.audit.engine.normalise import RawFile, normalise
from sidedoor.errors import OutputError, UsageError
from sidedoor.evidence.interface import ReadOptions

if TYPE_CHECKING:
    import pyarrow.parquet as pq


def normalise_here(files: Sequence[RawFile], options: ReadOptions, place: str) -> None:
    """See `engine.Store`. One file after the other, each with all threads."""
    folder = _folder(place)
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise OutputError(f"{place}: there is something already") from error
    except OSError as error:
        raise OutputError(f"{place}: cannot be made ({error.strerror})") from error
    for file in files:
        _write_parts(file, options, folder)


def _write_parts(file: RawFile, options: ReadOptions, folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writers: dict[str, pq.ParquetWriter] = {}
    try:
        for batch in normalise(file, options):
            kind = batch.column("kind")[0].as_py()
            if kind not in writers:
                path = folder / f"kind={kind}" / f"part-{file.number:08d}.parquet"
                path.parent.mkdir(exist_ok=True)
                writers[kind] = pq.ParquetWriter(path, batch.schema, compression="zstd", compression_level=1)
            writers[kind].write_table(pa.Table.from_batches([batch]))
    finally:
        for writer in writers.values():
            writer.close()


def listed(folder: str) -> list[tuple[str, int]]:
    """See `engine.Store`."""
    place = _folder(folder)
    found = sorted(place.rglob("*")) if place.is_dir() else [place]
    return [(str(path), path.stat().st_size) for path in found if path.is_file()]


def parts_of(place: str, kind: str) -> list[Path]:
    """The files of one kind of rows."""
    return sorted((_folder(place) / f"kind={kind}").glob("*.parquet"))


def _folder(place: str) -> Path:
    scheme, found, path = place.partition("://")
    if not found:
        return Path(place)
    if scheme == "file":
        return Path(path)
    raise UsageError(f"{place}: this engine reads what this machine sees as files; --engine spark reads {scheme}")
