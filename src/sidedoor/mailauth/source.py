"""Where DNS answers come from: the network, master files, or nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.mailauth.resolver import Resolver


def resolver_of(zones: tuple[Path, ...], *, offline: bool = False) -> Resolver:
    """The resolver for `--dns` and `--offline`. Raises UsageError where both are given, InputError for a bad file."""
    if zones and offline:
        raise UsageError("--dns and --offline do not go together: a master file is asked instead of the network")
    if zones:
        from sidedoor.mailauth.zonefile import read_zones

        return read_zones([file for path in zones for file in _zone_files(path)])
    if offline:
        from sidedoor.mailauth.resolver import Offline

        return Offline()
    from sidedoor.mailauth.livedns import LiveDns

    return LiveDns()


def _zone_files(path: Path) -> list[Path]:
    """The master file itself, or all files of a folder of them."""
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
