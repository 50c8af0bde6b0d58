"""A labelled random population: honest devices, applications and services, and those who borrow their names."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from tests.audit.population_base import (
    QUARTER,
    Evidence,
    Origin,
    Population,
    Shape,
    Truth,
    daily,
    some,
    spread,
    weekdays,
)

__all__ = ["Evidence", "Origin", "Population", "Truth", "make_population"]

FIRST = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj")
LAST = ("ng", "silva", "khan", "weber", "rossi", "okafor", "smith", "tanaka")


def make_population(seed: int, domain: str, evidence: Evidence, window: int = QUARTER) -> Population:
    """Every kind of sender once, with random sizes, in random order of flows."""
    rng = random.Random(seed)
    population = Population(domain, rng, evidence, window)
    population.people = tuple(f"{first}.{last}@{domain}" for first in FIRST for last in rng.sample(LAST, 3))
    population.listed["198.51.100.0/25"] = (f"include:spf.fabrikam{seed % 7}.example", "Fabrikam Mailer")
    population.listed["203.0.113.20/32"] = ("ip4:203.0.113.20", None)
    for make in (*HONEST, *SPOOFS):
        make(population)
    rng.shuffle(population.flows)
    return population


def _honest(population: Population, name: str, *shapes: Shape) -> None:
    for shape in shapes:
        population.add(Origin(name, name.partition(":")[0], Truth.HONEST), shape)


def _spoof(population: Population, name: str, *shapes: Shape) -> None:
    for shape in shapes:
        population.add(Origin(name, name.partition(":")[0], Truth.SPOOF), shape)


def printer(p: Population) -> None:
    """A scanner at headquarters that SPF forgot."""
    days = daily(p.rng, some(p, weekdays(p), 0.50, 1.00), 1, 6)
    total = sum(days.values())
    shape = Shape("203.0.113.10", "MFP-HQ3", {f"scan-hq3@{p.domain}": total}, days, p.rng.randint(2, 6))
    _honest(p, "printer", shape)


def self_scanner(p: Population) -> None:
    """A multifunction printer that sends as the user to the user."""
    days = daily(p.rng, some(p, weekdays(p), 0.58, 1.00), 1, 6)
    users = p.rng.sample(p.people, 12)
    senders = spread(p.rng, users, sum(days.values()))
    _honest(p, "self-scanner", Shape("203.0.113.14", "KMC458", senders, days, 12, self_addressed=1.0))


def nat_office(p: Population) -> None:
    """Three devices behind one address, telling different names; with a trace alone nobody can split them."""
    for number, host in enumerate(("PRN-FLOOR1", "nas2", "alarmsrv")):
        days = daily(p.rng, some(p, weekdays(p), 0.42, 0.83), 1, 4)
        total = sum(days.values())
        shape = Shape("192.0.2.10", host, {f"{host.lower()}@{p.domain}": total}, days, 2 + number)
        _honest(p, f"nat-office:{host}", shape)


def monitoring(p: Population) -> None:
    """Alerts from a listed address, by day and night."""
    days = daily(p.rng, range(p.window), 2, 20)
    shape = Shape("203.0.113.20", f"mon01.{p.domain}", {f"alerts@{p.domain}": sum(days.values())}, days, 2, range(24))
    _honest(p, "monitoring", replace(shape, tls="TLS1.2"))


def erp(p: Population) -> None:
    """Invoices at month's end, at night."""
    days = {day: p.rng.randint(50, 70) for day in (7, 38, 68) if day < p.window}
    shape = Shape(
        "203.0.113.77", "erp-prod", {f"invoices@{p.domain}": sum(days.values())}, days, p.rng.randint(20, 60), (2,)
    )
    _honest(p, "erp", shape)


def listed_service(p: Population) -> None:
    """A service of many networks, in SPF by include, with generated bounce addresses."""
    for _ in range(p.rng.randint(4, 9)):
        ip = f"198.51.100.{p.rng.randint(2, 120)}"
        days = daily(p.rng, some(p, range(p.window), 0.2, 0.3), 1, 5)
        senders = {f"b-{p.rng.randrange(16**6):06x}=7@{p.domain}": 1 for _ in range(sum(days.values()))}
        helo = f"o{p.rng.randint(1, 99)}.mailer.fabrikam.example"
        shape = Shape(ip, helo, senders, days, len(senders), range(24), dkim="pass", tls="TLS1.3")
        _honest(p, "listed-service", shape)


def unlisted_service(p: Population) -> None:
    """A ticket system whose signature holds but whom SPF does not know, on two networks."""
    for ip in (f"198.51.100.{p.rng.randint(130, 160)}", f"192.0.2.{p.rng.randint(130, 160)}"):
        days = daily(p.rng, some(p, weekdays(p), 0.7, 0.8), 1, 8)
        helo = f"out{p.rng.randint(1, 9)}.tickets.example"
        senders = {f"support@{p.domain}": sum(days.values())}
        _honest(p, "unlisted-service", Shape(ip, helo, senders, days, 40, range(24), dkim="pass", tls="TLS1.3"))


