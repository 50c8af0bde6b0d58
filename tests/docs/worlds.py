"""Folders that pages of docs/ are played in."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import redirect_stdout
from pathlib import Path

from sidedoor.cli.main import main

ROWS = 20_000
MESSAGES = Path(__file__).parents[1] / "data" / "messages"


def make_world(name: str, folder: Path, planned: Path | None = None) -> None:
    """Make a folder. planned: one that is there already, to be copied."""
    folder.mkdir(parents=True)
    if name == "empty":
        return
    if name == "northwind":
        _northwind(folder)
        return
    if name != "planned":
        raise LookupError(name)
    if planned is not None:
        shutil.copytree(planned, folder, dirs_exist_ok=True)
        return
    export, report = str(folder / "export"), str(folder / "report")
    shutil.copy(MESSAGES / "printer.eml", folder / "scan.eml")
    shutil.copy(MESSAGES / "spoof.eml", folder / "lure.eml")
    (folder / "dmarc-reports").mkdir()
    shutil.copy(MESSAGES.parent / "evidence" / "dmarc.xml", folder / "dmarc-reports" / "microsoft.xml")
    steps = (
        ["demo", export, "--rows", str(ROWS)],
        ["audit", export, "--dns", f"{export}/zones", "-o", report, "--quiet"],
        ["plan", report, "--quiet"],
    )
    with redirect_stdout(io.StringIO()):
        for step in steps:
            assert main(step) == 0


def _northwind(folder: Path) -> None:
    """Settings of a tenant as `collect` fetches them, with the door open, and a token for the twin."""
    from tests.audit.audit_kit import accepted_domain, connector, write_settings

    domains = [accepted_domain("northwind.example", Default=True), accepted_domain("northwind.onmicrosoft.com")]
    write_settings(folder / "tenant", domains, [connector("Old", SenderIPAddresses=["203.0.113.99"], Enabled=False)])
    (folder / "tenant" / "TransportRule.json").write_text('{"cmdlet": "Get-TransportRule", "value": []}', "ascii")
    lists = {"Name": "Default", "IsDefault": True, "IPAllowList": [], "IPBlockList": []}
    (folder / "tenant" / "HostedConnectionFilterPolicy.json").write_text(json.dumps(lists), "ascii")
