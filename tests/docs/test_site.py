"""The built site: complete, whole in itself, and readable."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tests.docs.conftest import Site
from tests.docs.kit import DOCS, ROOT, Html, page_id, target

SECONDS = 15


def test_it_builds_from_a_clean_checkout_without_a_warning(site: Site) -> None:
    assert re.findall(r"WARNING|ERROR|Warning", site.said) == []
    assert "Documentation built" in site.said
    assert site.seconds < SECONDS
    assert len(site.pages()) > 80


def test_make_docs_is_that_build() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^docs: .*## ", makefile, re.MULTILINE)  # `make help` lists what has such a comment
    assert "mkdocs build --strict" in makefile
    assert not re.search(r"mkdocs build[^#\n]*--quiet", makefile)  # with it, MkDocs does not notice its own warnings
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    assert settings["strict"] is True
    assert settings["site_dir"] == "build/site"


def test_no_page_loads_anything_from_elsewhere(built: dict[Path, Html]) -> None:
    loaded = {(page.path.name, address) for page in built.values() for address in page.loads}
    assert len(loaded) > 100
    assert [each for each in loaded if re.match(r"(?:[a-z]+:)?//", each[1])] == []


def test_what_pages_load_is_there(built: dict[Path, Html], site: Site) -> None:
    for page in built.values():
        if page.path.name == "404.html":  # a server gives it for any address, so its own are absolute
            continue
        for address in page.loads:
            found = target(page.path, address)
            assert found is not None
            assert found[0].is_file(), f"{page.path}: {address}"
            assert found[0].is_relative_to(site.folder.resolve())


def test_style_sheets_load_nothing_from_elsewhere(site: Site) -> None:
    sheets = list(site.folder.rglob("*.css"))
    assert len(sheets) >= 3
    for sheet in sheets:
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:url\(\s*['\"]?|@import\s+['\"]?)(?:https?:)?//", text), sheet.name


def test_links_and_anchors_lead_somewhere(built: dict[Path, Html]) -> None:
    broken = []
    for page in built.values():
        for link in page.links:
            found = target(page.path, link)
            if found is None:
                assert re.match(r"https://|mailto:", link), f"{page.path.name}: {link}"
            elif page.path.name == "404.html":
                continue
            elif not found[0].is_file() or (found[0] in built and found[1] not in ["", *built[found[0]].ids]):
                broken.append(f"{page.path.name}: {link}")
    assert broken == []


def test_every_page_is_reached_by_the_navigation(built: dict[Path, Html], site: Site) -> None:
    start = (site.folder / "index.html").resolve()
    seen, waiting = {start}, [start]
    while waiting:
        page = built[waiting.pop()]
        for link in page.navigation:
            found = target(page.path, link)
            if found is not None and found[0] in built and found[0] not in seen:
                seen.add(found[0])
                waiting.append(found[0])
    unreached = {path for path in built if path.name != "404.html"} - seen
    assert sorted(path.relative_to(site.folder.resolve()).as_posix() for path in unreached) == []


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=page_id)
def test_every_page_of_docs_is_in_the_site(path: Path, site: Site) -> None:
    name = path.relative_to(DOCS).with_suffix(".html")
    name = name.with_name("index.html") if name.name == "README.html" else name
    assert (site.folder / name).is_file(), f"put {path.name} into the navigation of mkdocs.yml"


def test_headings_are_in_order(built: dict[Path, Html]) -> None:
    for page in built.values():
        levels = [level for level, _ in page.headings]
        assert levels[:1] == [1], page.path
        assert levels.count(1) == 1, page.path
        for before, after in pairwise(levels):
            assert after <= before + 1, (page.path, page.headings)
        assert all(text.strip("#¶ ") for _, text in page.headings), page.path


def test_ids_are_given_once_and_the_language_is_said(built: dict[Path, Html]) -> None:
    for page in built.values():
        assert page.languages == ["en"], page.path
        doubled = [name for name, times in Counter(page.ids).items() if times > 1]
        assert doubled == [], (page.path, doubled)


def test_no_markdown_is_left_in_the_words(built: dict[Path, Html]) -> None:
    for page in built.values():
        left = re.findall(r"```|\*\*|\]\(|<!--|\{#|\{:|(?m:^\|.*\|$)", page.text)
        left += [words for words in page.words if re.match(r"\s*\|", words)]  # a row outside any table
        assert left == [], (page.path.name, left)


def test_the_search_knows_every_page(site: Site) -> None:
    index = json.loads((site.folder / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {each["location"].partition("#")[0] for each in index["docs"]}
    pages = {path.relative_to(site.folder).as_posix() for path in site.pages() if path.name != "404.html"}
    assert pages <= places
    assert (site.folder / "search" / "search_index.js").is_file()  # for pages opened from a folder