def forwarder(p: Population) -> None:
    """A university's mail host that sends people's mail back, without SRS."""
    days = daily(p.rng, some(p, weekdays(p), 0.20, 0.67), 1, 4)
    senders = spread(p.rng, p.rng.sample(p.people, 9), sum(days.values()))
    _honest(p, "forwarder", Shape("192.0.2.200", "mx2.alumni.example", senders, days, 2, dkim="pass", tls="TLS1.2"))


def wandering_branch(p: Population) -> None:
    """A branch whose provider gives its printer another address every few days."""
    working = weekdays(p)
    for start in range(0, len(working), 4):
        days = daily(p.rng, working[start : start + 4], 1, 5)
        ip = f"203.0.113.{p.rng.randint(128, 250)}"
        senders = {f"branch7@{p.domain}": sum(days.values()) - 1 or 1, f"fax7@{p.domain}": 1}
        _honest(p, "wandering-branch", Shape(ip, "MFP-BRANCH7", senders, days, 3))


def new_branch(p: Population) -> None:
    """A printer that went to work last week, with bad authentication and worse treatment."""
    days = daily(p.rng, weekdays(p, p.window - 6), 1, 4)
    senders = {f"scan-new@{p.domain}": sum(days.values())}
    _honest(p, "new-branch", Shape("192.0.2.77", "localhost", senders, days, 3, junk=0.9))


def new_self_scanner(p: Population) -> None:
    """A printer of the last week that sends as the user to the user."""
    days = daily(p.rng, weekdays(p, p.window - 7), 2, 4)
    users = p.rng.sample(p.people, 4)
    senders = spread(p.rng, users, sum(days.values()))
    _honest(p, "new-self-scanner", Shape("192.0.2.99", "BRN-9A", senders, days, 4, self_addressed=1.0))


