"""Completion, as the shells themselves ask for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell

from sidedoor.cli.completion import SHELLS, VARIABLE
from sidedoor.cli.main import COMMANDS, main

BIN = Path(sys.executable).parent


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What is to be put into the shell's profile."""
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A shell, or `sidedoor`, that finds the installed program."""
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **variables}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def shell(name: str) -> str:
    """The shell's program, or the test is skipped by name."""
    found = shutil.which(name)
    if found is None or not (BIN / "sidedoor").exists():
        pytest.skip(f"no {name} here, or no installed sidedoor")
    return found


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["aud"], ["audit"]),
        (["completion", ""], list(SHELLS)),
        (["watch", "--res"], ["--results"]),
        (["alerts", "sno"], ["snooze"]),
    ],
)
def test_bash_completes(capsys: pytest.CaptureFixture[str], words: list[str], wanted: list[str]) -> None:
    typed = " ".join(f"'{word}'" for word in ["sidedoor", *words])
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words)}; _sidedoor_completion sidedoor"
    asked += '; printf "%s\\n" "${COMPREPLY[@]}"'
    done = run(shell("bash"), "--norc", "-c", f"{script('bash', capsys)}\n{asked}")
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if line] == wanted


def test_fish_completes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = tmp_path / "sidedoor.fish"
    made.write_text(script("fish", capsys))
    done = run(shell("fish"), "--no-config", "-c", f"source {made}; complete -C 'sidedoor aud'", HOME=str(tmp_path))
    assert done.stdout == f"audit\t{COMMANDS['audit'][1]}\n", done.stderr


def test_zsh_takes_it_and_is_answered(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = tmp_path / "_sidedoor"
    made.write_text(script("zsh", capsys))
    done = run(shell("zsh"), "-n", str(made))
    assert (done.returncode, done.stderr) == (0, "")
    told = run(str(BIN / "sidedoor"), **{VARIABLE: "zsh_complete", "COMP_WORDS": "sidedoor aud", "COMP_CWORD": "1"})
    assert told.stdout.splitlines() == ["plain", "audit", COMMANDS["audit"][1]]


def test_powershell_takes_it_and_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    grammar = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    assert not grammar.parse(script("powershell", capsys).encode()).root_node.has_error
    asked = {VARIABLE: "powershell_complete", "SIDEDOOR_WORDS": "sidedoor\nalerts", "SIDEDOOR_WORD": "sno"}
    told = run(sys.executable, "-m", "sidedoor", **asked)
    ((kind, value, about),) = (line.split("\t") for line in told.stdout.splitlines())
    assert (kind, value) == ("plain", "snooze")
    assert about


@pytest.mark.parametrize(
    "asked",
    [
        {VARIABLE: "bash_complete"}, {VARIABLE: "bash_complete", "COMP_WORDS": "x", "COMP_CWORD": "one"},
        {VARIABLE: "tcsh_complete"}, {VARIABLE: "bash_dance"}, {VARIABLE: "powershell_complete"},
        {VARIABLE: "bash_complete", "COMP_WORDS": "sidedoor 'aud", "COMP_CWORD": "1"},
    ],
)  # fmt: skip
def test_a_shell_that_asks_oddly_gets_no_traceback(asked: dict[str, str]) -> None:
    told = run(sys.executable, "-m", "sidedoor", **asked)
    assert told.returncode in {0, 1}
    assert told.stderr == ""


def test_the_list_of_commands_is_completed_without_importing_them() -> None:
    program = (
        "import sys; from sidedoor.cli.main import main; main()\n"
        "print(sorted(name for name in sys.modules if name.startswith('sidedoor.audit')), file=sys.stderr)"
    )
    told = run(
        sys.executable, "-c", program, **{VARIABLE: "bash_complete", "COMP_WORDS": "sidedoor a", "COMP_CWORD": "1"}
    )
    assert "plain,audit" in told.stdout
    assert told.stderr == "[]\n"


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
