"""The edge, the rule and the audit of the edge's own history never differ (scripts/zero_difference.py runs more)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.edge.difference_kit import Authority, run


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.mark.parametrize("seed", range(8))
def test_forecast_and_behaviour_are_one(tmp_path: Path, authority: Authority, seed: int) -> None:
    count = run(tmp_path, seed, 60, authority)
    assert count.differences == []
    assert count.envelopes > 150
