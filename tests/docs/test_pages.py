"""What pages say to type can be typed, and every id in them is one of the code's."""

from __future__ import annotations

import re
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NoReturn

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Parser

from sidedoor.audit.coverage import SOURCES
from sidedoor.audit.weights import WEIGHTS
from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.catalogue.read import read_entries
from sidedoor.cli.main import COMMANDS, main
from sidedoor.evidence.registry import FORMATS
from sidedoor.plan.words import read_words
from sidedoor.policy.reasons import REASONS
from sidedoor.policy.switches import SWITCHES
from sidedoor.watch.settings import read_settings
from tests.docs.kit import DOCS, HOWTOS, PAGES, ROOT, blocks, command_lines, complaint, is_synopsis, page_id

NEW = [*HOWTOS, *(DOCS / f"{name}.md" for name in ("security-model", "threat-model", "certainty", "glossary"))]
PAGES_WITH_COMMANDS = [*PAGES, ROOT / "README.md"]
_ID = re.compile(r"(?<!`)`([a-z][a-z0-9]*(?:-[a-z0-9]+)+)`(?!`)")
FOREIGN = {"directory-based"}


@pytest.mark.parametrize("path", PAGES_WITH_COMMANDS, ids=page_id)
def test_commands_in_code_blocks_would_run(path: Path) -> None:
    for line in command_lines(path.read_text(encoding="utf-8")):
        if is_synopsis(line):
            continue
        said = complaint(line)
        waits = said.startswith("Missing argument") and "MESSAGE_ID" in said  # by way of xargs
        assert said == "" or waits, f"{line}: {said}"


def test_commands_are_found_in_all_kinds_of_blocks() -> None:
    page = (
        "```console\n$ sidedoor demo x\nsidedoor no output\n$ xargs sidedoor spf a.example < b\n```\n"
        "```sh\nsidedoor audit a \\\n    -o b   # comment\nX=1 && sidedoor plan b | cat\n```\n"
        "```ini\nExecStart=/opt/bin/sidedoor probe a.example --tenant t\n```\n\n    sidedoor check --tenant t\n"
        "```text\nsidedoor not here\n```\n"
    )
    assert list(command_lines(page)) == [
        "sidedoor demo x", "sidedoor spf a.example", "sidedoor audit a -o b", "sidedoor plan b",
        "sidedoor probe a.example --tenant t", "sidedoor check --tenant t",
    ]  # fmt: skip
    assert len([line for path in HOWTOS for line in command_lines(path.read_text(encoding="utf-8"))]) > 60


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("sidedoor audit x --dead", "--dead"),
        ("sidedoor quarantine list --spool x --dead", "--dead"),
        ("sidedoor quarantine lst --spool x", "lst"),
        ("sidedoor nothing", "nothing"),
        ("sidedoor plan", "REPORT_DIR"),
        ("sidedoor check --tenant x --mx nowhere", "nowhere"),
        ("sidedoor collect --details many", "many"),
    ],
)
def test_what_would_not_run_is_noticed(line: str, part: str) -> None:
    assert part in complaint(line)


def vocabulary() -> set[str]:
    """Every id that a person can meet: reasons, blockers, switches, words, formats, facts, entries."""
    known = {*WEIGHTS.entries, *REASONS, *SOURCES, *load_catalogue().entries, *(form.name for form in FORMATS)}
    known |= {row.name for row in SWITCHES} | {value for row in SWITCHES for value in row.values}
    known |= {str(each.value) for kind in enums() for each in kind}
    literals = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/sidedoor/plan").rglob("*.py"))
    return known | set(re.findall(r'(?:Because|Blocker|Obstacle)\(\s*"([a-z-]+)"', literals)) | FOREIGN


