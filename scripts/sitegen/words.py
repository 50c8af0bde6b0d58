"""The closed words that outputs use, from the enums: each is explained on its line in the code."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from enum import Enum

from sitegen.members import enum_table

PATH = "reference/words.md"
_HEAD = """# Words in the outputs

Outputs, logs and settings use closed sets of words. Those of the rule itself are
[in a table of their own](rule-tables.md).
"""
# (title, where the words are used, module, enum)
_SHOWN = (
    ("Assessments of senders", "`assessment` in report.json and plan.toml.", "audit.model", "Verdict"),
    ("Methods", "`method` in plan.json and plan.toml: the way in once the door is closed.", "plan.model", "Method"),
    ("Stages of a plan", "The order of its changes.", "plan.model", "Stage"),
    ("What a plan does to a connector", "`action` in plan.json.", "plan.model", "Action"),
    ("Conflicts of connectors", "`conflicts` in plan.json.", "plan.model", "ConflictKind"),
    ("Against mail beside the filter", "`stage` of `[filter]` in plan.toml.", "plan.words", "FilterStage"),
    ("Outcomes of a probe's attempts", "`outcome` in the probe's transcript.", "probe.outcome", "Outcome"),
    ("Senders of a probe's attempts", "`sender` in the probe's transcript.", "probe.model", "SenderKind"),
    ("Verdicts of a probe", "`verdict` in the probe's transcript.", "probe.model", "Verdict"),
    ("How sure an answer of explain is", "`sureness` of the answer.", "audit.explanation", "Sure"),
    ("How sure a fact of a message is", "`sureness` of a fact.", "evidence.message.model", "Sureness"),
    ("Outcomes in the edge's log", "`outcome` in the decision log.", "edge.interface", "Outcome"),
    ("What the edge does with a message", "`handled.action` in the decision log.", "edge.interface", "Action"),
    ("Findings about an SPF record", "`findings` of `sidedoor spf`.", "mailauth.spf.evidence", "SpfWarningId"),
    ("Outcomes of a published control", "`outcome` in baseline.json.", "audit.baseline", "Outcome"),
    ("Sources of what a run saw", "What a finding rests on.", "watch.sight", "Source"),
    ("Severities of alerts", "`severity` of an alert.", "store.model", "Severity"),
    ("Occasions of a message about an alert", "`occasion` of a delivery.", "store.model", "Occasion"),
    ("States of a delivery", "`state` of a delivery.", "store.model", "DeliveryState"),
    ("What a person said of a sender", "`word` of a decision.", "store.model", "Word"),
    ("Kinds of senders in the catalogue", "`kind` of an entry.", "catalogue.entry", "Kind"),
    ("Ways of sending in the catalogue", "`own_domain` of an entry.", "catalogue.entry", "OwnDomain"),
)  # fmt: skip


def pages() -> Iterator[tuple[str, str]]:
    """(path, Markdown) of the page."""
    parts = [_HEAD]
    for title, where, module, name in _SHOWN:
        kind: type[Enum] = getattr(importlib.import_module(f"sidedoor.{module}"), name)
        parts += [f"## {title}\n", where + "\n", enum_table(kind)]
    yield PATH, "\n".join(parts)
