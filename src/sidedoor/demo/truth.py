"""What an audit of the invented tenant should find, counted while the messages pass."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sidedoor.demo.message import Message
from sidedoor.demo.names import placeholders
from sidedoor.demo.population import Actor, actors
from sidedoor.demo.traffic import Plan

HEADER = ("message", "recipient", "true_sender", "true_submission", "refused_when_closed")


class Truth:
    """A sink: a row for each message in truth_messages.csv, and the totals for truth.json."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._folder = folder
        file = stack.enter_context((folder / "truth_messages.csv").open("w", encoding="utf-8", newline=""))
        self._writer = csv.writer(file)
        self._writer.writerow(HEADER)
        self.counts: Counter[str] = Counter()
        self._submissions: Counter[str] = Counter()
        self._refused = 0

    def add(self, message: Message) -> None:
        """Count it."""
        refused = str(message.would_reject).lower()
        row = (message.key, message.recipient, message.sender, message.submission, refused)
        self._writer.writerow(row)
        self.counts[message.sender] += 1
        self._submissions[message.submission] += 1
        self._refused += message.would_reject

    def finish(self) -> None:
        """Nothing: the totals need the rows that other sinks broke, see `write`."""

    def write(self, plan: Plan, rejected: Sequence[dict[str, object]]) -> None:
        """truth.json: totals, senders, and the rows that cannot be read."""
        content = {
            "domain": plan.domain,
            "seed": plan.seed,
            "days": plan.days,
            "messages": self.counts.total(),
            "submissions": dict(sorted(self._submissions.items())),
            "would_reject": self._refused,
            "senders": [_sender(actor, plan.domain, self.counts[actor.key]) for actor in actors()],
            "rejected_rows": rejected,
        }
        (self._folder / "truth.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def _sender(actor: Actor, domain: str, messages: int) -> dict[str, object]:
    senders = [
        text.format(n="N", **placeholders(domain)) if "@" in text else text for text in actor.envelope or actor.header
    ]
    return {
        "key": actor.key,
        "kind": actor.kind,
        "truth": "honest" if actor.honest else "spoof",
        "networks": list(actor.networks),
        "envelope_senders": senders,
        "submission": actor.submission,
        "would_reject": actor.affected,
        "messages": messages,
    }
