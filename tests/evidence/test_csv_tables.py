"""CSV tables: dialects, row numbers, and broken rows that break nothing but themselves."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.record import RejectedRow
from sidedoor.evidence.tables import Layout, iter_rows, layout_of

Row = tuple[int, list[str]] | RejectedRow


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows_of(folder: Path, text: str | bytes) -> list[Row]:
    path = written(folder, text)
    layout = layout_of(path)
    assert layout is not None
    return list(iter_rows(path, layout))


LAYOUTS = [
    ("a,b\n1,2\n", Layout(",", ("a", "b"), 0)),
    ("a;b\n1;2\n", Layout(";", ("a", "b"), 0)),
    ("a\tb\r\n1\t2\r\n", Layout("\t", ("a", "b"), 0)),
    ('"a","b, c"\n1,2\n', Layout(",", ("a", "b, c"), 0)),
    ("#TYPE Selected.System.Management.Automation.PSCustomObject\r\na,b\r\n", Layout(",", ("a", "b"), 1)),
    ('#TYPE X\n"a";"b"\n', Layout(";", ("a", "b"), 1)),
    ("sep=;\na;b\n", Layout(";", ("a", "b"), 1)),
    ("\n\na,b\n", Layout(",", ("a", "b"), 2)),
    ("\ufeffa,b\n", Layout(",", ("a", "b"), 0)),
]


@pytest.mark.parametrize(("text", "layout"), LAYOUTS)
def test_layout(tmp_path: Path, text: str, layout: Layout) -> None:
    assert layout_of(written(tmp_path, text)) == layout


@pytest.mark.parametrize(
    "text", ["", "word\n", "just a line of text", "one column,another\0\n", "x" * 70_000 + ",b\n", '"a,b\n']
)
def test_no_table(tmp_path: Path, text: str) -> None:
    assert layout_of(written(tmp_path, text)) is None


def test_a_header_of_thousands_of_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2,000 columns"):
        layout_of(written(tmp_path, ",".join(f"c{number}" for number in range(2_000))))


def reject(number: int, why: str) -> RejectedRow:
    return RejectedRow(number, why, "")


BROKEN: list[tuple[str, list[Row]]] = [
    ("1,2\n\n3,4\n", [(1, ["1", "2"]), (2, ["3", "4"])]),
    ('1,"two\nlines"\n3,4\n', [(1, ["1", "two\nlines"]), (2, ["3", "4"])]),
    ('1,"a ""b"" c"\n', [(1, ["1", 'a "b" c'])]),
    (
        "1\n2,3\n4,5,6\n",
        [reject(1, "1 cells; the header has 2"), (2, ["2", "3"]), reject(3, "3 cells; the header has 2")],
    ),
    # an opened quote nobody closes costs its own row only
    ('1,"two\n3,4\n5,6\n', [reject(1, "its quotes do not fit"), (2, ["3", "4"]), (3, ["5", "6"])]),
    # two opened quotes: neither may swallow what is between them
    (
        '1,"two\n3,4\n5,"six\n7,8\n',
        [reject(1, "its quotes do not fit"), (2, ["3", "4"]), reject(3, "its quotes do not fit"), (4, ["7", "8"])],
    ),
    ('1,"two"x\n3,4\n', [reject(1, "its quotes do not fit"), (2, ["3", "4"])]),
    ("1,\0\n3,4\n", [reject(1, "a NUL character"), (2, ["3", "4"])]),
    ("1," + "x" * 65_537 + "\n3,4\n", [reject(1, "a cell or line of more than 65,536 characters"), (2, ["3", "4"])]),
    ("1," + "x" * 2_000_000 + "\n3,4\n", [reject(1, "a cell or line of more than 65,536 characters"), (2, ["3", "4"])]),
    ("1,2", [(1, ["1", "2"])]),
]


@pytest.mark.parametrize(("body", "rows"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_row_breaks_nothing_but_itself(tmp_path: Path, body: str, rows: list[Row]) -> None:
    found = [
        row._replace(text="") if isinstance(row, RejectedRow) else row for row in rows_of(tmp_path, "a,b\n" + body)
    ]
    assert found == rows


def test_the_excerpt_of_a_rejected_row_is_short(tmp_path: Path) -> None:
    (row,) = rows_of(tmp_path, "a,b\n" + "x" * 5_000 + "\n")
    assert isinstance(row, RejectedRow)
    assert len(row.text) == 500


def test_bytes_of_another_encoding_are_an_error_that_says_so(tmp_path: Path) -> None:
    text = b"a,b\n" + b"1,2\n" * 40_000 + b"\xff\xff,2\n"
    try:
        rows = rows_of(tmp_path, text)
    except InputError as error:
        assert "encoding" in str(error)  # noqa: PT017
    else:
        assert len(rows) == 40_001


def test_a_row_of_empty_cells_between_tabs_is_a_row_and_a_blank_line_is_none(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a\tb\tc\n1\t2\t3\n\t\t\n\n \t \t \n\t\n4\t5\t6\n")
    assert rows == [(1, ["1", "2", "3"]), (2, ["", "", ""]), (3, [" ", " ", " "]), (4, ["4", "5", "6"])]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(
    table=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8)
    ),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
)
def test_what_is_printed_is_parsed_again(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str, quoting: int
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")  # type: ignore[arg-type]
    header = [f"c{number}" for number in range(len(table[0]))]
    writer.writerow(header)
    writer.writerows(table)
    rows = rows_of(tmp_path_factory.mktemp("csv"), out.getvalue())
    kept = [row for row in table if any(cell.strip() for cell in row) or quoting == csv.QUOTE_ALL or len(row) > 1]
    assert rows == [(number, row) for number, row in enumerate(kept, 1)]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='a1,;"\n\r\0 é', max_size=120))
def test_any_text_below_a_header_gives_numbered_rows(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    header = "a" * 200 + ",b\n"  # long enough that stray NULs do not make it look like UTF-16
    rows = rows_of(tmp_path_factory.mktemp("csv"), header + body)
    numbers = [row.row if isinstance(row, RejectedRow) else row[0] for row in rows]
    assert numbers == list(range(1, len(rows) + 1))
    assert all(isinstance(row, RejectedRow) or len(row[1]) == 2 for row in rows)
