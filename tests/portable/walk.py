"""What an administrator does, one command after the other. `test_windows.py` has it done as on Windows.

Not collected by itself: without `-p tests.portable.windows` it would prove nothing that other tests do not.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import socket
from pathlib import Path

import pytest

import sidedoor
from sidedoor.cli.main import COMMANDS, main
from sidedoor.web.access.roles import Role
from tests.web.kit import served
from tests.web.world import make_tenant

ALEMBICS = "sidedoor.store.migrations"  # which Alembic runs, and nobody imports
EDGE = ("sidedoor.edge", "sidedoor.cli.edge", "sidedoor.cli.milter", "sidedoor.cli.edge_parts")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An invented tenant with its report."""
    made = tmp_path_factory.mktemp("walk")
    assert main(["demo", str(made / "export"), "--rows", "1000", "--days", "35"]) == 0
    assert main(["audit", str(made / "export"), "-o", str(made / "report"), "--dns", str(made / "export/zones")]) == 0
    return made


def test_the_system_is_hidden_from_us_and_from_nobody_else() -> None:
    from sidedoor.doctor import workspace

    assert vars(workspace)["os"].name == "nt"
    assert not hasattr(vars(workspace)["os"], "getuid")
    assert os.name == "posix"


def test_every_module_but_the_edge_is_imported() -> None:
    names = [each.name for each in pkgutil.walk_packages(sidedoor.__path__, "sidedoor.") if "__main__" not in each.name]
    wanted = [name for name in names if not name.startswith((*EDGE, ALEMBICS))]
    assert len(wanted) > 300
    for name in wanted:
        importlib.import_module(name)


def test_audit_and_plan(folder: Path) -> None:
    report = json.loads((folder / "report" / "report.json").read_text("ascii"))
    assert report["coverage"]["messages"] > 0
    assert main(["plan", str(folder / "report")]) == 0
    assert (folder / "report" / "plan" / "plan.json").exists()


def test_check_explain_and_spf(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--from", "scan@contoso.com", "--to", "helpdesk@contoso.com", "--ip", "203.0.113.10"]
    assert main(["check", "--tenant", str(folder / "export"), *asked]) == 0
    mail = tmp_path / "scan.eml"
    mail.write_text("From: a@contoso.com\nTo: b@contoso.com\nDate: Fri, 20 Nov 2026 07:00:00 +0000\n\nHello\n")
    assert main(["explain", str(mail)]) == 0
    assert main(["spf", "contoso.com", "--dns", str(folder / "export" / "zones")]) == 0
    assert "include:" in capsys.readouterr().out


def test_probe_of_a_port_where_nobody_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
        asked = ["--tenant", str(folder / "export"), "--endpoint", where, "--offline", "--pause", "0", "--json"]
        assert main(["probe", "contoso.com", *asked]) in {1, 4}
    assert json.loads(capsys.readouterr().out)["verdict"] == "undetermined"


def test_watch_decide_and_the_page(tmp_path: Path) -> None:
    workspace = make_tenant(tmp_path / "contoso", rows=300, days=4)
    make = tmp_path / "made"
    assert main(["init", "fabrikam.com", "-o", str(make)]) == 0
    for each in (make, workspace.folder):  # nobody is asked
        settings = each / "sidedoor.toml"
        zones = json.dumps([str(workspace.folder / "inbox" / "zones")])
        settings.write_text(settings.read_text("utf-8").replace("# zones = []", f"zones = {zones}"), "utf-8")
    both = [str(make), str(workspace.folder)]
    code = main(["watch", *both, "--once", "--no-collect", "--quiet", "--results", str(tmp_path / "all.html")])
    rows = json.loads((tmp_path / "all.json").read_text("ascii"))["tenants"]
    assert code == 0, rows
    assert len(rows) == 2
    assert main(["alerts", "list", str(workspace.folder)]) == 0
    with served([workspace.folder], tmp_path) as site:
        page = site.browser(Role.ADMIN).get("/", follow_redirects=True)
    assert page.status_code == 200
    assert "contoso.com" in page.text


def test_names_of_devices_are_no_names_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "con.example"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["_con.example"]


def test_doctor_says_that_the_edge_is_not_for_this_system(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--for", "audit,web,collect"]) == 0
    assert main(["doctor", "--for", "edge"]) == 1
    assert "needs a POSIX system" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["edge", "milter"])
def test_the_edge_says_that_it_needs_posix(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--tenant", str(tmp_path)]) == 2
    assert "needs a POSIX system" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_its_help(name: str) -> None:
    assert main([name, "--help"]) == 0