def enums() -> Iterator[type[Enum]]:
    """Every enum of the package that has been imported by now."""
    waiting = list(Enum.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("sidedoor."):
            yield kind


@pytest.mark.parametrize("path", NEW, ids=page_id)
def test_ids_in_pages_are_the_codes(path: Path) -> None:
    from sidedoor.edge import interface  # noqa: F401  # so that its words are known
    from sidedoor.probe import outcome  # noqa: F401

    page = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert [word for word in _ID.findall(page) if word not in vocabulary()] == []


def test_ids_are_looked_for() -> None:
    found = [word for path in NEW for word in _ID.findall(path.read_text(encoding="utf-8"))]
    assert len(found) > 30
    assert "no-such-reason" not in vocabulary()


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_toml_in_pages_is_read(path: Path, tmp_path: Path) -> None:
    for language, text in blocks(path.read_text(encoding="utf-8")):
        if language != "toml":
            continue
        tomllib.loads(text)
        first = text.partition("\n")[0]
        file = tmp_path / "x.toml"
        file.write_text(text, encoding="utf-8")
        if first == "# plan.toml":
            read_words(file)
        elif first == "# sidedoor.toml":
            read_settings(file)
        elif "[recognise]" in text:
            read_entries(text, str(path))


@pytest.mark.parametrize("path", PAGES_WITH_COMMANDS, ids=page_id)
def test_shell_and_powershell_in_pages_parse(path: Path) -> None:
    powershell = Parser(Language(tree_sitter_powershell.language()))
    for language, block in blocks(path.read_text(encoding="utf-8")):
        if language == "sh":
            done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, timeout=30, check=False)
            assert done.stderr == "", block
        elif language == "powershell":
            # The grammar does not know that a path can be a command.
            named = re.sub(r"^\./[\w./-]+\.ps1", "Invoke-Script", block, flags=re.MULTILINE)
            assert not powershell.parse(named.encode()).root_node.has_error, block


@pytest.mark.parametrize("path", HOWTOS, ids=page_id)
def test_a_how_to_is_short_and_leads_on(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    assert page.startswith("# ")
    assert len(prose.split()) < 600
    assert len(re.findall(r"\]\((?:\.\./)*[\w./-]+\.(?:md|service)", prose)) >= 1
    assert re.search(r"^```(?:console|sh|powershell)$", page, re.MULTILINE)
    assert all(len(line) <= 140 for line in prose.splitlines() if not line.startswith("|"))


ROWS = re.findall(
    r"^\| `(\w+)([^`|]*)` \|(.*)\|$", (DOCS / "security-model.md").read_text(encoding="utf-8"), re.MULTILINE
)


def test_the_security_model_speaks_of_every_command() -> None:
    assert set(COMMANDS) <= {name for name, _, _ in ROWS} <= {*COMMANDS, "watch", "web"}
    assert all(len(cells.split(" | ")) == 4 for _, _, cells in ROWS)


QUIET = {
    "collect --script": ["collect", "--script"],
    "init": ["init", "contoso.com", "-o", "made"],
    "audit": ["audit", "export", "--offline", "-o", "made", "--quiet"],
    "plan": ["plan", "report", "--quiet"],
    "check": ["check", "--tenant", "export", "--from", "a@contoso.com", "--to", "b@contoso.com", "--ip", "192.0.2.1"],
    "explain": ["explain", "scan.eml", "--tenant", "export"],
    "spf": ["spf", "contoso.com", "--dns", "export/zones"],
    "quarantine": ["quarantine", "list", "--spool", "spool"],
    "alerts": ["alerts", "list", "workspace"],
    "demo": ["demo", "made", "--rows", "1000"],
    "doctor": ["doctor", "workspace"],
    "completion": ["completion", "powershell"],
}


def test_who_is_said_to_connect_to_nobody_is_tried() -> None:
    silent = {f"{name}{more}" for name, more, cells in ROWS if "nobody" in cells.split(" | ")[1]}
    assert silent - {"milter", "web"} == set(QUIET)  # these two are asked, and have tests of their own


@pytest.mark.parametrize("name", QUIET)
def test_who_connects_to_nobody_does_not(
    name: str, planned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("somebody was asked")

    for path in planned.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    if name == "quarantine":
        from sidedoor.edge.spool.store import Store

        (tmp_path / "spool").mkdir()
        Store(tmp_path / "spool" / "spool.db").close()
    if name in {"alerts", "doctor"}:
        assert main(["init", "contoso.com", "-o", "workspace"]) == 0
    if name == "plan":
        (tmp_path / "report").unlink()
        (tmp_path / "report").mkdir()
        for path in (planned / "report").glob("*.*"):
            (tmp_path / "report" / path.name).symlink_to(path)
    for attribute in ("connect", "connect_ex", "sendto", "sendmsg"):
        monkeypatch.setattr(socket.socket, attribute, refuse, raising=False)
    for attribute in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "create_connection"):
        monkeypatch.setattr(socket, attribute, refuse)
    code = main(QUIET[name])
    said = capsys.readouterr()
    assert "somebody was asked" not in said.out + said.err
    assert code == 0, said.out + said.err
