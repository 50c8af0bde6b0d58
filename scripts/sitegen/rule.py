"""The rule in tables: steps, words, switches, replies, reasons of decisions. docs/rule.md explains them."""

from __future__ import annotations

from collections.abc import Iterator

from sidedoor.policy.decision import Certainty, Step, Submission, Verdict
from sidedoor.policy.reasons import REASONS
from sidedoor.policy.replies import REPLIES
from sidedoor.policy.switches import OPEN_QUESTIONS, SWITCHES
from sitegen.members import enum_table
from sitegen.text import anchor, code, plain, prose, table

PATH = "reference/rule-tables.md"
_HEAD = """# The rule in tables

What [the rule](../rule.md) can answer, from the code. The same words stand in the answers of `sidedoor check`, in logs
and in reports.
"""


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    parts = [
        _HEAD,
        "## Steps\n\nThe first that ends the matter wins.\n",
        enum_table(Step),
        "## Verdicts\n",
        enum_table(Verdict),
        "## Submissions\n",
        enum_table(Submission),
        "## Certainty\n\nA decision is as certain as the weakest thing it rests on.\n",
        enum_table(Certainty),
        "## Switches\n\nOpen questions about Exchange Online, and how they are answered unless you say otherwise.\n",
        _switches(),
        "## Questions without a switch\n",
        table(("question", "meanwhile"), ((prose(row.question), prose(row.handling)) for row in OPEN_QUESTIONS)),
        "## Replies\n",
        _replies(),
        "## Reasons of decisions\n",
        _reasons(),
    ]
    yield PATH, "\n".join(parts)


def _switches() -> str:
    rows = (
        (
            anchor(row.name) + code(row.name),
            "<br>".join(code(value) + (" (default)" if value == row.default else "") for value in row.values),
            plain(row.certainty.word),
            prose(row.meaning),
            prose(row.source),
        )
        for row in SWITCHES
    )
    return table(("switch", "values", "certainty of the default", "what it decides", "why it is open"), rows)


def _replies() -> str:
    rows = (
        (code(str(row.reply)), prose(row.meaning), plain(row.certainty.word), prose(row.source))
        for row in REPLIES.values()
    )
    return table(("reply", "meaning", "certainty", "source"), rows)


def _reasons() -> str:
    rows = ((f"[{code(name)}](../rule.md#{name})", prose(text)) for name, text in REASONS.items())
    return table(("reason", "meaning"), rows)
