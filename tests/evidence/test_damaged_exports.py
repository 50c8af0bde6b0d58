"""A sample with bytes changed gives records, rejected rows or an InputError, and loses no row on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.evidence.interface import CsvShape, ReadOptions
from sidedoor.evidence.record import Record, RejectedRow
from sidedoor.evidence.registry import recognise

DATA = Path(__file__).parent.parent / "data" / "evidence"
SAMPLES = sorted(path.name for path in DATA.iterdir() if path.name != "truth.json")
EDITS = st.lists(
    st.tuples(
        st.integers(0, 40_000), st.sampled_from(["change", "insert", "cut", "end"]), st.binary(min_size=1, max_size=3)
    ),
    min_size=1,
    max_size=4,
)


def damaged(content: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    for place, kind, what in edits:
        at = place % (len(content) + 1)
        after = {"change": at + len(what), "insert": at, "cut": at + 20, "end": len(content)}[kind]
        content = content[:at] + (what if kind in {"change", "insert"} else b"") + content[after:]
    return content


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(SAMPLES), edits=EDITS, stated=st.sampled_from([None, "en-US"]))
def test_damage_is_contained(
    tmp_path: Path, name: str, edits: list[tuple[int, str, bytes]], stated: str | None
) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(damaged((DATA / name).read_bytes(), edits))
    rows: list[int] = []
    try:
        recognised = recognise(path)
        if recognised is None:
            return
        for reading in recognised.read(ReadOptions(stated)):
            assert isinstance(reading, Record | RejectedRow)
            rows.append(reading.row)
        shape = recognised.csv(ReadOptions(stated)) if recognised.csv else None
    except InputError:
        return
    assert sorted(set(rows)) == list(range(1, len(set(rows)) + 1))
    assert rows == sorted(rows)
    assert shape is None or isinstance(shape, CsvShape)


@pytest.mark.parametrize("name", SAMPLES)
def test_half_a_file_is_contained(tmp_path: Path, name: str) -> None:
    content = (DATA / name).read_bytes()
    for part in (1, 2, 3, 7, len(content) // 2, len(content) - 3):
        path = tmp_path / "half"
        path.write_bytes(content[:part])
        try:
            recognised = recognise(path)
            readings = list(recognised.read(ReadOptions("en-US"))) if recognised else []
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        assert all(isinstance(reading, Record | RejectedRow) for reading in readings)
