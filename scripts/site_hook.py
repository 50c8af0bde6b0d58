"""MkDocs calls this while it builds: it adds the pages that are made from the code, and completes the navigation."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # of this tree, whatever is installed
sys.path.insert(0, str(Path(__file__).resolve().parent))

from sitegen.further import further
from sitegen.nav import NavigationError, completed
from sitegen.outside import relinked
from sitegen.pages import generated

ROOT = Path(__file__).resolve().parents[1]
_made: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the pages, and put them into the navigation."""
    _made.clear()
    _made.update(generated(ROOT))
    docs = Path(config.docs_dir)
    written = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.md"))
    try:
        config.nav = completed(config.nav or [], [*_made, *written], frozenset(config.extra["later"]))
    except NavigationError as error:
        raise PluginError(str(error)) from error
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Lay the pages beside those of docs/."""
    for path, content in _made.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Lead links out of docs/ to where the site has them, and add those to pages that may not be there yet."""
    if page.file.src_uri == "index.md":
        page.meta["hide"] = ["navigation"]  # it leads to all of it
    markdown += further(page.file.src_uri, config.extra["further"], Path(config.docs_dir))
    return relinked(markdown, page.file.src_uri)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Keep options and other short words of code on one line: browsers break them at their hyphens."""
    return re.sub(r"<code>(?=[^<\s]{1,24}</code>)", '<code class="whole">', html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Name the search, which the theme leaves without a name for screen readers."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )
