"""The command group: help without heavy imports, errors as one line and an exit code."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest

from sidedoor.cli import main as shell
from sidedoor.errors import InputError, UnreachableError, UsageError

HEAVY = ("duckdb", "jinja2", "dns", "rich", "ijson", "sidedoor.audit", "sidedoor.policy", "importlib.metadata")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sidedoor.cli.main", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from sidedoor.cli.main import main; code = main(['--help']); "
        f"bad = [name for name in {HEAVY!r} if name in sys.modules]; print(bad, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    for name, (_, summary) in shell.COMMANDS.items():
        assert name in done.stdout
        assert summary[:30] in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["no-such"], 2),
        (["check", "--no-such"], 2),
        (["check"], 2),
        (["check", "-h"], 0),
    ],
)
def test_exit_codes_of_usage(arguments: list[str], code: int) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["check"])
def test_commands_are_where_the_table_says(name: str) -> None:
    module, _, attribute = shell.COMMANDS[name][0].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def failing(error: BaseException) -> click.Command:
    """A group whose one command fails in one way."""

    @click.group()
    @click.option("--debug", is_flag=True)
    def group(debug: bool) -> None: ...

    @group.command("fail")
    def fail() -> None:
        raise error

    return group


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("not so"), 2, "error: not so"),
        (InputError("a.csv", "nothing", "a header", 1), 3, "error: a.csv, line 1: found nothing; expected a header"),
        (UnreachableError("nobody there"), 4, "error: nobody there"),
        (InputError("\x1b[31m.csv", "x", "y"), 3, "error: \\x1b[31m.csv"),
        (FileNotFoundError(2, "No such file or directory", "gone.json"), 3, "error: gone.json: No such file"),
        (ZeroDivisionError("division by zero"), 70, "error: internal: ZeroDivisionError"),
        (RecursionError("deep"), 70, "error: internal: RecursionError"),
        (KeyboardInterrupt(), 130, ""),
        (click.Abort(), 130, ""),
    ],
)
def test_every_error_becomes_a_line_and_a_code(
    error: BaseException, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(["fail"], failing(error)) == code
    shown = capsys.readouterr().err
    assert shown.startswith(told)
    assert "Traceback" not in shown


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.main(["--debug", "fail"], failing(ZeroDivisionError("x"))) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_command_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(shell.COMMANDS, "ghost", ("sidedoor.cli.ghost:ghost_command", "Not there."))
    assert shell.main(["ghost"]) == 2
    assert "no 'ghost'" in capsys.readouterr().err
    assert shell.main(["--help"]) == 0


def test_a_reader_that_goes_away() -> None:
    code = "import sys; from sidedoor.cli.main import main; sys.exit(main(['--help']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert process.returncode == shell.EXIT_BROKEN_PIPE
    assert told == b""
