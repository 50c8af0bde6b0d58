"""`sidedoor quarantine` on a spool, by the command line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidedoor.cli.main import main as run
from sidedoor.cli.quarantine import quarantine_command
from sidedoor.edge.spool.model import Held, Kept
from sidedoor.edge.spool.store import Store


def main(arguments: list[str]) -> int:
    """The command by itself."""
    return run(arguments[1:], quarantine_command)


NOW = datetime(2026, 11, 3, 8, 15, tzinfo=UTC)
CONTENT = b"Subject: \x1b[2Jgone \xe2\x80\xaetxt.exe\r\nFrom: x\r\n\r\nbody \x07\r\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    store = Store(tmp_path / "spool.db")
    held = [
        Held(Kept(name, NOW, "scan@contoso.com", ("a@contoso.com",), CONTENT), "rule 'Lock\x1b[31mdown'")
        for name in ("q1", "q2")
    ]
    store.add([], held)
    store.close()
    return tmp_path


def test_list_in_words_and_in_json(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "list", "--spool", str(spool)]) == 0
    words = capsys.readouterr().out
    assert "scan@contoso.com -> a@contoso.com" in words
    assert "\x1b" not in words
    assert all(len(line) <= 110 for line in words.splitlines())
    assert main(["quarantine", "list", "--json", "--spool", str(spool / "spool.db")]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["id"] for row in rows] == ["q1", "q2"]
    assert rows[0]["recipients"] == ["a@contoso.com"]


def test_show_is_safe_and_raw_is_whole(spool: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["quarantine", "show", "q1", "--spool", str(spool)]) == 0
    shown = capfdbinary.readouterr().out.decode()
    assert "Subject: " in shown
    assert not {"\x1b", "\u202e", "\x07"} & set(shown)
    assert main(["quarantine", "show", "q1", "--raw", "--spool", str(spool)]) == 0
    assert capfdbinary.readouterr().out == CONTENT


def test_release_and_delete(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quarantine", "release", "q1", "--spool", str(spool)]) == 0
    assert main(["quarantine", "delete", "q2", "--spool", str(spool)]) == 2
    assert main(["quarantine", "delete", "q2", "--yes", "--spool", str(spool)]) == 0
    assert main(["quarantine", "list", "--spool", str(spool)]) == 0
    assert "Nothing is held back." in capsys.readouterr().out
    store = Store(spool / "spool.db")
    assert [delivery.message.id for delivery in store.due(datetime.now(UTC), 10)] == ["q1"]
    store.close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["show", "q9"], 2), (["release", "q9"], 2), (["delete", "--yes", "q9"], 2), (["release"], 2)],
)
def test_what_is_not_there(spool: Path, arguments: list[str], code: int) -> None:
    assert main(["quarantine", *arguments, "--spool", str(spool)]) == code


def test_what_is_no_spool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.db").write_bytes(b"something else altogether, and long enough to be looked at")
    assert main(["quarantine", "list", "--spool", str(tmp_path)]) == 3
    assert main(["quarantine", "list", "--spool", str(tmp_path / "other.db")]) == 3
    assert "spool" in capsys.readouterr().err
