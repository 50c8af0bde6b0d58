"""Workspaces: made, found side by side, held by one run at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sidedoor.cli.main import main
from sidedoor.errors import InputError, UsageError
from sidedoor.watch.workspace import open_workspace, workspaces


@pytest.fixture
def made(tmp_path: Path) -> Path:
    assert main(["init", "contoso.com", "-o", str(tmp_path / "contoso")]) == 0
    return tmp_path / "contoso"


def test_a_workspace_is_its_owners_alone(made: Path) -> None:
    workspace = open_workspace(made)
    assert workspace.name == "contoso.com"
    assert made.stat().st_mode & 0o077 == 0
    assert all((made / name).is_dir() for name in ("inbox", "settings", "history", "bounces", "report"))
    assert workspace.store_url == f"sqlite:///{made.as_posix()}/sidedoor.db"


def test_it_is_not_made_twice_nor_over_something_else(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "contoso.com", "-o", str(made)]) == 2
    assert "is a workspace already" in capsys.readouterr().err
    (made.parent / "file").write_text("")
    assert main(["init", "contoso.com", "-o", str(made.parent / "file")]) == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["contoso..com"], 2),
        (["contoso.com", "--store", "postgresql://user:secret@host/db"], 2),
        (["münchen.example", "--store", "env:STORE"], 0),
    ],
)
def test_what_may_be_said(arguments: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", *arguments, "-o", str(tmp_path / "w")]) == code
    assert "secret" not in capsys.readouterr().err


def test_workspaces_side_by_side(tmp_path: Path) -> None:
    for name in ("fabrikam.com", "contoso.com"):
        assert main(["init", name, "-o", str(tmp_path / name)]) == 0
    both = [tmp_path / "contoso.com", tmp_path / "fabrikam.com"]
    assert workspaces([tmp_path]) == both
    assert workspaces([both[0], tmp_path]) == both
    with pytest.raises(InputError, match="no workspace"):
        workspaces([tmp_path / "contoso.com" / "inbox"])


def test_one_run_at_a_time(made: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sidedoor.watch.workspace import open_workspace\n"
        "with open_workspace(Path(sys.argv[1])).running(): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(made)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match="another run is under way"), open_workspace(made).running():
            pass
        other.kill()
        other.wait()
    with open_workspace(made).running():  # a run that was killed holds nothing
        pass


def test_a_store_elsewhere_comes_from_the_environment(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (made / "sidedoor.toml").write_text('domain = "contoso.com"\n[store]\nurl = "env:SIDEDOOR_STORE"\n')
    with pytest.raises(UsageError, match="SIDEDOOR_STORE"):
        _ = open_workspace(made).store_url
    monkeypatch.setenv("SIDEDOOR_STORE", "postgresql+psycopg://u:p@localhost/x")
    assert open_workspace(made).store_url == "postgresql+psycopg://u:p@localhost/x"
