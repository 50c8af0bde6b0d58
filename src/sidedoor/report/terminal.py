"""The summary on the terminal: the answer on one screen, then where the whole report lies.

Written with standard colours as an extra: every colour stands beside a word or a sign, so the text loses nothing
without them. No text from outside is parsed as rich markup, and what the terminal cannot print becomes `?`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.audit.model import Audit, FileCoverage, Sender, Verdict
from sidedoor.policy.decision import Submission
from sidedoor.report import words
from sidedoor.report.answer import answer, blockers
from sidedoor.report.text import clean, shorten
from sidedoor.report.writer import HTML, REJECTED

if TYPE_CHECKING:
    from rich.console import Console

TOP_SENDERS = 6
TOP_FACTS = 3
TOP_FILES = 4
MAX_WIDTH = 100

_SIGNS = {Verdict.LEGITIMATE: ("✓", "+"), Verdict.SPOOFING: ("✕", "x"), Verdict.UNCLEAR: ("?", "?")}
_STYLES = {Verdict.LEGITIMATE: "green", Verdict.SPOOFING: "red", Verdict.UNCLEAR: "magenta"}
TOP_WARNINGS = 1
_STATES = {"ready": "green", "not-ready": "red", "undetermined": "magenta"}


def summary(audit: Audit, out_dir: Path, console: Console) -> None:
    """Print the summary to `console`; `out_dir` is where the files lie."""
    page = Page(console)
    _answer(page, audit)
    _totals(page, audit)
    _senders(page, audit)
    _elsewhere(page, audit)
    _missing(page, audit)
    _warnings(page, audit)
    _files(page, audit)
    _next(page, audit, out_dir)


class Page:
    """Lines on a console of known width, made printable there."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.width = min(console.width, MAX_WIDTH)
        self._encoding = console.encoding or "utf-8"
        self.ascii = not self._encoding.lower().startswith("utf")

    def line(self, *parts: str | tuple[str, str], indent: int = 0, bullet: str = "") -> None:
        """One paragraph of plain and (text, style) parts, wrapped at the width, set in from the left."""
        from rich.text import Text

        text = Text()
        for part in parts:
            content, style = (part, "") if isinstance(part, str) else part
            text.append(self._printable(content), style=style)
        margin = " " * indent + bullet
        for wrapped in text.wrap(self._console, self.width - len(margin)):
            wrapped.rstrip()
            self._console.print(Text(margin) + wrapped, soft_wrap=True, highlight=False)
            margin = " " * len(margin)

    def whole(self, text: str) -> None:
        """One line that is never broken, such as a path to be copied."""
        from rich.text import Text

        self._console.print(Text(self._printable(text)), soft_wrap=True, highlight=False)

    def heading(self, text: str) -> None:
        """A bold line after an empty one."""
        self._console.print()
        self.line((text, "bold"))

    def fit(self, text: str, room: int) -> str:
        """`text` cut to `room` columns at most (wide East Asian characters take two)."""
        from rich.cells import cell_len

        shown = shorten(text, max(room, 1))
        while cell_len(shown) > max(room, 1):
            shown = shorten(shown, len(shown) - 1) if len(shown) > 1 else "…"
            if len(shown) == 1:
                break
        return shown

    def _printable(self, text: str) -> str:
        shown = clean(text)
        if self.ascii:
            shown = shown.replace("…", "...").replace("−", "-").replace("–", "-")
        return shown.encode(self._encoding, "replace").decode(self._encoding, "replace")

    def sign(self, verdict: Verdict) -> str:
        """The sign of an assessment, in ASCII where nothing else can be printed."""
        return _SIGNS[verdict][self.ascii]


def _answer(page: Page, audit: Audit) -> None:
    found = answer(audit)
    page.line((found.headline, f"bold {_STATES.get(found.state, '')}".strip()))
    page.line(found.sentence)
    page.line(found.switch)
    for text in found.why:
        page.line(text, indent=2, bullet="- ")


def _totals(page: Page, audit: Audit) -> None:
    span = "" if audit.window is None else f", {words.day(audit.window[0])} to {words.day(audit.window[1])}"
    page.heading(f"How {words.count(audit.coverage.messages, 'message')} came in{span}")
    shown = [(words.SUBMISSION[word][0], audit.totals[word]) for word in Submission if audit.totals.get(word)]
    cells = [f"{messages:>11,}  {label}" for label, messages in shown]
    columns = 2 if page.width >= 70 else 1
    for start in range(0, len(cells), columns):
        page.line("".join(cell.ljust(38) for cell in cells[start : start + columns]).rstrip())


