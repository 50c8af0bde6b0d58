"""Figures of a tenant for Prometheus: as a text file for node_exporter, or rendered for the web's /metrics.

The table `METRICS` is all there is: docs/metrics.md and deploy/grafana-dashboard.json name the same, and a test holds
them to it. What is not known gives no sample, never a zero; whether it is known has a figure of its own where it
matters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sidedoor.errors import OutputError, UsageError
from sidedoor.mail.fact import Fact, Unknown
from sidedoor.policy.decision import Submission
from sidedoor.report.text import without_surrogates
from sidedoor.store.model import Alert, Delivery, DeliveryState
from sidedoor.watch.sight import Sight, Source

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

_PREFIX = "sidedoor_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format, for everybody who can read it."""
_MOST_LABEL = 200  # characters
Sample = tuple[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric: its name without the prefix, what it tells, its labels behind `tenant`. counter: it only rises."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False

    @property
    def full_name(self) -> str:
        """As Prometheus shows it."""
        return f"{_PREFIX}{self.name}{'_total' if self.counter else ''}"


METRICS: tuple[MetricRow, ...] = (
    MetricRow("direct_send_open", "1: RejectDirectSend is off; 0: it is on. No sample where it is not known."),
    MetricRow("direct_send_unknown", "1: whether Direct Send is open is not known; 0: it is."),
    MetricRow("senders", "Senders in the window of the history, by assessment.", ("assessment",)),
    MetricRow("would_reject_messages", "Messages of the window that a closed door refuses.", ("assessment",)),
    MetricRow("messages", "Messages of the window, by the way they came in.", ("submission",)),
    MetricRow("alerts_open", "Open alerts.", ("severity", "kind")),
    MetricRow("last_run_timestamp_seconds", "When the last run began, whatever became of it."),
    MetricRow("last_success_timestamp_seconds", "When the last run that missed nothing ended."),
    MetricRow("last_run_duration_seconds", "How long the last run that ended took."),
    MetricRow("history_complete_until_timestamp_seconds", "Mail up to then is all in the history."),
    MetricRow("history_rows", "Rows of the history."),
    MetricRow("history_days", "Days of the history."),
    MetricRow("source_untold", "1: the last run could not have this source; 0: it could.", ("source",)),
    MetricRow("deliveries", "Messages about alerts, by what became of them.", ("channel", "state")),
    MetricRow(
        "certificate_not_after_timestamp_seconds", "When a connector's certificate ends.", ("connector", "where")
    ),
    MetricRow("certificates_unread", "Certificates that could not be read, or that nobody has shown."),
    MetricRow("bounces", "Non-delivery reports about the door in the last reading, by code.", ("code",)),
    MetricRow("runs", "Runs since the store was made.", ("outcome",), counter=True),
)


@dataclass(frozen=True, slots=True)
class TenantFigures:
    """One tenant's figures. None and Unknown: not known, no sample. Mappings: label values -> number."""

    tenant: str
    reject_direct_send: Fact[bool] = field(default_factory=lambda: Unknown("no run yet"))
    senders: Mapping[str, int] = field(default_factory=dict)
    would_reject: Mapping[str, int] = field(default_factory=dict)
    messages: Mapping[str, int] = field(default_factory=dict)
    alerts: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (severity, kind)
    last_run: datetime | None = None
    last_success: datetime | None = None
    last_duration: float | None = None
    history_until: datetime | None = None
    history_rows: int | None = None
    history_days: int | None = None
    sources: Mapping[str, bool] = field(default_factory=dict)  # source -> untold
    deliveries: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (channel, state)
    certificates: Mapping[tuple[str, str], datetime] = field(default_factory=dict)  # (connector, where)
    certificates_unread: int | None = None
    bounces: Mapping[str, int] | None = None
    runs: Mapping[str, int] = field(default_factory=dict)


def figures_of(
    tenant: str, sight: Sight, totals: Mapping[Submission, int], alerts: Iterable[Alert], deliveries: Iterable[Delivery]
) -> TenantFigures:
    """What a run saw and the store holds; what the caller alone knows (runs, rows) it adds by `dataclasses.replace`."""
    senders = [(each.assessment.value, each.sender) for each in sight.senders]
    would = Counter[str]()
    for word, sender in senders:
        would[word] += sender.would_reject
    sources = {source.partition(":")[0] for source in sight.untold}
    return TenantFigures(
        tenant,
        reject_direct_send=sight.snapshot.reject_direct_send,
        senders=Counter(word for word, _ in senders),
        would_reject=would,
        messages={submission.value: count for submission, count in totals.items()},
        alerts=Counter(
            (each.finding.severity.value, each.finding.kind) for each in alerts if each.recovered_at is None
        ),
        history_until=sight.history_until,
        sources={source.value: source.value in sources for source in Source},
        deliveries=Counter((each.channel, each.state.value) for each in deliveries if each.state in _COUNTED),
        certificates={(each.connector, each.where): each.not_after for each in sight.certificates},
        bounces=Counter(each.code for each in sight.bounces),
    )


_COUNTED = frozenset({DeliveryState.DUE, DeliveryState.SENDING, DeliveryState.SENT, DeliveryState.GIVEN_UP})


def registry_of(figures: Sequence[TenantFigures]) -> CollectorRegistry:
    """A registry with the figures of these tenants and nothing else. Raises UsageError without the library."""
    try:
        from prometheus_client import CollectorRegistry
    except ModuleNotFoundError as error:
        raise UsageError("metrics need prometheus-client: install sidedoor[watch]") from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(tuple(figures)))
    return registry


