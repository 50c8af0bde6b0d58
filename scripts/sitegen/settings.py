"""Every setting of sidedoor.toml: the template says what it means, the parser what may stand there."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import click
from sitegen.commands import found
from sidedoor.cli.main import COMMANDS
from sidedoor.errors import InputError
from sidedoor.toml_file import TomlFile
from sidedoor.watch.settings import Settings, parse_settings
from sidedoor.watch.template import settings_text
from sitegen.members import UnexplainedError
from sitegen.text import anchor, code, prose, table

PATH = "reference/settings.md"
# What the template leaves out, since few need it, and no option of a command says.
_SELDOM = {
    ("inputs", "catalogue"): "senders of your own (docs/catalogue.md)",
    ("alerts", "channels"): "whom to tell, a table `[[alerts.channels]]` each",
}
_HEAD = """# Settings of a workspace

`sidedoor init DOMAIN` writes them into `sidedoor.toml` of the folder it makes: what was said on the command line, and
all else as comments with its default. A key that is not known, or a value that does not fit, is refused with the line
it stands on. Paths are relative to the workspace. What is secret (a password, a webhook's address) stays in the
environment: `"env:NAME"` stands for the value of the variable.

On top of the file stands `domain`, an accepted domain of the tenant: the only setting that must be there.
"""
# Tables whose keys are names of the user's own.
_FREE = {
    "alerts.channels": "A table for each channel that alerts go to, `[alerts.channels.NAME]`.",
    "certificates": (
        "A line for each connector that asks for a certificate: its name in the tenant, and where its certificate can "
        "be seen, as a PEM file or as `HOST:PORT` of a server that shows it."
    ),
    "switches": "Answers to open questions about Exchange Online, by name ([the switches](rule-tables.md#switches)).",
}


class Setting(NamedTuple):
    """One key: its default as TOML, what it means, and what the parser expects."""

    table: str
    key: str
    default: str
    meaning: str
    expected: str


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    parts = [_HEAD]
    settings = list(all_settings())
    for name in dict.fromkeys(each.table for each in settings):
        rows = (_row(each) for each in settings if each.table == name)
        parts += [f"## `[{name}]`\n", table(("key and default", "meaning"), rows)]
    parts += [f"## `[{name}]`\n\n{_free(name)}\n" for name in _free_tables()]
    yield PATH, "\n".join(parts)


def _free(name: str) -> str:
    if name not in _FREE:
        raise UnexplainedError(f"[{name}]: say in scripts/sitegen/settings.py what it is")
    return _FREE[name]


def _row(each: Setting) -> tuple[str, str]:
    key = anchor(f"{each.table}-{each.key}") + code(f"{each.key} = {each.default}")
    return key, f"{prose(each.meaning)}<br>*{prose(each.expected)}*"


def all_settings() -> Iterator[Setting]:
    """Every setting, table by table, in the template's order first. Raises UnexplainedError."""
    told = dict(_template())
    known = dict(_dataclasses())
    for place in sorted({*told, *known}, key=lambda each: _rank(each, [*told, *known])):
        default, meaning = told.get(place, (known.get(place, '""'), _SELDOM.get(place) or _option(*place)))
        if not meaning:
            raise UnexplainedError(f"[{place[0]}] {place[1]}: say in watch/template.py what it means")
        yield Setting(*place, default, meaning, expected(*place))


def _option(name: str, key: str) -> str:
    """What the option of that name says, where a table has the settings of a command."""
    options = found(name).params if name in COMMANDS else ()
    return next((each.help or "" for each in options if isinstance(each, click.Option) and each.name == key), "")


def _rank(place: tuple[str, str], places: list[tuple[str, str]]) -> tuple[int, int]:
    tables = list(dict.fromkeys(each[0] for each in places))
    return tables.index(place[0]), places.index(place)


def _template() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(table, key) -> (default as written, meaning) of the commented lines of the template."""
    name = ""
    for line in settings_text("contoso.com").partition("# Whom to tell")[0].splitlines():
        if header := re.fullmatch(r"\[([\w.]+)\]", line):
            name = header[1]
        elif row := re.fullmatch(r"# (\w+) = (.+?)\s+# (.+)", line):
            yield (name, row[1]), (row[2], row[3])


def _dataclasses() -> Iterator[tuple[tuple[str, str], str]]:
    """(table, key) -> default as TOML, of the tables that the parser fills into a class of their own."""
    for name, value in _nested("", Settings("contoso.com")):
        table_name, _, key = name.rpartition(".")
        if table_name and not isinstance(value, Mapping):
            yield (table_name, key), _toml(value)


def _free_tables() -> Iterator[str]:
    """Tables in which any key may stand."""
    yield from (name for name, value in _nested("", Settings("contoso.com")) if isinstance(value, Mapping))


def _nested(name: str, value: object) -> Iterator[tuple[str, object]]:
    """(path, default) of every field, those of classes within classes among them."""
    assert dataclasses.is_dataclass(value)
    for each in dataclasses.fields(value):
        inner, path = getattr(value, each.name), f"{name}.{each.name}".lstrip(".")
        if dataclasses.is_dataclass(inner):
            yield from _nested(path, inner)
        else:
            yield path, inner


def _toml(value: object) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)


def parsed(lines: Mapping[tuple[str, str], str]) -> Settings:
    """The settings of a file with these keys. Raises InputError."""
    body = "".join(f"[{name}]\n{key} = {value}\n" for (name, key), value in lines.items())
    return parse_settings(TomlFile(f'domain = "contoso.com"\n{body}', "sidedoor.toml", "settings"))


def expected(name: str, key: str) -> str:
    """What the parser says when it finds a table where a value belongs. Raises UnexplainedError where it does not."""
    for wrong in ("{}", "7"):
        try:
            parsed({(name, key): wrong})
        except InputError as error:
            if not error.found.startswith("the key "):
                return error.expected
    raise UnexplainedError(f"[{name}] {key}: the parser does not know it")