def _senders(page: Page, audit: Audit) -> None:
    if not audit.senders:
        return
    chosen = _top(audit)
    left = len(audit.senders) - len(chosen)
    page.heading(f"Senders: {len(chosen)} of {len(audit.senders):,}" if left else "Senders")
    page.line(f"{'  assessment':<14}{'messages':>10}{'refused':>10}  sender")
    for sender in chosen:
        _sender(page, sender)


def _top(audit: Audit) -> list[Sender]:
    """Those that stand in the way first, then by messages."""
    first = {sender.id for sender in blockers(audit)}
    ordered = sorted(audit.senders, key=lambda sender: (sender.id not in first, -sender.messages))
    return ordered[:TOP_SENDERS]


def _sender(page: Page, sender: Sender) -> None:
    label = f"{page.sign(sender.assessment)} {words.ASSESSMENT[sender.assessment]}"
    style = f"bold {_STYLES[sender.assessment]}"
    refused = f"{sender.would_reject:,}" if sender.would_reject or not sender.would_reject_unknown else "?"
    name = page.fit(sender.name, page.width - 38)
    page.line((f"{label:<14}", style), f"{sender.messages:>10,}{refused:>10}  ", (name, "bold"))
    why = f"{words.SUBMISSION[sender.submission][0]}. {words.leading_reason(sender)}"
    page.line(page.fit(why, page.width - 4), indent=4)


def _elsewhere(page: Page, audit: Audit) -> None:
    if not audit.reported:
        return
    known = sum(1 for source in audit.reported if source.sender)
    addresses = words.count(len(audit.reported), "address", "addresses")
    mail = words.count(audit.reported_messages, "message")
    page.line(f"DMARC reports: {mail} in your name from {addresses} ({known} known above).")


def _missing(page: Page, audit: Audit) -> None:
    missing = audit.coverage.missing
    if not missing:
        return
    page.heading("What could not be told, and what would tell it")
    for item in missing[:TOP_FACTS]:
        about = f" ({words.count(item.messages, 'message')})" if item.messages else ""
        told_by = page.fit(item.how_to_get_it, 110)
        page.line((page.fit(item.fact, 30), "bold"), about, ": ", told_by, indent=2, bullet="- ")
    _more(page, len(missing) - TOP_FACTS, "fact")


def _warnings(page: Page, audit: Audit) -> None:
    if not audit.coverage.warnings:
        return
    page.heading("Mind")
    for text in audit.coverage.warnings[:TOP_WARNINGS]:
        page.line(page.fit(text, 220), indent=2, bullet="- ")
    _more(page, len(audit.coverage.warnings) - TOP_WARNINGS, "remark")


def _troubled(files: Iterable[FileCoverage]) -> Iterator[tuple[FileCoverage, str]]:
    """Files about which there is something to say, with what."""
    for file in files:
        rejected = f"{words.count(file.rejected_rows, 'row')} of {file.rows:,} rejected" if file.rejected_rows else ""
        if said := "; ".join(part for part in (rejected, file.note) if part):
            yield file, said


def _files(page: Page, audit: Audit) -> None:
    troubled = sorted(_troubled(audit.coverage.files), key=lambda item: item[0].format == "skipped")
    if not troubled:
        return
    page.heading("Files to look at")
    for file, said in troubled[:TOP_FILES]:
        page.line((page.fit(_end(file.path), 40), "bold"), ": ", page.fit(said, 110), indent=2, bullet="- ")
    _more(page, len(troubled) - TOP_FILES, "file")
    if any(file.rejected_rows for file, _ in troubled):
        page.line(f"{REJECTED} lists every rejected row and why.", indent=2)


def _end(path: str) -> str:
    """The end of a path, which tells more than its beginning."""
    return path if len(path) <= 40 else f"…{path[-39:]}"


def _more(page: Page, number: int, noun: str) -> None:
    if number > 0:
        page.line(f"and {words.count(number, 'more ' + noun)} in the report", indent=2)


def _next(page: Page, audit: Audit, out_dir: Path) -> None:
    page.heading("The whole report")
    page.whole(str(out_dir / HTML))
    page.line(("Next: ", "bold"), _advice(audit))


def _advice(audit: Audit) -> str:
    """One step, the most useful now."""
    closed = audit.tenant.reject_direct_send is True
    if not audit.coverage.messages:
        return "collect the mail history of some weeks and audit it."
    if audit.readiness.state == "not-ready":
        return "open the report, and give each legitimate sender another way in" + (
            ": its mail is being refused." if closed else " before you close the door."
        )
    if audit.readiness.state == "ready":
        return (
            "keep watching for new senders."
            if closed
            else ("close it with Set-OrganizationConfig -RejectDirectSend $true; it takes up to 30 minutes to act.")
        )
    if audit.coverage.missing and audit.simulation.undetermined:
        return "get the exports named above and audit again; decide on the unclear senders in the report."
    return "open the report and decide what the unclear senders are."
