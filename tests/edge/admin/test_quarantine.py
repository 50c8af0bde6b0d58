"""The quarantine by cmdlets, over a real spool."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidedoor.edge.admin.errors import CmdletError
from sidedoor.edge.spool.model import Held, Kept
from sidedoor.edge.spool.store import Store
from tests.edge.admin.twin_kit import NOW, Twin


def test_the_quarantine(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    store = Store(tmp_path / "spool.db")
    for number in (1, 2):
        message = Kept(f"q{number}", NOW, "a@far.example", ("desk@contoso.example",), b"Subject: hold\r\n\r\nx\r\n")
        store.add([], [Held(message, "transport rule Hold")])
    rows = twin.run("Get-QuarantineMessage")
    assert [(row["Subject"], row["PolicyName"]) for row in rows] == [("hold", "transport rule Hold")] * 2
    twin.run("Release-QuarantineMessage", Identity=rows[0]["Identity"], ReleaseToAll=True)
    twin.run("Delete-QuarantineMessage", Identity=rows[1]["Identity"], Confirm=False)
    assert twin.run("Get-QuarantineMessage") == []
    assert store.count() == 1
    store.close()
    with pytest.raises(CmdletError, match="couldn't be found"):
        twin.run("Delete-QuarantineMessage", Identity=rows[1]["Identity"])
