"""The reference that is made at build time: complete, and its text is what the code says."""

from __future__ import annotations

import html
import re
import sys
from enum import Enum
from pathlib import Path

import click
import markdown
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.audit.weights import WEIGHTS
from sidedoor.catalogue.catalogue import load_catalogue
from sidedoor.cli.main import COMMANDS
from sidedoor.evidence.registry import FORMATS
from sidedoor.policy.reasons import REASONS
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.switches import SWITCHES
from sidedoor.watch.settings import Settings
from tests.docs.kit import ROOT, Html

sys.path.insert(0, str(ROOT / "scripts"))

from sitegen import commands, exit_codes, formats, rule, schema, senders, settings, store, words
from sitegen.further import further
from sitegen.members import UnexplainedError, comments, enum_table, meanings
from sitegen.nav import NavigationError, completed
from sitegen.outside import relinked
from sitegen.pages import generated
from sitegen.text import code, plain, prose, table

MADE = dict(generated(ROOT))


def shown(text: str) -> str:
    """What a reader sees of Markdown, white space and tags apart."""
    made = markdown.markdown(text, extensions=["tables", "attr_list", "def_list"])
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", made)).split())


def told(path: str) -> str:
    """What a reader sees of a generated page."""
    return shown(MADE[path])


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_page_has_every_option(name: str) -> None:
    page = told(f"reference/commands/{name}.md")
    command = commands.found(name)
    for each in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
        for option in (parameter for parameter in each.params if isinstance(parameter, click.Option)):
            assert option.help
            assert all(spelling in page for spelling in (*option.opts, *option.secondary_opts))
            assert " ".join(re.split(r"`|docs/", option.help)[0].split()) in page
        assert " ".join(re.split(r"`|\n\n", each.help or "")[0].split()) in page


def test_every_command_has_a_page_and_a_line() -> None:
    made = {path for path in MADE if path.startswith(commands.FOLDER)}
    assert made == {f"{commands.FOLDER}{name}.md" for name in (*COMMANDS, "index")}
    for name, (_, summary) in COMMANDS.items():
        assert f"{name} {summary}"[:40] in told(f"{commands.FOLDER}index.md").replace("`", "")


def test_defaults_of_settings_are_the_parsers() -> None:
    found = list(settings.all_settings())
    assert len(found) > 40
    for each in found:
        assert settings.parsed({(each.table, each.key): each.default}) == Settings("contoso.com"), each
        assert each.expected != ""


def test_every_setting_of_the_parser_is_explained() -> None:
    tables = {each.table for each in settings.all_settings()}
    assert {"store", "watch", "inputs", "collect", "alerts", "alerts.thresholds", "retention", "metrics"} <= tables
    assert "a whole number from 0 to 50,000" in told(settings.PATH)
    with pytest.raises(UnexplainedError):
        settings.expected("collect", "no_such_key")


def test_reasons_weights_words_and_replies_are_all_there() -> None:
    page = told(rule.PATH)
    assert all(f"{name} {text.replace('`', '')}" in page for name, text in REASONS.items())
    assert all(str(row.reply) in page for row in REPLIES.values())
    assert all(row.name in page and row.meaning.replace("`", "") in page for row in SWITCHES)
    weights = told(senders.PATH)
    assert all(f"{name} {entry.weight:+g} {entry.text}" in weights for name, entry in WEIGHTS.entries.items())
    assert all(form.title in told(formats.PATH) for form in FORMATS)
    entries = MADE["reference/catalogue-entries.md"]
    assert all(f"### {plain(entry.name)} " in entries for entry in load_catalogue().entries.values())
    assert all(len(row.split(" | ")) == 2 for row in MADE[words.PATH].splitlines() if row.startswith("| "))


def test_the_schemas_keys_are_all_there() -> None:
    page = told(schema.PATH)
    for key in ("tenant.accepted_domains", "senders[].reasons[].weight", "simulation.not_stopped.sent_directly"):
        assert key in page


def test_exit_codes_are_those_of_the_errors() -> None:
    page = told(exit_codes.PATH)
    assert all(f"{number} " in page for number in (0, 1, 2, 3, 4, 70, 130, 141))
    assert "sidedoor plan --require-ready: Exit with 1 where the plan is not ready." in page


def test_the_stores_tables_are_shown_where_there_are_any() -> None:
    there = (ROOT / "src/sidedoor/store/schema.py").exists()
    assert bool(list(store.pages())) is there


class Explained(Enum):
    """Words for a test."""

    ONE = "one"  # the first
    TWO = ("a", "b")[0]  # the second: `a`


