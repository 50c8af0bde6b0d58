"""Exit codes, from the errors and from what the commands say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from sidedoor.cli import main
from sidedoor.errors import SidedoorError
from sitegen.commands import found
from sitegen.text import code, prose, table

PATH = "reference/exit-codes.md"


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    yield PATH, f"# Exit codes\n\n{_codes()}\n## Errors\n\n{_errors()}\n## When the answer is no\n\n{_answers()}"


def _codes() -> str:
    said = re.findall(r"(?:^|[:;] )(\d+) ([^;.]+)", " ".join((main.sidedoor.help or "").split()))
    more = [
        (str(main.EXIT_INTERRUPTED), "interrupted (Control-C)"),
        (str(main.EXIT_BROKEN_PIPE), "whoever read the output went away"),
    ]
    intro = "A scheduler or a script can go by these.\n\n"
    return intro + table(("code", "meaning"), ((number, prose(text)) for number, text in [*said, *more]))


def _errors() -> str:
    kinds: list[type[SidedoorError]] = [SidedoorError, *SidedoorError.__subclasses__()]
    rows = [
        (str(kind.exit_code), prose((kind.__doc__ or "").partition("\n")[0]))
        for kind in kinds
        if kind.__module__ == SidedoorError.__module__
    ]
    intro = "A complaint is one sentence on standard error: file, line, what was found and what was expected.\n\n"
    return intro + table(("code", "when"), rows)


def _answers() -> str:
    rows = [(code(f"sidedoor {name}"), prose(sentence)) for name in main.COMMANDS for sentence in _ones(found(name))]
    return table(("command", "it says"), rows)


def _ones(command: click.Command) -> Iterator[str]:
    """Sentences of a command's help that speak of code 1."""
    texts = [command.help or ""]
    texts += [f"`{option.opts[-1]}`: {option.help}" for option in command.params if isinstance(option, click.Option)]
    for text in texts:
        for sentence in re.split(r"(?<=\.)\s+", " ".join(text.split())):
            if re.search(r"\b[Ee]xits? with 1\b", sentence):
                yield sentence
