"""What lies in a workspace to be read: exports that people and other programs put there, and what `watch` fetched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sidedoor.audit.discover import Inputs, discover
from sidedoor.errors import InputError
from sidedoor.evidence.tenant_files import newest
from sidedoor.watch.workspace import Workspace


def look(workspace: Workspace) -> Inputs:
    """The files of a workspace by what they hold; nothing is `named`, so one bad file does not stop the others.

    Settings: those in `settings/` where `watch` fetches them, the newest of each kind otherwise. Raises InputError
    where a folder or log that the settings name is not there.
    """
    places = [*map(workspace.path, workspace.settings.inputs.folders), workspace.tenant_settings]
    places += [*_collected(workspace.collected), *map(workspace.path, workspace.settings.edge.logs)]
    for place in places:
        if not place.exists():
            raise InputError(str(place), "nothing there", f"what {workspace.folder / 'sidedoor.toml'} names")
    found = discover(places)
    return replace(found, named=frozenset(), settings=tuple(_settings(workspace, found)))


def _settings(workspace: Workspace, found: Inputs) -> list[Path]:
    fetched = [path for path in found.settings if path.is_relative_to(workspace.tenant_settings)]
    if workspace.settings.collect.tenant_id and fetched:
        return newest(fetched)
    return newest(path for path in found.settings if not path.is_relative_to(workspace.collected))


def _collected(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
