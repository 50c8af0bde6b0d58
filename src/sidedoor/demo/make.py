"""Write the whole invented tenant into a folder, with truth.json to score an audit against."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from sidedoor.demo import exports
from sidedoor.demo.message import Message
from sidedoor.demo.population import actors
from sidedoor.demo.settings import TENANT_ID, write_settings, write_zones
from sidedoor.demo.traffic import Plan, messages
from sidedoor.errors import SidedoorError, UsageError

MARK = "made-by-sidedoor-demo.txt"
# Rows that nobody can read: a day that does not exist, an address that is none, a row cut short, no recipient.
_REST = ("a@b.example", "c@d.example")
BROKEN: tuple[Sequence[str], ...] = (
    ("bad-1", "<bad-1@x>", "11/31/2026 8:00:00 AM", *_REST, "192.0.2.1", "", "no such day", "Delivered", "1"),
    ("bad-2", "<bad-2@x>", "11/3/2026 8:00:00 AM", *_REST, "999.0.2.1", "", "no address", "Delivered", "1"),
    ("bad-3", "<bad-3@x>", "11/3/2026 8:00:00 AM"),
    ("bad-4", "<bad-4@x>", "", *_REST, "192.0.2.1", "", "no time", "Delivered", "1"),
)


def make(folder: Path, plan: Plan) -> int:
    """Write settings, zones, history and truth; returns the number of messages.

    Raises UsageError for a folder that holds something else, SidedoorError where it cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise UsageError(f"{folder}: is not empty and not made by `sidedoor demo`; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_text(f"An invented tenant: {plan.domain}, seed {plan.seed}.\n", encoding="utf-8")
        write_settings(folder, plan.domain)
        write_zones(folder / "zones", plan.domain)
        history = sorted(messages(plan), key=lambda message: (message.received_at, message.key), reverse=True)
        _write_history(folder, history, plan)
        _write_truth(folder / "truth.json", history, plan)
    except OSError as error:
        raise SidedoorError(f"{folder}: cannot be written ({error.strerror})") from error
    return len(history)


def _write_history(folder: Path, history: Sequence[Message], plan: Plan) -> None:
    """Each format holds the part of the history that it would in a real tenant."""
    own = [message for message in history if message.sender not in {"mailboxes", "internet", "bounces"}]
    recent = [message for message in history if message.received_at > plan.end - timedelta(days=30)]
    exports.write_message_trace(folder / "MessageTraceV2.csv", history, BROKEN)
    exports.write_email_events(folder / "EmailEvents_last_30_days.csv", recent)
    exports.write_extended(folder / "historical_extended.csv", own, TENANT_ID)
    exports.write_enhanced(folder / "historical_enhanced.csv", history[: len(history) // 50])
    exports.write_graph_pages(folder, history[: min(1500, len(history) // 20)])
    exports.write_details(folder / "MessageTraceDetailV2.json", own[:20])


def _write_truth(path: Path, history: Sequence[Message], plan: Plan) -> None:
    """What an audit should find: senders with their kinds, messages by submission, what would be refused."""
    counts = Counter(message.sender for message in history)
    truth = {
        "domain": plan.domain,
        "seed": plan.seed,
        "messages": len(history),
        "rejected_rows": len(BROKEN),
        "submissions": dict(sorted(Counter(message.submission for message in history).items())),
        "would_reject": sum(message.would_reject for message in history),
        "senders": [
            {
                "key": actor.key,
                "kind": actor.kind,
                "honest": actor.honest,
                "networks": list(actor.networks),
                "affected": actor.affected,
                "messages": counts[actor.key],
            }
            for actor in actors()
        ],
        "of_message": {message.key: [message.sender, message.submission, message.would_reject] for message in history},
    }
    path.write_text(json.dumps(truth), encoding="utf-8")
