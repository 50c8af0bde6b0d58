"""A history by day, asked as a plan asks: out of what each day keeps beside its messages, so that it takes no scan.

Decision keys under other settings than those of the history (a plan's connectors, say) are counted once a day and kept
beside the day, for the few settings that were asked about last.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sidedoor.audit.classes import Classes
from sidedoor.audit.engine.database import Database, literal
from sidedoor.audit.engine.days import PARQUET, many
from sidedoor.audit.engine.flows import KEY, key_of
from sidedoor.audit.engine.kept import KeptFlow, Place, define_kept_keys, recipients_of

_MOST_PLACES = 2_000_000
_MOST_KEPT = 4  # settings asked about; a plan asks with and without a lock-down


class KeptDays:
    """Folders of days as `derive` fills them, with the index in `report` that `combine.write_index` wrote.

    name_of: a name for classes, the same for those that divide alike.
    """

    def __init__(self, database: Database, days: Sequence[Path], report: Path) -> None:
        self._database, self._days, self._report = database, days, report

    def _of(self, name: str) -> str:
        return many(day / f"{name}.parquet" for day in self._days)

    @property
    def _senders(self) -> str:
        return f"read_parquet({literal(self._report / 'flow_senders.parquet')})"

    @property
    def _flows(self) -> str:
        """Flows of all days with their sender and decision."""
        decisions = f"read_parquet({literal(self._report / 'decisions.parquet')})"
        return f"{self._of('flows')} f JOIN {self._senders} s USING (flow_hash) JOIN {decisions} d USING (key_hash)"

    def places(self) -> list[Place]:
        """See `kept.KeptHistory`."""
        rows = self._database.rows(
            "SELECT sender_id, client_ip, coalesce(env_domain, listed_domain) AS domain, sum(n)::BIGINT AS messages, "
            "coalesce(sum(n) FILTER (would_reject IS DISTINCT FROM false), 0)::BIGINT, count(DISTINCT day), "
            "coalesce(sum(n) FILTER (tls IS NOT NULL AND tls <> 'none'), 0)::BIGINT, "
            f"coalesce(sum(n) FILTER (tls = 'none'), 0)::BIGINT, min(first), max(last) FROM {self._flows} "
            f"GROUP BY ALL ORDER BY messages DESC, sender_id, client_ip, domain LIMIT {_MOST_PLACES}"
        )
        return [Place(*row) for row in rows]

    def busiest_days(self) -> dict[str, int]:
        """See `kept.KeptHistory`."""
        return dict(
            self._database.rows(
                "SELECT sender_id, max(n)::BIGINT FROM (SELECT sender_id, text, sum(n) AS n "
                f"FROM {self._of('profile')} p JOIN {self._senders} s USING (flow_hash) WHERE kind = 'day' "
                "GROUP BY ALL) GROUP BY 1"
            )
        )

    def recipients(self, senders: Sequence[str], most: int) -> dict[str, tuple[tuple[str, ...], int]]:
        """See `kept.KeptHistory`. Reads the messages of these senders."""
        source = f"(SELECT sender_id, recipient FROM {self._of('messages')} m JOIN {self._senders} s USING (flow_hash))"
        return recipients_of(self._database, source, senders, most)

    def window(self) -> tuple[datetime, datetime] | None:
        """See `kept.KeptHistory`."""
        first, last = self._database.rows(f"SELECT min(first), max(last) FROM {self._of('keys')}")[0]
        return None if first is None else (first, last)

    def flows(self, classes: Classes) -> list[KeptFlow]:
        """See `kept.KeptHistory`."""
        name = f"asked-{classes.fingerprint()}"
        for day in self._days:
            if not (day / f"{name}.parquet").exists():
                self._count(day, name, classes)
        names = ", ".join(KEY)
        query = (
            f"SELECT {names}, coalesce(sender_id, ''), sum(n)::BIGINT FROM {self._of(name)} "
            f"LEFT JOIN {self._senders} s USING (flow_hash) GROUP BY ALL ORDER BY ALL"
        )
        return [KeptFlow(key_of(row), row[-2], row[-1]) for batch in self._database.batches(query) for row in batch]

    def _count(self, day: Path, name: str, classes: Classes) -> None:
        """The day's messages by decision key under `classes`, and flow; what was asked about longest ago goes."""
        kept = sorted(day.glob("asked-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        for path in kept[: max(0, len(kept) - _MOST_KEPT + 1)]:
            path.unlink()
        define_kept_keys(self._database, f"read_parquet({literal(day / 'messages.parquet')})", classes)
        partial = day / f".{name}.partial"
        names = ", ".join(KEY)
        self._database.run(
            f"COPY (SELECT {names}, flow_hash, count(*) AS n FROM kept_keyed GROUP BY ALL) "
            f"TO {literal(partial)} ({PARQUET})"
        )
        partial.replace(day / f"{name}.parquet")
