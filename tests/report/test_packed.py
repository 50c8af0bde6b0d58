"""Packed files: what was written is read, and whatever befell them since is our error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidedoor.errors import InputError
from sidedoor.report.packed import packed, unpacked

BODY = {"schema": "s/1", "rows": [["scan@contoso.com", number] for number in range(200)]}
WHOLE = packed(BODY)


def count(body: dict[str, Any]) -> int:
    return sum(number for _, number in body["rows"])


def test_what_was_packed_is_there_and_the_same_every_time(tmp_path: Path) -> None:
    assert unpacked(tmp_path / "a.gz", "s/1", "a file", count) is None
    (tmp_path / "a.gz").write_bytes(WHOLE)
    assert unpacked(tmp_path / "a.gz", "s/1", "a file", count) == sum(range(200))
    assert packed(BODY) == WHOLE


@pytest.mark.parametrize("rows", [None, 1, "x", [1], [[1]], {"a": 1}])
def test_a_body_of_another_shape(rows: object, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(packed({"schema": "s/1", "rows": rows}))
    with pytest.raises(InputError, match=r"a\.gz"):
        unpacked(tmp_path / "a.gz", "s/1", "a file", count)


def test_another_schema_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(packed({"schema": "s/2"}))
    with pytest.raises(InputError, match="s/2"):
        unpacked(tmp_path / "a.gz", "s/1", "a file", count)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(WHOLE) - 1), put=st.binary(max_size=3), cut=st.booleans())
def test_damaged_anywhere(at: int, put: bytes, cut: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(WHOLE[:at] + put + (b"" if cut else WHOLE[at + len(put) :]))
    try:
        assert unpacked(path, "s/1", "a file", count) == sum(range(200))
    except InputError as error:
        assert str(path) in str(error)  # noqa: PT017  # most damage is found, some is none (the header's time)