def render(figures: Sequence[TenantFigures]) -> bytes:
    """The figures in Prometheus' text format, for an HTTP answer of `CONTENT_TYPE`."""
    registry = registry_of(figures)
    from prometheus_client.exposition import generate_latest

    return generate_latest(registry)


def write_textfile(path: Path, figures: Sequence[TenantFigures]) -> None:
    """The figures as a file for node_exporter's textfile collector, whole or not at all; its name must end in .prom.

    Raises UsageError, OutputError.
    """
    if path.suffix != ".prom":
        raise UsageError(f"{path}: node_exporter reads files whose name ends in .prom")
    registry = registry_of(figures)
    from prometheus_client.exposition import write_to_textfile

    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


class _Collector:
    """Gives what the tenants' figures hold, in the order of the table."""

    def __init__(self, figures: tuple[TenantFigures, ...]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """One family for each row of the table."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        told = [(_label(each.tenant), _samples(each)) for each in self._figures]
        for row in METRICS:
            family = (CounterMetricFamily if row.counter else GaugeMetricFamily)(
                f"{_PREFIX}{row.name}", row.help, labels=("tenant", *row.labels)
            )
            for tenant, samples in told:
                for labels, value in samples[row.name]:
                    family.add_metric([tenant, *map(_label, labels)], value)
            yield family


def _samples(of: TenantFigures) -> Mapping[str, list[Sample]]:
    """Samples of each metric of the table."""
    unknown = isinstance(of.reject_direct_send, Unknown)
    return {
        "direct_send_open": [] if unknown else _one(float(not of.reject_direct_send)),
        "direct_send_unknown": _one(float(unknown)),
        "senders": _by_word(of.senders),
        "would_reject_messages": _by_word(of.would_reject),
        "messages": _by_word(of.messages),
        "alerts_open": [(key, float(count)) for key, count in sorted(of.alerts.items())],
        "last_run_timestamp_seconds": _time(of.last_run),
        "last_success_timestamp_seconds": _time(of.last_success),
        "last_run_duration_seconds": _one(of.last_duration),
        "history_complete_until_timestamp_seconds": _time(of.history_until),
        "history_rows": _one(of.history_rows),
        "history_days": _one(of.history_days),
        "source_untold": [((source,), float(untold)) for source, untold in sorted(of.sources.items())],
        "deliveries": [(key, float(count)) for key, count in sorted(of.deliveries.items())],
        "certificate_not_after_timestamp_seconds": [
            (key, at.timestamp()) for key, at in sorted(of.certificates.items())
        ],
        "certificates_unread": _one(of.certificates_unread),
        "bounces": [] if of.bounces is None else _by_word(of.bounces),
        "runs": _by_word(of.runs),
    }


def _one(value: float | None) -> list[Sample]:
    return [] if value is None else [((), float(value))]


def _time(at: datetime | None) -> list[Sample]:
    return _one(None if at is None else at.timestamp())


def _by_word(counts: Mapping[str, int]) -> list[Sample]:
    return [((word,), float(count)) for word, count in sorted(counts.items())]


def _label(text: str) -> str:
    """A label's value: what UTF-8 can hold, bounded. The library escapes it."""
    return without_surrogates(text[:_MOST_LABEL])
