"""A plan on the terminal: is it ready, what happens to whom, and what to do next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.plan.model import Blocker, Choice, Method, Plan, SenderReplay, Tally
from sidedoor.report.terminal import Page
from sidedoor.report.text import shorten

if TYPE_CHECKING:
    from rich.console import Console

_TOP = 12
_NAMED = 5
_WARNED = 6
WORDS = {
    Method.PARTNER_CERTIFICATE: "connector by certificate",
    Method.PARTNER_ADDRESS: "connector by address",
    Method.ONPREMISES_RELAY: "relay connector",
    Method.SMTP_AUTH_OAUTH: "logs in (SMTP AUTH, OAuth)",
    Method.HVE: "High Volume Email",
    Method.COMMUNICATION_SERVICES: "Communication Services",
    Method.GRAPH: "Microsoft Graph",
    Method.RETURN_PATH: "return path of its own",
    Method.LOCAL_RELAY: "relay inside",
    Method.NOTHING: "nothing to do",
    Method.REFUSE: "refused, as it should be",
    Method.UNSAVABLE: "cannot be saved",
    Method.UNDECIDED: "somebody must decide",
}
"""Methods as people call them."""


def summary(plan: Plan, folder: Path, console: Console) -> None:
    """Print the plan to `console`; its files lie in `folder`."""
    page = Page(console)
    _state(page, plan)
    _senders(page, plan)
    _connectors(page, plan)
    _proof(page, plan)
    _blockers(page, plan.blockers)
    _unsavable(page, plan)
    _mind(page, plan)
    page.line(("The whole plan", "bold"))
    page.whole(f"  {folder / 'plan.json'}")
    if plan.ready:
        moves = any(choice.method is not Method.NOTHING for choice in plan.choices)
        page.line(f"Next: {'write to the owners (owners/), and ' if moves else ''}read scripts/README.txt.")
    else:
        page.line("Next: decide what is open in plan.toml (docs/plan.md), and plan again.")


def _state(page: Page, plan: Plan) -> None:
    word, style = ("READY", "bold green") if plan.ready else ("NOT READY", "bold red")
    page.line(("Plan: ", "bold"), (word, style), f" for {plan.tenant.name or 'the tenant'}")
    if plan.tenant.reject_direct_send is True:
        page.line("RejectDirectSend is on already.", indent=2)
    page.line()


def _senders(page: Page, plan: Plan) -> None:
    if all(choice.method is Method.NOTHING for choice in plan.choices):
        page.line(("Senders", "bold"), "  nobody in this history sends by Direct Send: nothing has to move.")
        page.line()
        return
    counts = Counter(choice.method for choice in plan.choices)
    page.line(("Senders", "bold"))
    for method in Method:
        if counts[method]:
            page.line(f"{counts[method]:>7,}  {WORDS[method]}", indent=2)
    page.line()
    now = "as things are" if plan.tenant.reject_direct_send else "if closed today"
    doubt = "; with ? it cannot be told" if plan.replay.before.undetermined else ""
    page.line(f"messages refused: {now} > after this plan{doubt}", indent=2)
    replayed = {each.sender: each for each in plan.replay.senders}
    shown = [choice for choice in plan.choices if choice.method is not Method.NOTHING]
    for choice in shown[:_TOP]:
        page.line(*_sender(choice, replayed[choice.sender]), indent=2)
    if len(shown) > _TOP:
        page.line(f"and {len(shown) - _TOP} more", indent=2)
    page.line()


def _sender(choice: Choice, replayed: SenderReplay) -> tuple[str | tuple[str, str], ...]:
    style = {Method.UNDECIDED: "magenta", Method.UNSAVABLE: "red", Method.REFUSE: "dim"}.get(choice.method, "green")
    refused = f"{_lost(replayed.before):>7} > {_lost(replayed.after):<6}"
    return f"{refused} {shorten(choice.name, 34):<34} ", (WORDS[choice.method], style)


def _lost(tally: Tally) -> str:
    """Messages refused, or a question mark behind those of which nobody can tell."""
    if tally.undetermined:
        return f"{tally.refused + tally.undetermined:,}?"
    return f"{tally.refused:,}"


def _connectors(page: Page, plan: Plan) -> None:
    if not plan.connectors:
        return
    page.line(("Connectors", "bold"))
    for proposal in plan.connectors:
        settings = proposal.settings
        by = f"certificate {settings.certificate_name}" if settings.certificate_name else ", ".join(settings.addresses)
        name = shorten(proposal.name, 60)
        page.line(f"{proposal.action.value} {name} ({proposal.kind.value}): {shorten(by, 200)}", indent=2, bullet="- ")
        for wide in proposal.widened:
            page.line(f"wider than what was seen: {wide}", indent=4)
    for conflict in plan.conflicts:
        page.line(("conflict: ", "magenta"), shorten(conflict.text, 300), indent=2, bullet="- ")
    page.line()


def _proof(page: Page, plan: Plan) -> None:
    replay = plan.replay
    page.line(("The same history again", "bold"), f"  {replay.messages:,} messages, {replay.flows:,} kinds")
    today = "refused as things are" if plan.tenant.reject_direct_send else "refused if the door were closed today"
    rows: Sequence[tuple[str, int]] = (
        (today, replay.before.refused),
        *([("undetermined today", replay.before.undetermined)] if replay.before.undetermined else []),
        ("refused after this plan", replay.after.refused),
        ("of honest senders", replay.honest_refused),
        ("of forwarders that cannot be saved", replay.unsavable_refused),
        ("of spoofing senders", replay.spoofing_refused),
        ("of senders nobody has judged", replay.unclear_refused),
        ("spoofs that a connector of the plan lets in", replay.spoofing_admitted),
        ("spoofs that come in as before: no Direct Send", replay.spoofing_untouched),
        ("newly caught by a restriction (5.7.51)", replay.newly_restricted),
        ("undetermined", replay.undetermined),
    )
    for text, number in rows:
        page.line(f"{number:>10,}  {text}", indent=2)
    for reading in replay.readings:
        page.line(
            f"if {reading.switch} = {reading.value}: {reading.honest_refused:,} honest refused, "
            f"{reading.spoofing_admitted:,} spoofs let in", indent=2, bullet="- ",
        )  # fmt: skip
    page.line()


def _blockers(page: Page, blockers: Sequence[Blocker]) -> None:
    if not blockers:
        return
    page.line(("In the way", "bold"))
    for blocker in blockers[:_TOP]:
        where = f" [{blocker.sender}]" if blocker.sender else ""  # the id that plan.toml wants
        page.line((blocker.id, "red"), f"{where}: {shorten(blocker.text, 300)}", indent=2, bullet="- ")
    if len(blockers) > _TOP:
        page.line(f"and {len(blockers) - _TOP} more in plan.json", indent=2)
    page.line()


def _unsavable(page: Page, plan: Plan) -> None:
    """What no plan can mend, and who would miss mail."""
    if not plan.unsavable:
        return
    page.line(("No plan can mend", "bold"))
    for lost in plan.unsavable[:_TOP]:
        names = ", ".join(lost.affected[:_NAMED])
        more = f" and {lost.recipients - _NAMED:,} more in plan.json" if lost.recipients > _NAMED else ""
        text = f"{shorten(lost.name, 60)}: {lost.messages:,} messages, to {shorten(names or 'nobody known', 200)}{more}"
        page.line(text, indent=2, bullet="- ")
    page.line()


def _mind(page: Page, plan: Plan) -> None:
    """What is no obstacle and worth knowing: notes, warnings of choices, dates."""
    told = {choice.sender: choice.name for choice in plan.choices}
    lines = [shorten(note.text, 300) for note in plan.notes]
    warned = [
        f"{shorten(told[choice.sender], 40)}: {shorten(warning.text, 240)}"
        for choice in plan.choices
        for warning in choice.warnings
        if choice.method is not Method.UNDECIDED
    ]
    lines += warned[:_WARNED]
    lines += [f"and {len(warned) - _WARNED} more warnings in plan.json"] if len(warned) > _WARNED else []
    lines += [f"{deadline.on.isoformat()}: {deadline.text}" for deadline in plan.deadlines]
    if not lines:
        return
    page.line(("Mind", "bold"))
    for line in lines:
        page.line(line, indent=2, bullet="- ")
    page.line()
