"""The sidedoor.toml that `sidedoor init` writes: what was said, all else as comments with the defaults."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_TABLES: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "store": (
        ("url", '""', 'where decisions are kept: a file here, or "env:NAME" with a postgresql+psycopg:// address'),
    ),
    "watch": (("every_hours", "6", "how often `sidedoor watch` looks"),),
    "inputs": (
        ("folders", '["inbox"]', "exports, DMARC reports, logs that you lay there"),
        ("accepted_domains", "[]", "stands in where no Get-AcceptedDomain export is there"),
        ("trace_sender", '"auto"', "what list-type traces show as sender: auto, envelope, header, unknown"),
        ("date_format", '""', "how culture-shaped dates are written: en-US, en-GB, mdy, dmy"),
        ("catalogue", '""', "senders of your own (docs/catalogue.md)"),
    ),
    "dns": (
        ("zones", "[]", "master files instead of live DNS"),
        ("offline", "false", "ask no DNS at all"),
    ),
    "collect": (
        ("tenant_id", '""', "with it, settings and history are fetched from the live tenant (docs/collect.md)"),
        ("client_id", '""', "the application that may read"),
        ("certificate", '""', "its PEM file; or secret_env"),
        ("secret_env", '""', "the environment variable with its secret"),
        ("lists", '"exchange"', "where traces come from: exchange, graph, none"),
        ("details", "200", "messages a run at most whose details are asked for"),
        ("hunting", "false", "EmailEvents too (Defender for Office 365 Plan 2)"),
        ("first_days", "30", "how far the first run goes back, at most 90"),
    ),
    "probe": (
        ("every_hours", "0", "how often the door is asked from outside; 0 never"),
        ("endpoints", "[]", "HOST or HOST:PORT, where it is not what DNS publishes"),
    ),
    "bounces": (
        ("folder", '"bounces"', "non-delivery reports as files (docs/bounces.md)"),
        ("mailbox", '""', "a mailbox that gets them, read by Graph"),
    ),
    "certificates": (("shown_by", "[]", "where connectors' certificates can be seen: HOST:PORT, PEM files"),),
    "edge": (
        ("logs", "[]", "decision logs of a `sidedoor edge` of yours"),
        ("spool", '""', "its spool, for the quarantine on the web page"),
    ),
    "retention": (
        ("history_days", "400", "mail history; 0 keeps it for ever"),
        ("collected_days", "14", "files that were fetched, once they are in the history"),
        ("alerts_days", "400", "alerts that are over"),
        ("trail_days", "0", "who decided what"),
    ),
    "alerts": (
        ("quiet", '""', 'hours without messages: "22:00-06:00"; critical ones come all the same'),
        ("timezone", '"UTC"', 'of these hours: "Europe/Berlin"'),
    ),
    "alerts.thresholds": (
        ("burst_messages", "20", "spoofs of a day, at least, that are a burst"),
        ("burst_factor", "3.0", "and so many times the usual day's"),
        ("silent_days", "7", "an honest sender is silent after so many days, at least"),
        ("silent_factor", "2.0", "and so many times its longest gap"),
        ("regular_days", "5", "if it was active on so many days"),
        ("certificate_days", "30", "before a connector's certificate ends"),
        ("address_days", "60", "since a connector's address was seen"),
        ("stale_hours", "48", "since the history was complete"),
        ("bypass_messages", "20", "sent directly, round the filter, in a week"),
        ("untold_hours", "72", "since DNS, a probe, bounces or certificates could be had"),
        ("at_once", "10", "more alerts of one kind in a run are told of in one message"),
    ),
    "metrics": (("textfile", '""', "a .prom file for node_exporter (docs/metrics.md)"),),
}
_WIDTH = 34
_END = """
# Whom to tell, a table for each (docs/channels.md):
# [alerts.channels.team]
# type = "apprise"
# url = "env:TEAMS_URL"
# minimum = "warning"

# [switches]                                   # answers to open questions (docs/rule.md)
"""


def settings_text(domain: str, given: Mapping[tuple[str, str], str] | None = None) -> str:
    """The file's text. given: (table, key) -> value, for what was said on the command line."""
    given = given or {}
    parts = [f"# What Sidedoor watches here; docs/watch.md explains every setting.\ndomain = {json.dumps(domain)}\n"]
    for table, rows in _TABLES.items():
        lines = [f"[{table}]"]
        for key, default, why in rows:
            value = given.get((table, key))
            said = f"{key} = {default if value is None else json.dumps(value)}"
            lines.append(f"{'# ' if value is None else ''}{said}".ljust(_WIDTH) + f"  # {why}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts) + _END
