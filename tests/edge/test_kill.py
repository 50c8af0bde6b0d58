"""`kill -9` under load: nothing that was acknowledged is lost (scripts/kill_run.py kills more often)."""

from __future__ import annotations

from pathlib import Path

from tests.edge.kill_kit import run


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    result = run(tmp_path, kills=6)
    assert result.lost == []
    assert result.said > 20
    # Twice only where the crash came between the next hop's 250 and our note of it: at most those under way.
    assert result.doubled <= result.kills * 20
