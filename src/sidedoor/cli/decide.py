"""`sidedoor decide`: what a person says of a sender, for those who do not use the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sidedoor.cli.alerts import opened, who
from sidedoor.cli.output import printable
from sidedoor.errors import UsageError

if TYPE_CHECKING:
    from sidedoor.store.tenant import TenantStore

_PATH = click.Path(path_type=Path)
_METHODS = (
    "partner-certificate", "partner-address", "onpremises-relay", "return-path", "graph", "smtp-auth-oauth", "hve",
    "communication-services", "local-relay", "nothing", "refuse", "none",
)  # fmt: skip


@click.command("decide")
@click.argument("workspace", type=_PATH)
@click.argument("sender")
@click.option(
    "--as", "word", type=click.Choice(["legitimate", "spoofing", "unclear", "none"]),
    help="What it is; outweighs the audit. none takes the word back.",
)  # fmt: skip
@click.option("--owner", help="Whose it is; an empty text takes it back.")
@click.option("--method", type=click.Choice(_METHODS), help="How it is to get in (docs/plan.md).")
@click.option("--note", help="Anything worth knowing.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="Until when its owner is to have moved it.")
def decide_command(
    workspace: Path, sender: str, word: str | None, owner: str | None, method: str | None, note: str | None,
    due: datetime | None,
) -> int:  # fmt: skip
    """Say what a SENDER (its id in the report, or its key) is, whose, and what is to become of it.

    The audit trail keeps who said it. The plan follows with the next `sidedoor watch`.
    """
    given = {"assessment": word, "owner": owner, "method": method, "note": note, "due": due}
    if all(value is None for value in given.values()):
        raise UsageError("nothing to decide: give --as, --owner, --method, --note or --due")
    with opened(workspace) as (_, store):
        decided = _decided(store, sender, word=word, owner=owner, method=method, note=note, due=due)
    click.echo(printable(decided))
    return 0


def _decided(
    store: TenantStore, sender: str, *, word: str | None, owner: str | None, method: str | None, note: str | None,
    due: date | None,
) -> str:  # fmt: skip
    from sidedoor.store.model import Decision, Word

    known = store.known_senders()
    found = [row for row in known.values() if sender in {row.key, row.id}]
    if len(found) != 1:
        raise UsageError(f"{sender}: no sender of that id; report.json and senders.csv have them")
    row = found[0]
    before = store.decisions([row.key]).get(row.key, Decision(row.key))
    after = replace(
        before,
        assessment=before.assessment if word is None else Word("" if word == "none" else word),
        owner=before.owner if owner is None else owner,
        method=before.method if method is None else ("" if method == "none" else method),
        note=before.note if note is None else note,
        due=before.due if due is None else (due.date() if isinstance(due, datetime) else due),
    )
    decided = store.decide(after, who(), "cli", datetime.now(UTC))
    return f"{row.name}: {decided.assessment.value or 'nothing said'}, {decided.method or 'no method said'}"
