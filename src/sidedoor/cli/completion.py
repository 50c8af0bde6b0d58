"""`sidedoor completion`: what makes a shell complete our commands, options and values.

click has the protocol for bash, zsh and fish; PowerShell, where administrators of Exchange Online live, is added here.
The printed script calls `sidedoor` with an environment variable set, and `main` then answers instead of running.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from sidedoor.cli.output import printable

VARIABLE = "_SIDEDOOR_COMPLETE"
SHELLS = ("bash", "zsh", "fish", "powershell")
_PROGRAM = "sidedoor"

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName '%(prog_name)s' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $before = $commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object {
        if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) { $_.Value }
        else { $_.Extent.Text }
    }
    $env:%(complete_var)s = 'powershell_complete'
    $env:SIDEDOOR_WORDS = @($before) -join "`n"
    $env:SIDEDOOR_WORD = $wordToComplete
    try {
        & '%(prog_name)s' | ForEach-Object {
            $type, $value, $help = $_ -split "`t", 3
            if ($type -eq 'plain') {
                if (-not $help) { $help = $value }
                [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $help)
            }
        }
    }
    finally {
        Remove-Item 'Env:%(complete_var)s', 'Env:SIDEDOOR_WORDS', 'Env:SIDEDOOR_WORD' -ErrorAction SilentlyContinue
    }
}
"""


@add_completion_class
class PowerShellComplete(ShellComplete):
    """Lines of type, value and help, with tabs between. Files are left to PowerShell, which completes them itself."""

    name: ClassVar[str] = "powershell"
    source_template: ClassVar[str] = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, without the program's name; and that one, "" where it is new."""
        words = os.environ.get("SIDEDOOR_WORDS", "").split("\n")
        return words[1:], os.environ.get("SIDEDOOR_WORD", "")

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """One line."""
        return f"{item.type}\t{item.value}\t{printable(item.help or '')}"


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> int:
    """Print what makes SHELL complete Sidedoor's commands, for its profile.

    \b
    bash         sidedoor completion bash > ~/.local/share/bash-completion/completions/sidedoor
    zsh          sidedoor completion zsh > "${fpath[1]}/_sidedoor"
    fish         sidedoor completion fish > ~/.config/fish/completions/sidedoor.fish
    powershell   sidedoor completion powershell >> $PROFILE
    """
    made = get_completion_class(shell)
    assert made is not None
    # The base's: bash's own would call bash to look at its version, which need not be the one that is meant.
    click.echo(ShellComplete.source(made(completion_command, {}, _PROGRAM, VARIABLE)), nl=False)
    return 0


def complete(command: click.Command, instruction: str) -> int:
    """Answer a shell. Prints candidates, or nothing where the shell's own variables are not there."""
    shell, _, wanted = instruction.partition("_")
    made = get_completion_class(shell)
    if made is None or wanted != "complete":
        return 1
    try:
        click.echo(made(command, {}, _PROGRAM, VARIABLE).complete().encode())
    except (KeyError, ValueError):
        return 1
    return 0
