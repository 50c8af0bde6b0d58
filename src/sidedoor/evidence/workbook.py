"""XLSX workbooks: hunting results that somebody saved from Excel. Needs openpyxl, the extra `sidedoor[xlsx]`."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException

from sidedoor.errors import InputError
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.sources import Cells, fold, unique
from sidedoor.evidence.tables import MAX_COLUMNS

_MAX_UNPACKED = 2 << 30
_MAX_ROWS = 1 << 20  # Excel's own limit
# What a damaged workbook makes zipfile, zlib, the XML parser and openpyxl raise.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ParseError, DefusedXmlException, OSError, EOFError, ValueError, TypeError, KeyError,
    IndexError, AttributeError, RuntimeError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkbookSource:
    """The first sheet of a workbook, its first row being the header."""

    path: Path
    header: tuple[str, ...]

    @property
    def columns(self) -> frozenset[str]:
        return frozenset(map(fold, self.header)) - {""}

    def rows(self) -> Iterator[tuple[int, Cells] | RejectedRow]:
        names = unique([fold(name) for name in self.header])
        number = 0
        for row in islice(_sheet_rows(self.path, len(self.header)), 1, None):
            if all(cell is None for cell in row):
                continue
            number += 1
            yield number, dict(zip(names, ("" if cell is None else cell for cell in row), strict=False))


def open_archive(path: Path) -> WorkbookSource:
    """The workbook inside a file that begins like a ZIP. Raises InputError for any other ZIP, and without openpyxl."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except _DAMAGE as error:
        raise InputError(str(path), "a damaged ZIP archive", "a text export or an XLSX workbook") from error
    if "xl/workbook.xml" not in names:
        raise InputError(str(path), "a ZIP archive", "the export itself; unpack it first")
    if unpacked > _MAX_UNPACKED:
        raise InputError(str(path), f"a workbook of {unpacked:,} bytes unpacked", f"at most {_MAX_UNPACKED:,}")
    header = [str(cell or "") for cell in next(_sheet_rows(path, MAX_COLUMNS), ())]
    while header and not header[-1]:
        header.pop()
    return WorkbookSource(path, tuple(header))


def _sheet_rows(path: Path, width: int) -> Iterator[tuple[object, ...]]:
    """Rows of the first sheet, each padded or cut to `width` cells."""
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        expected = "a CSV or JSON export, or openpyxl to be installed: pip install 'sidedoor[xlsx]'"
        raise InputError(str(path), "an XLSX workbook", expected) from error
    try:
        with path.open("rb") as handle:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "no default style" and the like: nothing a person could act on
                book = load_workbook(handle, read_only=True, data_only=True)
            # A row number in the XML may claim any gap; openpyxl would fill it row by row.
            for number, row in enumerate(book.worksheets[0].iter_rows(max_col=width, values_only=True)):
                if number == _MAX_ROWS:
                    raise InputError(str(path), f"a workbook of more than {_MAX_ROWS:,} rows", "at most Excel's limit")
                yield row
    except _DAMAGE as error:
        raise InputError(str(path), f"a damaged workbook ({type(error).__name__})", "an XLSX workbook") from error
