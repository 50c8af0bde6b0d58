"""An explanation on one screen of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidedoor.audit.explanation import Answer, Explanation
from sidedoor.evidence.message import Hop, HopTrust
from sidedoor.report import explain_words as said
from sidedoor.report.terminal import Page

if TYPE_CHECKING:
    from rich.console import Console

    from sidedoor.mailauth.authenticate import MessageAuthentication

TOP_HOPS = 6
TOP_NOTES = 4
_STYLES = {Answer.DIRECT_SEND: "yellow", Answer.OTHER: "green", Answer.CANNOT_TELL: "magenta"}
_TRUST = {
    HopTrust.SERVICE: "Microsoft",
    HopTrust.ENTRY: "entry",
    HopTrust.SENDER: "unproven",
}
_SPEAKS = {"for": "+ ", "against": "- ", "": "  "}


def explain_text(explanation: Explanation, console: Console, title: str = "") -> None:
    """Print one explanation; `title` names the message where there are several."""
    page = Page(console)
    if title:
        page.line((title, "bold"))
    page.line((said.headline(explanation), f"bold {_STYLES[explanation.answer]}"))
    for text in (said.sureness(explanation), said.effect(explanation)):
        if text:
            page.line(text)
    for text in said.because(explanation):
        page.line(text, indent=2, bullet="- ")
    _facts(page, explanation)
    _path(page, explanation)
    _signs(page, explanation)
    _rest(page, explanation)


def _facts(page: Page, explanation: Explanation) -> None:
    page.heading("What is known of it")
    for label, value, remark in said.facts(explanation):
        shown = page.fit(value, 2 * (page.width - 22))
        page.line(shown, f" ({remark})" if remark else "", indent=2, bullet=f"{label:<17} ")


def _path(page: Page, explanation: Explanation) -> None:
    hops = explanation.message.hops
    if not hops:
        return
    page.heading("Its path, the newest hop first")
    boundary = explanation.message.boundary
    first = boundary if isinstance(boundary, int) else 0
    shown = [*range(min(2, len(hops))), *range(first, len(hops))]
    for index in list(dict.fromkeys(shown))[:TOP_HOPS]:
        _hop(page, hops[index])
        if index == boundary:
            page.line("  ^ the first line that Microsoft wrote; below it all may be forged", indent=2)
    left = len(hops) + explanation.message.hops_left_out - len(list(dict.fromkeys(shown))[:TOP_HOPS])
    if left > 0:
        page.line(f"and {left:,} more; --json has them", indent=2)


def _hop(page: Page, hop: Hop) -> None:
    trust = (f"{_TRUST[hop.trust]:<10}", "bold" if hop.trust is HopTrust.ENTRY else "")
    parsed = hop.parsed
    # Microsoft's own names are long and alike: the first label is enough to know the host by.
    inside = hop.trust is HopTrust.SERVICE
    source = parsed.helo or parsed.from_name or "?"
    source = source.partition(".")[0] if inside else source
    source += f" ({parsed.client_ip})" if parsed.client_ip and not inside else ""
    target = parsed.by or "?"
    target = target if hop.trust is HopTrust.SENDER else target.partition(".")[0]
    how = f", {parsed.tls}" if parsed.tls else ", no TLS" if hop.trust is HopTrust.ENTRY else ""
    when = f", {parsed.date:%H:%M:%S}" if parsed.date else ""
    text = hop.problem or f"{source} to {target}{how}{when}"
    page.line(trust, page.fit(text, page.width - 14), indent=2)


def _signs(page: Page, explanation: Explanation) -> None:
    page.heading("Signs for (+) and against (-) Direct Send")
    for sign in said.signs(explanation):
        page.line(sign.text, indent=2, bullet=_SPEAKS[sign.speaks])


def _rest(page: Page, explanation: Explanation) -> None:
    lacking = said.missing(explanation)
    notes = explanation.message.notes
    if lacking:
        page.heading("What is missing, and what would tell it")
        for name, how in lacking:
            page.line((name, "bold"), ": ", page.fit(how, 120), indent=2, bullet="- ")
    if notes:
        page.heading("Odd about this header")
        for note in notes[:TOP_NOTES]:
            page.line(page.fit(note, 150), indent=2, bullet="- ")
        if len(notes) > TOP_NOTES:
            page.line(f"and {len(notes) - TOP_NOTES} more; --json has them", indent=2)


def verified_text(verified: MessageAuthentication, console: Console) -> None:
    """What the checks say today, below the explanation."""
    page = Page(console)
    page.heading("Checked again now")
    for name, result, why in said.verified(verified):
        page.line((result, "bold"), f": {why}" if why else "", indent=2, bullet=f"{name:<6} ")