class Silent(Enum):
    """A word that nobody explains."""

    ONE = "one"


def test_a_word_without_a_comment_stops_the_build() -> None:
    assert dict(meanings(Explained)) == {"one": "the first", "a": "the second: `a`"}
    with pytest.raises(UnexplainedError, match=r"Silent\.ONE"):
        enum_table(Silent)
    assert comments(Silent) == {}


@given(st.text(max_size=60))
def test_plain_text_stays_as_it_is(text: str) -> None:
    printable = "".join(letter for letter in text if letter.isprintable() and letter not in "\x02\x03")
    assert shown(f"x {plain(printable)} x") == " ".join(f"x {printable} x".split())
    assert shown(f"x {code(printable)} x") == " ".join(f"x {printable} x".split())


@given(st.lists(st.text(alphabet="ab|`*_<>&[]\\#-! ", max_size=12), min_size=1, max_size=3))
def test_a_cell_stays_a_cell(cells: list[str]) -> None:
    made = markdown.markdown(
        table(["head"] * len(cells), [[f"x{plain(cell)}x" for cell in cells]]), extensions=["tables"]
    )
    found = [" ".join(html.unescape(cell).split()) for cell in re.findall(r"<td>(.*?)</td>", made)]
    assert found == [" ".join(f"x{plain_words(cell)}x".split()) for cell in cells]


def plain_words(cell: str) -> str:
    """White space as `plain` leaves it."""
    return " ".join(cell.split())


def test_a_sentence_of_the_code_has_code_and_links() -> None:
    made = prose("Say `a | b` (docs/plan.md), not docs/nowhere.md.", "../")
    assert shown(made) == "Say a | b (plan), not nowhere."
    assert "[plan](../plan.md)" in made
    assert "<code>a &#124; b</code>" in made


def test_the_navigation_is_completed() -> None:
    pages = ["a.md", "b/index.md", "b/c.md", "b/README.md"]
    items = ["a.md", {"B": "b/"}, {"Later": ["later.md"]}, {"T": "later.md"}]
    assert completed(items, pages, {"later.md"}) == [  # type: ignore[arg-type]
        "a.md",
        {"B": ["b/index.md", "b/README.md", "b/c.md"]},
    ]
    with pytest.raises(NavigationError, match=r"missing\.md"):
        completed(["missing.md"], pages, {"later.md"})
    with pytest.raises(NavigationError, match="c/"):
        completed([{"C": "c/"}], pages, set())


@pytest.mark.parametrize(
    ("page", "link", "led"),
    [
        ("edge.md", "rule.md", "rule.md"),
        ("edge.md", "../deploy/sidedoor-edge.service", "project/sidedoor-edge.service"),
        ("howto/x.md", "../../README.md#export-the-data", "../project/overview.md#export-the-data"),
        ("howto/x.md", "../edge.md#the-log", "../edge.md#the-log"),
        ("project/overview.md", "docs/plan.md", "../plan.md"),
        ("project/overview.md", "CHANGELOG.md", "changelog.md"),
        ("project/overview.md", "docs/decisions/README.md", "../decisions/README.md"),
        ("project/overview.md", "https://example.com/docs/x.md", "https://example.com/docs/x.md"),
    ],
)
def test_links_out_of_docs_lead_to_the_site(page: str, link: str, led: str) -> None:
    assert relinked(f"see [it]({link}).", page) == f"see [it]({led})."


def test_links_to_later_pages_are_shown_when_they_are_there(tmp_path: Path) -> None:
    links = {"howto/a.md": ["b.md", "c.md"]}
    assert further("howto/a.md", links, tmp_path) == ""
    (tmp_path / "c.md").write_text("# The page c\n", encoding="utf-8")
    assert further("howto/a.md", links, tmp_path) == "\n\nFurther: [The page c](../c.md).\n"
    assert further("other.md", links, tmp_path) == ""


def test_generated_pages_are_in_no_commit() -> None:
    assert [path for path in MADE if (ROOT / "docs" / path).exists()] == []


def test_tables_are_whole_in_the_built_pages(built: dict[Path, Html]) -> None:
    for page in built.values():
        cells = page.path.read_text(encoding="utf-8")
        for each in re.findall(r"<table>.*?</table>", cells, re.DOTALL):
            head, *rows = re.findall(r"<tr>.*?</tr>", each, re.DOTALL)
            width = len(re.findall(r"<th[ >]", head))
            wrong = [row for row in rows if len(re.findall(r"<td[ >]", row)) != width]
            assert wrong == [], page.path
