"""What README and docs/ name exists, and what a user can type is named in them."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sidedoor import __version__
from sidedoor.cli.main import COMMANDS, sidedoor
from sidedoor.policy.decision import Step
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.switches import OPEN_QUESTIONS, SWITCHES

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
# Decisions keep the words of their day.
LIVING = [path for path in PAGES if path.parent.name != "decisions"]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
DESIGNED: set[str] = set()  # announced, not there yet


def page_id(path: Path) -> str:
    """The path of a page for people."""
    return str(path.relative_to(ROOT))


def text(path: Path) -> str:
    """The page."""
    return path.read_text(encoding="utf-8")


def quoted(path: Path) -> Iterator[str]:
    """Code of a page: what stands in backquotes, and the lines of code blocks."""
    page = text(path)
    for block in re.findall(r"^```[a-z]*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield from re.sub(r"\s*\\\n\s*", " ", block).splitlines()
    rest = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"^    (\S.*)$", rest, re.MULTILINE)
    yield from re.findall(r"`([^`]+)`", rest)


def command(name: str) -> click.Command:
    """A subcommand by name."""
    found = sidedoor.get_command(click.Context(sidedoor), name)
    assert found is not None
    return found


def options(of: click.Command) -> set[str]:
    """Every spelling of every option, those of a group's commands among them."""
    own = [parameter for parameter in of.params if isinstance(parameter, click.Option)]
    spellings = {spelling for parameter in own for spelling in (*parameter.opts, *parameter.secondary_opts)}
    below = of.commands.values() if isinstance(of, click.Group) else ()
    return spellings.union(*map(options, below))


OPTIONS = {name: options(command(name)) for name in COMMANDS}
EVERYWHERE = {"--help", "-h", "--version", "--debug"}


def test_the_table_of_commands_is_the_code() -> None:
    for place, summary in COMMANDS.values():
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        assert isinstance(found, click.Command)
        assert summary.endswith(".")


@pytest.mark.parametrize("path", LIVING, ids=page_id)
def test_commands_in_pages_exist_and_take_the_options(path: Path) -> None:
    for line in quoted(path):
        for name, arguments in re.findall(r"\bsidedoor ([a-z]+)\b([^|;#]*)", line):
            assert name in set(COMMANDS) | DESIGNED, line
            for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", arguments):
                assert name in DESIGNED or option in OPTIONS[name] | EVERYWHERE, line


@pytest.mark.parametrize("path", LIVING, ids=page_id)
def test_options_in_pages_exist(path: Path) -> None:
    known = set().union(*OPTIONS.values(), EVERYWHERE)
    # Tools whose options are not ours are named on the same line.
    ours = [code for code in quoted(path) if re.match(r"--[a-z]", code)]
    foreign = {"--quick", "--only", "--output", "--rows"} if path.parent.name == "benchmarks" else set()
    assert [code for code in ours if code.split()[0].partition("=")[0] not in known | foreign | {"--script"}] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str) -> None:
    pages = "\n".join(code for path in LIVING if path.name != "CHANGELOG.md" for code in quoted(path))
    found = command(name)
    commands = [found, *(found.commands.values() if isinstance(found, click.Group) else ())]
    for parameter in (parameter for each in commands for parameter in each.params):
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert any(re.search(rf"(?<![\w-]){option}(?![\w-])", pages) for option in parameter.opts), parameter.opts


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert any(f"sidedoor {name}" in code for code in quoted(ROOT / "README.md"))


def test_designed_commands_are_announced_and_absent() -> None:
    readme = text(ROOT / "README.md").partition("## What it does not do yet")[2]
    assert set(COMMANDS).isdisjoint(DESIGNED)
    for name in DESIGNED:
        assert f"`{name}`" in readme


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(path)):
        if not re.match(r"[a-z]+:|#", target):
            found = Path(os.path.normpath(path.parent / target.partition("#")[0]))
            # The reference is made when the site is built (scripts/sitegen); tests/docs follows these links there.
            assert found.exists() or found.is_relative_to(ROOT / "docs" / "reference"), target


TOP = ("src/", "tests/", "docs/", "benchmarks/", "scripts/", ".ci/")
INSIDE = ("audit/", "cli/", "demo/", "evidence/", "mail/", "mailauth/", "policy/", "report/", "spf/", "tenant/")


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_files_in_pages_exist(path: Path) -> None:
    package = ROOT / "src" / "sidedoor"
    howto = path.parent.name == "howto"  # where `report/` and `scripts/` are the reader's folders
    for code in quoted(path):
        for name in re.findall(r"(?<![\w/.])(?:\.ci|[a-z]+)/[\w./-]*", code):
            if name.startswith(TOP):
                assert (ROOT / name).exists() or (howto and name.startswith("scripts/")), name
            elif not howto and name.startswith(INSIDE) and re.fullmatch(r"[\w/]+\.(?:py|toml|json)", name):
                assert (package / name).exists() or (package / "mailauth" / name).exists(), name


def test_make_targets_in_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = {name for path in PAGES for code in quoted(path) for name in re.findall(r"^\$? ?make ([a-z]+)", code)}
    assert {"demo", "test", "check"} <= named <= targets


