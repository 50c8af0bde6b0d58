"""Killed anywhere: at each write, each flush and each renaming; then the same command again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidedoor.exchange.parts import HIDDEN
from tests.exchange.fake_service import FakeClock, Service
from tests.exchange.kit import collect, keys


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Executioner:
    """Kills at the n-th flush or renaming, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.at, self.after = 0, -1, False
        for owner, name in ((os, "fsync"), (Path, "replace")):
            monkeypatch.setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*given: Any) -> Any:
            mine, self.count = self.count == self.at, self.count + 1
            if mine and not self.after:
                raise KilledError
            found = real(*given)
            if mine:
                raise KilledError
            return found

        return watched


def run(folder: Path, clock: FakeClock) -> Service:
    service = Service(260, clock, crowd=7, page=100)
    collect(folder, service, clock, details=4, days=12)
    return service


def test_killed_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executioner = Executioner(monkeypatch)
    truth = run(tmp_path / "whole", FakeClock())
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("*-*.csv")}
    details = json.loads((tmp_path / "whole" / "MessageTraceDetailV2.json").read_text())
    assert len(details) == 4
    steps = executioner.count
    assert steps > 50
    for at in range(steps):
        folder, clock = tmp_path / str(at), FakeClock()
        executioner.count, executioner.at, executioner.after = 0, at, bool(at % 2)
        with pytest.raises(KilledError):
            run(folder, clock)
        left = folder / "collection.json"
        # Whoever looks now is told that something is missing, or nothing is, or there is nothing at all.
        if left.exists() and json.loads(left.read_text())["complete"]:
            assert {path.name: path.read_bytes() for path in folder.glob("*-*.csv")} == whole
        assert left.exists() or not list(folder.glob("*.csv"))
        executioner.at = -1
        run(folder, clock)
        assert json.loads(left.read_text())["complete"] is True
        assert {path.name: path.read_bytes() for path in folder.glob("*-*.csv")} == whole
        assert json.loads((folder / "MessageTraceDetailV2.json").read_text()) == details
    assert len(truth.rows) == 260


def test_a_step_half_written_is_forgotten(tmp_path: Path) -> None:
    clock = FakeClock()
    service = Service(260, clock, page=100)
    asked = 0

    def answer(request: Any) -> Any:
        nonlocal asked
        asked += b"MessageTraceV2" in request.content
        if asked == 12:
            raise KilledError
        return service(request)

    with pytest.raises(KilledError):
        collect(tmp_path, answer, clock)
    [part] = [path for path in (tmp_path / HIDDEN).glob("*.part") if path.stat().st_size]
    with part.open("ab") as stream:
        stream.write(b'"half a li')
    missing, _ = collect(tmp_path, service, clock)
    assert missing == []
    assert sorted(keys(tmp_path)) == sorted((row["MessageTraceId"], row["RecipientAddress"]) for row in service.rows)


def test_all_is_for_its_owner_alone_even_in_a_folder_that_is_not(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    run(tmp_path, FakeClock())
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert {path.stat().st_mode & 0o077 for path in files} == {0}


def test_a_folder_that_cannot_be_written_and_a_state_that_is_none(tmp_path: Path) -> None:
    from sidedoor.errors import InputError, OutputError, UsageError
    from sidedoor.exchange.parts import Store

    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError), Store(tmp_path / "file" / "below"):
        pass
    hidden = tmp_path / "folder" / HIDDEN
    hidden.mkdir(parents=True)
    for text in (
        "",
        "[]",
        "{",
        '{"schema": "sidedoor/collect-state/1", "plan": {}, "parts": {"x": {"bytes": "many"}}}',
    ):
        (hidden / "state.json").write_text(text)
        with Store(tmp_path / "folder") as store, pytest.raises(InputError):
            store.load()
    with Store(tmp_path / "folder"), pytest.raises(UsageError, match="another collection"), Store(tmp_path / "folder"):
        pass
