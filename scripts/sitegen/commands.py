"""A page for each command, from click: usage, options with their defaults, and the pages that use it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from sidedoor.cli.main import COMMANDS, sidedoor
from sitegen.text import anchor, code, plain, prose, table

FOLDER = "reference/commands/"
_UP = "../../"


def pages(docs: Path) -> Iterator[tuple[str, str]]:
    """(path, Markdown) of every command's page, and of their index."""
    used = used_in(docs)
    yield f"{FOLDER}index.md", _index()
    for name in COMMANDS:
        yield f"{FOLDER}{name}.md", _page(name, used.get(name, {}))


def found(name: str) -> click.Command:
    """A command by name. Raises LookupError."""
    command = sidedoor.get_command(click.Context(sidedoor), name)
    if command is None:
        raise LookupError(name)
    return command


def used_in(docs: Path) -> Mapping[str, Mapping[str, str]]:
    """Command -> path below docs -> title: the page of that name, and how-tos that use it."""
    used: dict[str, dict[str, str]] = {}
    for path in [*sorted(docs.glob("*.md")), *sorted((docs / "howto").glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        names = re.findall(r"\bsidedoor ([a-z]+)\b", text) if path.parent.name == "howto" else [path.stem]
        for name in names:
            used.setdefault(name, {})[path.relative_to(docs).as_posix()] = text.partition("\n")[0].lstrip("# ")
    return used


def _index() -> str:
    rows = ((f"[{code(name)}]({name}.md)", prose(summary, _UP)) for name, (_, summary) in COMMANDS.items())
    whole = click.Context(sidedoor, info_name="sidedoor")
    return "\n".join(
        [
            "# Commands\n",
            "    sidedoor [OPTIONS] COMMAND [ARGS]...\n",
            f"{prose(_help(sidedoor)[0], _UP)} What an exit code answers: [exit codes](../exit-codes.md).\n",
            table(("command", "what it does"), rows),
            "## Options before the command\n",
            _options(sidedoor, whole),
        ]
    )  # fmt: skip


def _page(name: str, used: Mapping[str, str]) -> str:
    command = found(name)
    whole = click.Context(sidedoor, info_name="sidedoor")
    parts = [f"# sidedoor {name}\n", *_sections(command, click.Context(command, info_name=name, parent=whole))]
    if isinstance(command, click.Group):
        for each in command.list_commands(click.Context(command)):
            below = command.commands[each]
            context = click.Context(command, info_name=name, parent=whole)
            parts += [
                f"## sidedoor {name} {each}\n",
                *_sections(below, click.Context(below, info_name=each, parent=context)),
            ]
    if used:
        parts.append("## See also\n")
        parts += [f"- [{plain(title)}]({_UP}{path})" for path, title in used.items()]
    return "\n".join(parts) + "\n"


def _sections(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"    {context.command_path} {' '.join(command.collect_usage_pieces(context))}\n"
    yield from (prose(part, _UP) + "\n" for part in _help(command))
    yield _options(command, context)


def _help(command: click.Command) -> list[str]:
    text = inspect.cleandoc(command.help or "").partition("\f")[0]
    return [part for part in text.split("\n\n") if part and not part.startswith("Exit codes:")]


def _options(command: click.Command, context: click.Context) -> str:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            spelling = "<br>".join(code(part) for part in record[0].split(", "))
            rows.append((anchor(f"{command.name}-{parameter.name}") + spelling, prose(record[1], _UP)))
    return table(("option", "meaning"), rows) if rows else ""