def test_every_benchmark_is_described() -> None:
    page = text(ROOT / "benchmarks" / "README.md")
    named = set(re.findall(r"^\| `(\w+\.py)`", page, re.MULTILINE))
    files = {path.name: text(path) for path in (ROOT / "benchmarks").glob("*.py") if path.name != "__main__.py"}
    assert named == {name for name, code in files.items() if 'if __name__ == "__main__":' in code}


def test_decisions_are_numbered_and_listed() -> None:
    index = text(ROOT / "docs" / "decisions" / "README.md")
    assert re.findall(r"^\| \[(\d{4})\]", index, re.MULTILINE) == [path.name[:4] for path in DECISIONS]
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("path", DECISIONS, ids=page_id)
def test_a_decision_has_its_parts(path: Path) -> None:
    page = text(path)
    assert re.match(rf"# {path.name[:4]}: \S", page)
    assert re.search(r"^(?:\*\*)?Status:(?:\*\*)? (?:proposed|accepted|replaced by \d{4})\b", page, re.MULTILINE)
    assert len(re.findall(r"^## ", page, re.MULTILINE)) >= 3


def test_exit_codes_are_the_same_everywhere() -> None:
    tables = [
        re.findall(r"^\| (\d+) \| (.+?) \|$", text(ROOT / name).partition("## Exit codes")[2], re.MULTILINE)
        for name in ("README.md", "docs/contract.md")
    ]
    assert [code for code, _ in tables[0]] == [code for code, _ in tables[1]]
    assert sidedoor.help is not None
    assert [code for code, _ in tables[0]] == re.findall(r"(?:^|[:;] )(\d+) ", re.sub(r"\s+", " ", sidedoor.help))


def test_the_changelog_knows_this_version() -> None:
    assert re.search(rf"^## \[{re.escape(__version__)}\]", text(ROOT / "CHANGELOG.md"), re.MULTILINE)


# In the development guide the names in DuckDB are the engine's.
def test_the_tables_of_the_guide_are_in_the_engine() -> None:
    guide = text(ROOT / "docs" / "development.md").partition("The names in DuckDB:")[2].partition("## Recipes")[0]
    engine = "".join(text(path) for path in sorted((ROOT / "src/sidedoor/audit/engine").glob("*.py")))
    names = [name for row in re.findall(r"^\| (`.+?) \|", guide, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert len(names) > 15
    for name in names:
        assert re.search(rf'(?:VIEW|TABLE) {name}\b|"{name}"', engine), name


# `message/rfc822` and its like are names of media types and of address types, no citations.
CITED = re.compile(r"\b(?!(?-i:rfc822))RFC\s*-?\d+(?:,?\s+(?:sections?|sect\.|sec\.|§+)\s*[\w.]*)?", re.IGNORECASE)
WELL_FORMED = re.compile(r"RFC\s\d{3,5}(?:,?\s+sections? (?:\d+|[A-Z])(?:\.\d+)*\.?)?")


@pytest.mark.parametrize(
    ("words", "good"),
    [
        ("RFC 7208", True),
        ("RFC 7208 section 4.6.4", True),
        ("RFC 5321, section 4.5.5.", True),
        ("RFC 8601 section A.1", True),
        ("RFC7208", False),
        ("rfc 7208", False),
        ("RFC 7208 § 4", False),
        ("RFC 7208 sec. 4", False),
        ("RFC 7208 Section 4", False),
        ("RFC 7208 section four", False),
    ],
)
def test_the_form_of_a_citation(words: str, good: bool) -> None:
    found = CITED.search(words)
    assert found is not None
    assert bool(WELL_FORMED.fullmatch(found[0])) is good


def test_standards_are_cited_in_one_form() -> None:
    files = [*PAGES, *sorted((ROOT / "src").rglob("*.py"))]
    cited = [(path, found) for path in files for found in CITED.findall(text(path))]
    assert len(cited) > 50
    wrong = [f"{path.relative_to(ROOT)}: {found}" for path, found in cited if not WELL_FORMED.fullmatch(found)]
    assert wrong == []


def rows_below(page: str, heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, the head of the table left out."""
    table = re.search(r"(?:^\|.*\n)+", text(ROOT / page).partition(f"\n## {heading}\n")[2], re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|\n").split(" | ")] for line in table[0].splitlines()[2:]]


def test_the_rules_tables_are_the_code() -> None:
    assert [row[0].strip("`") for row in rows_below("docs/rule.md", "Steps")] == [
        step.name.lower().replace("_", "-") for step in Step
    ]
    assert rows_below("docs/rule.md", "Open questions the rule does not ask") == [
        [row.question, row.handling] for row in OPEN_QUESTIONS
    ]
    assert [(cells[0], *cells[2:]) for cells in rows_below("docs/rule.md", "Switches")] == [
        (f"`{row.name}`", row.certainty.word, row.meaning, row.source) for row in SWITCHES
    ]
    assert rows_below("docs/rule.md", "Replies") == [
        [f"`{row.reply}`", row.meaning, row.certainty.word, row.source] for row in REPLIES.values()
    ]
