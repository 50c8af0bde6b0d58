"""Kinds of alerts, where this version has them: what each means and what to do. docs/alerts.md explains them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from sitegen.text import anchor, code, plain, prose, table

PATH = "reference/alert-kinds.md"
_HEAD = """# Kinds of alerts

Every alert has one of these kinds. Rules of channels, logs and other programs name them.
"""


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page; nothing where there are no alerts."""
    try:
        kinds: Any = importlib.import_module("sidedoor.watch.kinds").KINDS
    except ModuleNotFoundError as error:
        if error.name != "sidedoor.watch.kinds":
            raise
        return
    rows = (
        (
            anchor(info.kind.value) + code(info.kind.value),
            plain(", ".join(severity.value for severity in info.severities)),
            prose(info.means),
            prose(info.do),
        )
        for info in kinds.values()
    )
    yield PATH, f"{_HEAD}\n{table(('kind', 'severity, the usual one first', 'means', 'do'), rows)}"
