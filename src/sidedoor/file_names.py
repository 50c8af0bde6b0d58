"""Names of files that every system takes: Windows has names of devices, and characters that mean something else."""

from __future__ import annotations

import re
from pathlib import PureWindowsPath

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def portable(name: str) -> str:
    """`name` as any system takes it; most names stay as they are. `con.example` is a device, to Windows.

    Source: Microsoft Learn, Naming Files, Paths, and Namespaces.
    """
    shown = _FORBIDDEN.sub("_", name).rstrip(". ") or "_"
    return f"_{shown}" if PureWindowsPath(shown).is_reserved() else shown
