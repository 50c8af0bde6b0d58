"""What the tests of the site share: pages as Markdown and as built, and the commands that stand in them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from sidedoor.cli.main import sidedoor

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOWTOS = sorted((DOCS / "howto").glob("*.md"))
PAGES = sorted(path for path in DOCS.rglob("*.md") if path.parent.name != "decisions")
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "embed": "src", "object": "data"}
_LOADING_LINKS = frozenset({"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload"})


def page_id(path: Path) -> str:
    """The path of a page for people."""
    return str(path.relative_to(ROOT))


def checkout(folder: Path) -> Path:
    """The files of the repository as a clone has them, new ones that nobody has added yet among them."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        names = [name for name in listed.stdout.split("\0") if name]
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file()]
    for name in names:
        if not name.startswith(("tests/", ".", "build/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@dataclass(repr=False)
class Html(HTMLParser):
    """One built page: what it loads, where it links, its ids, headings and words outside code."""

    path: Path
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    navigation: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    languages: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads, is, or leads to."""
        given = dict(attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if (name := given.get("id")) is not None:
            self.ids.append(name)
        if tag == "html":
            self.languages.append(given.get("lang"))
        if tag in _LOADS and given.get(_LOADS[tag]):
            self.loads.append(given[_LOADS[tag]] or "")
        if tag == "link" and _LOADING_LINKS & set((given.get("rel") or "").split()):
            self.loads.append(given.get("href") or "")
        if "srcset" in given:
            self.loads += [part.split()[0] for part in (given["srcset"] or "").split(",") if part.split()]
        self.loads += re.findall(r"url\(([^)]*)\)", given.get("style") or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
            if "md-nav__link" in (given.get("class") or "") or "md-tabs__link" in (given.get("class") or ""):
                self.navigation.append(given["href"] or "")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and what was left open within it."""
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Words, and the text of a heading."""
        if self._open and re.fullmatch("h[1-6]", next((t for t in reversed(self._open) if t[0] == "h"), "")):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)
        if not {"script", "style", "code", "pre"} & set(self._open):
            self.words.append(data)

    @cached_property
    def text(self) -> str:
        """The words outside code."""
        return " ".join(self.words)


def target(page: Path, link: str) -> tuple[Path, str] | None:
    """(file, anchor) that a link leads to; None for one that leaves the site."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return file, unquote(parts.fragment)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(language, text) of a page's code blocks; "" for indented ones."""
    for language, text in re.findall(r"^```([a-z]*)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield language, text
    rest = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    for text in re.findall(r"(?:^    \S.*\n(?:    .*\n|\n(?=    ))*)", rest, re.MULTILINE):
        yield "", re.sub(r"^    ", "", text, flags=re.MULTILINE)


def command_lines(page: str) -> Iterator[str]:
    """Every `sidedoor ...` that a page's code blocks have, from `sidedoor` on, without what a shell does with it."""
    for language, text in blocks(page):
        if language not in {"", "sh", "console", "ini"}:
            continue
        for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
            if re.match(r"#|\s*//", line) or (language == "console" and not line.startswith("$ ")):
                continue
            for found in re.finditer(r"(?:^(?:\$ )?|[|;&=/] ?|\bxargs )sidedoor (?=[a-z])([^|;&>]*)", line):
                yield "sidedoor " + re.split(r"\s+#|\s<\s", found[1])[0].strip()


def is_synopsis(line: str) -> bool:
    """Whether a line shows what may be typed rather than what to type."""
    return bool(re.search(r"…|\s\[-|\s\[--|\.\.\.|\[\w+ …|\bID \.\.\.", line))


def complaint(line: str) -> str:
    """What click says against a command line, without running it; "" where it would run."""
    rest = [word for word in shlex.split(line)[1:] if word != "--debug"]
    command: click.Command = sidedoor
    name = "sidedoor"
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(click.Context(command), name)
        if found is None:
            return f"no command {name!r}"
        command = found
    try:
        command.make_context(name, rest)
    except click.exceptions.Exit:  # --help, --version
        return ""
    except click.ClickException as error:
        return error.format_message()
    return ""
