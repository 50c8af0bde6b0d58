"""What pages show of a terminal is what comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import fits, missing_tools, terminal, typed, world_of
from tests.docs.kit import DOCS, page_id
from tests.docs.worlds import make_world

PLAYED = [path for path in sorted(DOCS.rglob("*.md")) if "```console" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", PLAYED, ids=page_id)
def test_what_is_typed_says_what_the_page_shows(path: Path, planned: Path, tmp_path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    commands = typed(page)
    assert page.count("\n$ ") == len(commands)  # an indented block would be passed over
    if missing := missing_tools(commands):
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    folder = tmp_path / "here"
    make_world(world_of(page), folder, planned)
    with terminal(folder) as here:
        for number, each in enumerate(commands):
            said = here.run(each)
            assert fits(each.shown, said), f"$ {each.command}\n{said}"
            asked = number + 1 < len(commands) and commands[number + 1].command == "echo $?"
            assert asked or each.command == "echo $?" or here.code == 0, f"$ {each.command}\n{said}"


def test_many_pages_are_played() -> None:
    assert len(PLAYED) > 20


@pytest.mark.parametrize(
    ("shown", "said", "good"),
    [
        ("a\nb", "a\nb\n", True),
        ("a\nb", "a\nc\n", False),
        ("a", "a\nb\n", False),
        ("a\n…", "a\nb\nc\n", True),
        ("…\nc", "a\nb\nc\n", True),
        ("a\n…\nd", "a\nd\n", True),
        ("a … c", "a b c\n", True),
        ("a … c", "a b\nc\n", False),
        ("", "", True),
        ("", "something\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_what_fits(shown: str, said: str, good: bool) -> None:
    assert fits(shown, said) is good


def test_a_page_is_taken_apart() -> None:
    page = "```console\n$ one \\\n      two\nout\n$ cat > x <<'EOT'\n$ inside\nEOT\n$ three &\n…\n```\n"
    commands = typed(page.replace("$ inside", "inside"))
    assert [each.command for each in commands] == ["one \\\n      two", "cat > x <<'EOT'\ninside\nEOT", "three &"]
    assert [each.shown for each in commands] == ["out", "", "…"]
    assert [each.behind for each in commands] == [False, False, True]
