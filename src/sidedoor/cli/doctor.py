"""`sidedoor doctor`: what is missing for which feature."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.output import printable

if TYPE_CHECKING:
    from sidedoor.doctor.model import Check, Diagnosis, Feature

EXIT_MISSING = 1
_WIDTH = 80
_LABEL = 11
_PATH = click.Path(path_type=Path)


@click.command("doctor")
@click.argument("workspace", required=False, type=_PATH)
@click.option(
    "--for",
    "wanted",
    default="",
    metavar="NAME,...",
    help="Commands, and extras such as xlsx, that must work: exit with 1 where one does not. `audit` if not given.",
)
@click.option("--network", is_flag=True, help="Ask DNS for one record; with WORKSPACE, reach its services and store.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def doctor_command(workspace: Path | None, wanted: str, network: bool, as_json: bool) -> int:
    """Say what is missing for which feature, on this machine and in WORKSPACE.

    Nothing is changed, and nobody is asked without --network. Exits with 1 where something asked about is missing.
    """
    from sidedoor.doctor.run import Asked, diagnose, names_of
    from sidedoor.mailauth.source import resolver_of

    names = names_of(wanted)
    found = diagnose(Asked(names, workspace, resolver_of(()) if network else None))
    if as_json:
        click.echo(json.dumps(_plain(found), indent=1, ensure_ascii=True))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    return EXIT_MISSING if found.lacking else 0


def _plain(found: Diagnosis) -> dict[str, object]:
    """`sidedoor/doctor/1` (docs/contract.md)."""
    return {
        "schema": "sidedoor/doctor/1",
        "version": found.version,
        "python": found.python,
        "system": found.system,
        "features": [
            {**asdict(each), "ready": each.ready, "asked": each.name in found.wanted} for each in found.features
        ],
        "machine": [asdict(each) for each in found.machine],
        "workspace": [asdict(each) for each in found.workspace],
        "lacking": list(found.lacking),
    }


def _lines(found: Diagnosis) -> Iterable[str]:
    yield f"Sidedoor {found.version}, Python {found.python}, {found.system}"
    yield ""
    yield "Features"
    ready = [each.name for each in found.features if each.ready]
    yield from _entry("ok", ", ".join(ready) or "none")
    for each in found.features:
        if not each.ready:
            yield from _entry("missing", _needs(each), each.advice)
    for title, checks in (("This machine", found.machine), ("The workspace", found.workspace)):
        if checks:
            yield ""
            yield title
            for check in checks:
                yield from _check(check)
    yield ""
    yield from textwrap.wrap(_answer(found), _WIDTH)


def _needs(feature: Feature) -> str:
    return f"{feature.name}: needs {'; '.join(feature.missing)}"


def _check(check: Check) -> Iterable[str]:
    return _entry(check.state.value, check.text, check.advice)


def _entry(label: str, text: str, advice: str = "") -> Iterable[str]:
    """A label and a text beside it, wrapped to the width of a terminal."""
    lines = textwrap.wrap(printable(text), _WIDTH - _LABEL, break_on_hyphens=False) or [""]
    lines += textwrap.wrap(printable(f"-> {advice}"), _WIDTH - _LABEL, break_on_hyphens=False) if advice else []
    yield f"{label:<{_LABEL}}{lines[0]}"
    for line in lines[1:]:
        yield " " * _LABEL + line


def _answer(found: Diagnosis) -> str:
    asked = ", ".join(sorted(found.wanted)) + (" and the workspace" if found.workspace else "")
    if not found.lacking:
        return f"Asked about: {asked}. Nothing is missing."
    return f"Asked about: {asked}. Missing: {', '.join(dict.fromkeys(found.lacking))}."
