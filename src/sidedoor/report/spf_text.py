"""`sidedoor spf` on a terminal: the tree with what each branch costs, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from sidedoor.mailauth.spf import SpfEvidence, SpfResult
from sidedoor.mailauth.spf.terms import All, Network
from sidedoor.mailauth.spf.tree import Branch, Covered, Leaf
from sidedoor.mailauth.spf.walk import MAX_LOOKUPS
from sidedoor.report.spf_answer import BEARING, OPINIONS, SpfAnswer
from sidedoor.report.terminal import Page
from sidedoor.report.words import count

if TYPE_CHECKING:
    from rich.console import Console

MOST_ROWS, MOST_FINDINGS = 40, 20
_COLUMNS = 34  # width of the three figures on the right
_STYLES = {SpfResult.PASS: "green", SpfResult.FAIL: "red", SpfResult.SOFTFAIL: "red", SpfResult.PERMERROR: "red"}
_REST = {
    SpfResult.PASS: "pass: the record lets everybody use the domain",
    SpfResult.FAIL: "fail",
    SpfResult.SOFTFAIL: "soft fail",
    SpfResult.NEUTRAL: "neutral, as if there were no record",
    SpfResult.PERMERROR: "error (permerror)",
    SpfResult.TEMPERROR: "error for now (temperror)",
    SpfResult.UNDETERMINED: "not known",
}
_TROUBLE = {SpfResult.NONE: "no record", SpfResult.PERMERROR: "broken"}  # else: no answer


def print_answer(answer: SpfAnswer, console: Console) -> None:
    """Print everything; at most some screens, whatever the record holds."""
    page = Page(console)
    _headline(page, answer)
    if answer.tree.record is not None:
        _tree(page, answer)
    _findings(page, answer)
    _ending(page, answer)
    for ip, evidence in answer.covers:
        _covers(page, ip, evidence)


def figure(number: int) -> str:
    """A number that fits into eleven columns."""
    return f"{number:,}" if number < 10**9 else f"{number:.1e}"


def _headline(page: Page, answer: SpfAnswer) -> None:
    tree = answer.tree
    if tree.record is None:
        page.line((tree.domain, "bold"), ": ", page.fit(tree.trouble.cause if tree.trouble else "", 400))
        return
    covered = f"{figure(tree.covered.ip4)} IPv4 addresses and {figure(tree.covered.ip6_64s)} IPv6 /64 pass"
    page.line((tree.domain, "bold"), f": {tree.lookups} of {MAX_LOOKUPS} look-ups, {covered}")
    rest = answer.rest
    if rest is not None:
        word = "hangs on the message" if rest.needs_message else _REST[rest.result]
        page.line(page.fit(f"Everybody else: {word}; {rest.cause}", 400))


def _tree(page: Page, answer: SpfAnswer) -> None:
    page.line("")
    page.line(" " * (page.width - _COLUMNS), (f"{'look-ups':>8}{'IPv4':>12}{'IPv6 /64s':>14}", "bold"))
    rows = list(_rows(answer, answer.tree, "", page.ascii))
    for text, lookups, covered in rows[:MOST_ROWS]:
        room = page.width - _COLUMNS - 1
        shown = page.fit(text, room - 2).replace("…", "...") if page.ascii else page.fit(text, room)
        figures = f"{lookups or '':>8}{figure(covered.ip4):>12}{figure(covered.ip6_64s):>14}"
        page.whole(_padded(shown, room + 1) + figures)
    if len(rows) > MOST_ROWS:
        page.line(f"and {count(len(rows) - MOST_ROWS, 'more row')}; --json has all", indent=2)


def _padded(text: str, columns: int) -> str:
    from rich.cells import cell_len

    return text + " " * (columns - cell_len(text))


def _rows(answer: SpfAnswer, branch: Branch, margin: str, ascii_only: bool) -> Iterator[tuple[str, int, Covered]]:
    if not branch.term:
        yield branch.domain, branch.lookups, branch.covered
    below = list(_joined(branch.parts))
    for number, each in enumerate(below, 1):
        last = number == len(below)
        arm, onward = (
            (("`-", "  ") if last else ("|-", "| ")) if ascii_only else (("└ ", "  ") if last else ("├ ", "│ "))
        )
        if isinstance(each, Branch):
            who = answer.label(each)
            wrong = f"{_TROUBLE.get(each.trouble.result, 'no answer')}! " if each.trouble else ""
            yield f"{margin}{arm}{wrong}{each.term}" + (f" ({who})" if who else ""), each.lookups, each.covered
            yield from _rows(answer, each, margin + onward, ascii_only)
        else:
            yield f"{margin}{arm}{each[0]}", each[1], each[2]


def _joined(parts: Iterable[Leaf | Branch]) -> Iterator[tuple[str, int, Covered] | Branch]:
    """A record's parts in order; networks that stand together are one row, `all` is none."""
    for networks, group in groupby(parts, lambda part: isinstance(part, Leaf) and isinstance(part.term, Network)):
        some = list(group)
        if networks:
            covered = Covered(sum(each.covered.ip4 for each in some), sum(each.covered.ip6_64s for each in some))
            yield str(some[0].term) if len(some) == 1 else f"{len(some):,} networks (ip4, ip6)", 0, covered
            continue
        for each in some:
            if isinstance(each, Branch):
                yield each
            elif not isinstance(each.term, All):
                yield str(each.term), each.lookups, each.covered


def _findings(page: Page, answer: SpfAnswer) -> None:
    if not answer.findings:
        return
    page.heading("To look at")
    for finding in answer.findings[:MOST_FINDINGS]:
        page.line(page.fit(_sentence(finding.text), 400), indent=2, bullet="- ")
        page.line(finding.advice, indent=4)
    left = len(answer.findings) - MOST_FINDINGS
    if left > 0:
        page.line(f"and {count(left, 'more remark')}; --json has all", indent=2)


def _ending(page: Page, answer: SpfAnswer) -> None:
    if answer.tree.record is None:
        return
    page.heading("How should it end? Microsoft says both")
    for opinion in OPINIONS:
        page.line(f"{opinion.says}: {opinion.source}", indent=2, bullet="- ")
    page.line(BEARING, indent=2)


def _covers(page: Page, ip: str, evidence: SpfEvidence) -> None:
    page.line("")
    page.line((ip, "bold"), ": ", (evidence.result.value, f"bold {_STYLES.get(evidence.result, '')}".strip()))
    for domain, term in evidence.path:
        page.line(page.fit(f"{domain}  {term}", 300), indent=2)
    page.line(page.fit(_sentence(evidence.cause), 400), indent=2)
    if evidence.explanation:
        page.line(page.fit(f"The domain says: {evidence.explanation}", 300), indent=2)
    if evidence.needs_message:
        page.line("--sender and --helo tell what the record asks of the message.", indent=2)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else text + "."
