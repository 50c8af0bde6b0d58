"""The `sidedoor` command: a group whose subcommands are imported only when they are called.

`sidedoor --help` must stay fast, so the names and summaries stand here and the modules behind them are not touched.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sidedoor import __version__
from sidedoor.cli.output import printable
from sidedoor.errors import SidedoorError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> where its command is ("module:attribute"), and the line `--help` prints.
COMMANDS: dict[str, tuple[str, str]] = {
    "collect": ("sidedoor.cli.collect:collect_command", "Fetch settings and mail history from the live tenant."),
    "init": ("sidedoor.cli.init:init_command", "Make a workspace: a tenant's folder, to be watched."),
    "audit": ("sidedoor.cli.audit:audit_command", "Find Direct Send in exported mail history and say who it is."),
    "plan": ("sidedoor.cli.plan:plan_command", "Plan how honest senders get in once the door is closed, and prove it."),
    "close": ("sidedoor.cli.close:close_command", "Switch RejectDirectSend on, if the plan is proven and in place."),
    "reopen": ("sidedoor.cli.close:reopen_command", "Switch RejectDirectSend off again."),
    "probe": ("sidedoor.cli.probe:probe_command", "Ask your front door from outside whether it is closed."),
    "check": ("sidedoor.cli.check:check_command", "Say what Exchange Online does with a message at the door."),
    "explain": (
        "sidedoor.cli.explain:explain_command",
        "Say of one raw message whether it was Direct Send, and how sure.",
    ),
    "edge": ("sidedoor.cli.edge:edge_command", "Take mail over SMTP and answer as Exchange Online would."),
    "milter": ("sidedoor.cli.milter:milter_command", "Ask the same rule from Postfix, as a mail filter."),
    "watch": ("sidedoor.cli.watch:watch_command", "Look at tenants again and again, and raise alerts, each once."),
    "alerts": ("sidedoor.cli.alerts:alerts_command", "List alerts of a workspace, and answer them."),
    "decide": ("sidedoor.cli.decide:decide_command", "Say what a sender is, whose, and what is to become of it."),
    "forget": ("sidedoor.cli.forget:forget_command", "Delete history: of a time, of a person, or of a tenant."),
    "quarantine": (
        "sidedoor.cli.quarantine:quarantine_command",
        "List, show, release or delete what the edge holds back.",
    ),
    "spf": ("sidedoor.cli.spf:spf_command", "Show whom a domain's SPF record lets send, and what is wrong with it."),
    "web": ("sidedoor.cli.web:web_command", "Serve the page of a workspace: what holds, what is due, what to decide."),
    "demo": ("sidedoor.cli.demo:demo_command", "Make an invented tenant to try the other commands on."),
    "doctor": ("sidedoor.cli.doctor:doctor_command", "Say what is missing for which feature."),
    "completion": ("sidedoor.cli.completion:completion_command", "Print what makes a shell complete our commands."),
}
EXIT_INPUT, EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_BROKEN_PIPE = 3, 70, 130, 141


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when asked for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command; UsageError where this installation lacks its module."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name != module_name:
                raise
            raise click.UsageError(f"this installation has no {cmd_name!r}") from error
        command: click.Command = getattr(module, attribute)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The table again, without importing what it names; then the options."""
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=summary) for name, (_, summary) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the table without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="sidedoor %(version)s")
@click.option("--debug", is_flag=True, help="Show a traceback when something goes wrong inside.")
def sidedoor(debug: bool) -> None:  # read by main(), before click parses
    """Find, classify, migrate and close Direct Send of an Exchange Online tenant.

    Exit codes: 0 done; 1 the question asked has the answer "no"; 2 usage; 3 input unreadable; 4 tenant or network
    unreachable; 70 internal.
    """


def main(arguments: Sequence[str] | None = None, command: click.Command = sidedoor) -> int:
    """Run `command` and return its exit code; no traceback reaches a user without `--debug`."""
    if arguments is None and (instruction := os.environ.get("_SIDEDOOR_COMPLETE")):
        from sidedoor.cli.completion import complete

        return complete(command, instruction)
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show a name still gets the line
    try:
        result = command.main(args=given, prog_name="sidedoor", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # outside standalone mode click exits by itself for a broken pipe only
        _silence_stdout()
        return EXIT_BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the last stop: everything becomes one line and an exit code
        return report(error, debug="--debug" in given)
    return result if isinstance(result, int) else 0


def report(error: Exception, *, debug: bool = False) -> int:
    """Print what went wrong and return the exit code."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if debug:
        traceback.print_exception(error)
    if isinstance(error, SidedoorError):
        click.echo(f"error: {printable(str(error))}", err=True)
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        click.echo(f"error: {printable(str(error.filename))}: {error.strerror}", err=True)
        return EXIT_INPUT
    hint = "" if debug else "; --debug shows where"
    click.echo(f"error: internal: {type(error).__name__}: {printable(str(error))[:200]}{hint}", err=True)
    return EXIT_INTERNAL


def _silence_stdout() -> None:
    """The reader is gone: keep the interpreter from complaining when it flushes at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    sys.exit(main())
