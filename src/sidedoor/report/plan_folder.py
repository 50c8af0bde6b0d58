"""A plan's folder: plan.json, scripts, letters, queries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sidedoor.plan.model import Plan
from sidedoor.plan.script.files import is_ours, plan_files
from sidedoor.report.atomic import write_files
from sidedoor.report.plan_json import NAME, dump

_PARTS = ("scripts", "owners", "hunting")


def write_plan(folder: Path, plan: Plan, more: Mapping[str, bytes] | None = None) -> None:
    """All files whole or none; what an earlier plan wrote and this one does not goes, so that nobody runs it.

    more: further files of the folder. Raises OutputError.
    """
    made = {NAME: dump(plan), **(more or {})} | plan_files(plan)
    write_files({folder / name: data for name, data in made.items()})
    for part in _PARTS:
        found = (folder / part).iterdir() if (folder / part).is_dir() else ()
        for path in found:
            if f"{part}/{path.name}" not in made and is_ours(f"{part}/{path.name}"):
                path.unlink(missing_ok=True)