def quarterly(p: Population) -> None:
    """A job of one day in the quarter, to everybody."""
    count = p.rng.randint(40, 300)
    _honest(
        p,
        "quarterly",
        Shape("203.0.113.99", "hr-app", {f"survey@{p.domain}": count}, {p.window * 37 // 92: count}, count, (5,)),
    )


def backup_v6(p: Population) -> None:
    """A backup host on IPv6, every night."""
    days = daily(p.rng, range(p.window), 1, 2)
    shape = Shape("2001:db8:10::25", f"bk6.{p.domain}", {f"backup@{p.domain}": sum(days.values())}, days, 1, (2,))
    _honest(p, "backup-v6", replace(shape, tls="TLS1.3"))


def bulk_service(p: Population) -> None:
    """A newsletter service with its own envelope sender and a signature of ours."""
    days = daily(p.rng, range(3, p.window, 14), 50, 90)
    senders = {f"news@{p.domain}": sum(days.values())}
    shape = Shape("198.51.100.220", "mta3.bulk.example", senders, days, 90, (9,), dkim="pass", foreign=True)
    _honest(p, "bulk-service", replace(shape, envelope_domain="bounces.bulk.example"))


def second_office(p: Population) -> None:
    """A scanner of another office that uses headquarters' address all the time."""
    days = daily(p.rng, some(p, weekdays(p), 0.7, 1.0), 1, 6)
    shape = Shape("198.51.100.240", "MFP-OFFICE2", {f"scan-hq3@{p.domain}": sum(days.values())}, days, 4)
    _honest(p, "second-office", shape)


def customer_system(p: Population) -> None:
    """A rented system that writes in its users' names, unsigned, on working days."""
    days = daily(p.rng, some(p, weekdays(p), 0.7, 1.0), 2, 9)
    senders = spread(p.rng, p.rng.sample(p.people, 6), sum(days.values()))
    _honest(p, "customer-system", Shape("192.0.2.222", "crm.example", senders, days, 30, tls="TLS1.2"))


def test_at_home(p: Population) -> None:
    """An administrator tries Send-MailMessage from the office: one message to himself."""
    name = p.rng.choice(p.people)
    shape = Shape("192.0.2.10", "DESKTOP-1A2B3C4", {name: 1}, {p.window * 20 // 92: 1}, 1, (11,), 1.0)
    _honest(p, "test-at-home", shape)


def voicemail_lure(p: Population) -> None:
    """One strike of self-addressed messages."""
    targets = p.rng.sample(p.people, p.rng.randint(6, 20))
    senders = dict.fromkeys(targets, 1)
    shape = Shape(
        "139.28.36.66", "[127.0.0.1]", senders, {p.window * 60 // 92: len(targets)}, len(targets), (13,), 1.0, junk=0.4
    )
    _spoof(p, "voicemail-lure", shape)


def wave(p: Population) -> None:
    """A lure from several addresses of one network."""
    for last in p.rng.sample(range(2, 250), 4):
        targets = p.rng.sample(p.people, p.rng.randint(9, 14))
        senders = dict.fromkeys(targets, 1)
        shape = Shape(
            f"45.9.148.{last}", "WIN-4K2J9QX7", senders, {p.window * 71 // 92: len(targets)}, len(targets), (3, 4), 1.0
        )
        _spoof(p, "wave", shape)


def chief_spoof(p: Population) -> None:
    """The chief asks the accountants for a payment, from a well-named host."""
    count = p.rng.randint(2, 5)
    shape = Shape(
        "185.220.100.7", "mail.contracts-office.example", {p.people[0]: count}, {p.window * 50 // 92: count}, 2, (9, 10)
    )
    _spoof(p, "chief", replace(shape, tls="TLS1.3"))


def _late(p: Population) -> list[int]:
    """Three working weeks that begin after the first third of the window."""
    return weekdays(p, p.window // 3, min(p.window, p.window // 3 + 21))


def slow_spoof(p: Population) -> None:
    """Few messages a day for a week or two in the name of the scanner, from a hosting network."""
    days = daily(p.rng, sorted(p.rng.sample(_late(p), min(len(_late(p)), p.rng.randint(5, 9)))), 1, 3)
    senders = {f"scan-hq3@{p.domain}": sum(days.values())}
    _spoof(p, "slow", Shape("94.156.8.33", "vps-77411", senders, days, 6, junk=p.rng.random()))


def spray_spoof(p: Population) -> None:
    """Many people's names to many people within an hour or two."""
    names = p.rng.sample(p.people, p.rng.randint(10, 25))
    senders = spread(p.rng, names, len(names) + p.rng.randint(0, 10))
    total = sum(senders.values())
    _spoof(
        p, "spray", Shape("80.94.92.14", "localhost", senders, {p.window * 65 // 92: total}, total, (1, 2), junk=0.7)
    )


def name_thief(p: Population) -> None:
    """A strike from a host that greets as the scanner does, with the scanner's address."""
    count = p.rng.randint(15, 60)
    senders = {f"scan-hq3@{p.domain}": count}
    _spoof(
        p, "name-thief", Shape("91.92.240.5", "MFP-HQ3", senders, {p.window * 70 // 92: count}, count, (11,), junk=0.6)
    )


def neighbour(p: Population) -> None:
    """A rented host in the network of the listed service, outside what SPF lists."""
    names = p.rng.sample(p.people, 9)
    shape = Shape(
        "198.51.100.200", "o5.mailer.fabrikam.example", dict.fromkeys(names, 1), {p.window * 55 // 92: 9}, 9, (15,), 1.0
    )
    _spoof(p, "neighbour", shape)


def neighbour_address(p: Population) -> None:
    """A rented host beside the unlisted service, with the service's own address."""
    count = p.rng.randint(20, 50)
    days = {p.window * 58 // 92: count}
    shape = Shape("198.51.100.161", "out7.tickets.example", {f"support@{p.domain}": count}, days, count, (3,))
    _spoof(p, "neighbour-address", shape)


def slow_lure(p: Population) -> None:
    """Self-addressed messages, two or three a day for a week."""
    days = daily(p.rng, _late(p)[:5], 2, 3)
    senders = dict.fromkeys(p.rng.sample(p.people, min(len(p.people), sum(days.values()))), 1)
    shape = Shape("193.32.126.8", "localhost", senders, days, len(senders), (1, 2, 3), 1.0, junk=0.3)
    _spoof(p, "slow-lure", shape)


def header_spoof(p: Population) -> None:
    """A foreign envelope sender that passes SPF, and a person's name in header From."""
    names = p.rng.sample(p.people, 10)
    shape = Shape(
        "5.188.206.9", "mta.cheap.example", dict.fromkeys(names, 1), {p.window * 33 // 92: 10}, 10, (8,), foreign=True
    )
    _spoof(p, "header", replace(shape, envelope_domain="cheap.example"))


HONEST: tuple[Callable[[Population], None], ...] = (
    printer,
    self_scanner,
    nat_office,
    monitoring,
    erp,
    listed_service,
    unlisted_service,
    forwarder,
    wandering_branch,
    new_branch,
    new_self_scanner,
    quarterly,
    backup_v6,
    bulk_service,
    second_office,
    customer_system,
    test_at_home,
)
SPOOFS: tuple[Callable[[Population], None], ...] = (
    voicemail_lure,
    wave,
    chief_spoof,
    slow_spoof,
    spray_spoof,
    name_thief,
    neighbour,
    neighbour_address,
    slow_lure,
    header_spoof,
)
