"""A month of an invented tenant, a run each morning: exactly these alerts, on exactly these days, and no others.

The door is open until the 10th. What must not raise anything: weekends, a day without DNS, a day without exports, the
noise of a few spoofs, devices that move behind a connector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from typing import Any

from sidedoor.audit.model import Verdict
from sidedoor.store.model import Word
from sidedoor.watch.baseline import accept, first, grown
from sidedoor.watch.find import Untold, find
from sidedoor.watch.lifecycle import Rules
from sidedoor.watch.sight import Baseline, BounceSight, CertificateSight, SenderSight, Sight, Thresholds
from tests.watch.kit import certified, connector, records, seen, settings
from tests.watch.world import EVERYTHING, World

LIMITS = Thresholds()
CLOSED = date(2026, 11, 10)


def nov(day: int, hour: int = 6) -> datetime:
    """An hour of a day of November."""
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@dataclass(frozen=True)
class Device:
    """Who sends what on which day; workdays only, or daily."""

    key: str
    address: str
    counts: Callable[[date], int]
    facts: dict[str, Any] = field(default_factory=dict)


def workdays(day: date) -> int:
    return 6 if day.weekday() < 5 and day < CLOSED else 0


def every_day(day: date) -> int:
    return 24 if day < CLOSED else 0


DEVICES = (
    Device("printer", "203.0.113.10", workdays),
    Device("erp", "203.0.113.40", workdays),
    Device("monitor", "203.0.113.22", every_day),
    Device("crm", "192.0.2.77", every_day, {"service": "include:_spf.crm.example"}),
    # Dies on the 30th of October, before anybody watched.
    Device("fax", "203.0.113.60", lambda day: 3 if day <= date(2026, 10, 30) else 0),
    # A branch opens on the 3rd.
    Device("branch", "198.18.40.1", lambda day: 8 if date(2026, 11, 3) <= day < CLOSED else 0),
    # A few spoofs every other day, and a wave on the 8th.
    Device("spoofer", "45.10.20.30",
           lambda day: 0 if day >= CLOSED else 200 if day.day == 8 and day.month == 11 else 2 * (day.toordinal() % 2),
           {"assessment": Verdict.SPOOFING}),
    # After the closing: a scanner that nobody knew, refused by the edge that keeps a log.
    Device("scanner", "203.0.113.90", lambda day: 5 if day >= date(2026, 11, 19) else 0,
           {"assessment": Verdict.UNCLEAR}),
)  # fmt: skip


def sender_on(device: Device, day: datetime) -> SenderSight | None:
    """What the history of the last 90 days has of a device."""
    days = [day.date() - timedelta(days=ago) for ago in range(90, 0, -1)]
    counts = {each: device.counts(each) for each in days if device.counts(each)}
    if not counts:
        return None
    facts = dict(device.facts)
    if device.key == "scanner":
        blocked_at = datetime.combine(max(counts), datetime.min.time(), UTC) + timedelta(hours=8)
        facts |= {"blocked": sum(counts.values()), "last_blocked": blocked_at}
    made = seen(device.key, counts, address=device.address, **facts)
    decided = device.key == "branch" and day >= nov(6)
    return replace(made, word=Word.LEGITIMATE) if decided else made


def connectors_on(day: datetime) -> tuple[Any, ...]:
    """From the 9th on the devices have a connector; on the 18th somebody adds a whole network."""
    networks = [ip_network("198.51.100.7/32"), ip_network("198.51.100.8/32")]
    if day >= nov(9):
        networks += [ip_network(each.address) for each in DEVICES if each.key not in {"spoofer", "scanner", "fax"}]
    if day.date() == date(2026, 11, 18):
        networks.append(ip_network("198.18.0.0/16"))
    return connector(sender_networks=tuple(networks), changed_at=nov(9)), certified()


def taken_on(day: datetime) -> dict[str, dict[str, datetime]]:
    """What the connector took: from the 9th on everybody, the ERP from the 25th on, when its second line is added."""
    rows = {"198.51.100.7": day - timedelta(days=1), "198.51.100.8": day - timedelta(days=2)}
    if day >= nov(10):
        rows |= {
            each.address: day - timedelta(hours=9) for each in DEVICES if each.key not in {"spoofer", "fax", "scanner"}
        }
    if day >= nov(25):
        rows["203.0.113.41"] = day - timedelta(hours=9)
    return {"Offices": rows}


def domain_on(day: datetime) -> Any:
    """On the 11th somebody adds a service to SPF."""
    spf = str(records().spf)
    return records(spf=spf.replace("-all", "include:_spf.news.example -all")) if day >= nov(11) else records()


def untold_on(day: datetime) -> dict[str, str]:
    """No DNS on the 12th, no exports on the 20th."""
    return {12: {"dns:contoso.com": "time-out"}, 20: {"history": "the token has expired"}}.get(day.day, {})


def sight_on(day: datetime) -> Sight:
    """What the run of a morning sees."""
    senders = tuple(made for each in DEVICES if (made := sender_on(each, day)) is not None)
    closed = day >= nov(10) and day.date() != date(2026, 11, 16)
    ends = nov(30) + timedelta(days=95 if day >= nov(29) else 5)
    bounces = (
        (BounceSight("b1", nov(23, 9), "5.7.68", "erp@contoso.com", "anna@contoso.com", "erp-mfp1", "203.0.113.41"),)
        if day >= nov(23, 9) else ()
    )  # fmt: skip
    return Sight(
        now=day,
        window=(day - timedelta(days=90), day),
        history_until=day - timedelta(hours=2),
        senders=senders,
        snapshot=settings(reject_direct_send=closed, inbound_connectors=connectors_on(day)),
        domains={"contoso.com": domain_on(day)},
        connector_addresses=taken_on(day),
        certificates=(CertificateSight("Relay", ("relay.contoso.com",), ends, "relay.contoso.com:25"),),
        bounces=bounces,
        untold=untold_on(day),
    )


# Day -> kinds whose open alerts a person accepts after the run.
ACCEPTS = {9: ["sender-silent"], 10: ["connector-widened"], 13: ["spf-changed"], 21: ["new-sender"]}


def accepted(baseline: Baseline, see: Sight, world: World, kinds: list[str]) -> Baseline:
    """The baseline after a person said so."""
    for alert in world.alerts.values():
        if alert.recovered_at is None and alert.finding.kind in kinds:
            baseline = accept(baseline, see, alert)
    return baseline


def month(mornings: list[datetime]) -> World:
    """All runs."""
    world, baseline = World(Rules((EVERYTHING,))), None
    for morning in mornings:
        see = sight_on(morning)
        baseline = baseline or first(see)
        world.run(find(see, baseline, LIMITS), see.now, Untold.of(see, baseline))
        baseline = grown(baseline, see, LIMITS)
        baseline = accepted(baseline, see, world, ACCEPTS.get(morning.day, []))
    return world


MUST = [
    (4, "raised new-sender branch warning"),
    (5, "raised certificate-expiring Relay warning"),
    (6, "recovered new-sender branch warning"),
    (8, "raised sender-silent fax warning"),
    (9, "raised connector-widened Offices warning"),
    (9, "raised spoof-burst serious"),
    (10, "recovered sender-silent fax warning"),
    (11, "recovered connector-widened Offices warning"),
    (11, "raised spf-changed contoso.com warning"),
    (11, "recovered spoof-burst warning"),
    (14, "recovered spf-changed contoso.com warning"),
    (16, "raised direct-send-reopened critical"),
    (17, "recovered direct-send-reopened critical"),
    (18, "raised connector-widened Offices serious"),
    (19, "recovered connector-widened Offices serious"),
    (21, "raised new-sender scanner serious"),
    (22, "recovered new-sender scanner serious"),
    (24, "raised honest-mail-refused erp critical"),
    (25, "recovered honest-mail-refused erp critical"),
    (28, "worsened certificate-expiring Relay serious"),
    (29, "recovered certificate-expiring Relay serious"),
]


def test_exactly_these_alerts() -> None:
    world = month([nov(day) for day in range(1, 31)])
    told = [(each.at.day, word) for each, word in zip(world.said, world.words(), strict=True)]
    assert sorted(told) == sorted(MUST)
    assert world.open() == {}


def test_four_runs_a_day_say_the_same() -> None:
    """Each alert once, however often it is looked."""
    world = month([nov(1) + timedelta(hours=hour) for hour in range(0, 29 * 24 + 1, 6)])
    kinds = sorted((each.occasion, each.kind, each.subject) for each in world.said)
    assert kinds == sorted((word.split()[0], word.split()[1], " ".join(word.split()[2:-1])) for _, word in MUST)
