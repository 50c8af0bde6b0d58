"""From actors to messages, and the bulk around them: mail between mailboxes, outbound, internet, bounces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from sidedoor.demo.message import Message
from sidedoor.demo.population import ANY_HOUR, OFFICE_HOURS, Actor, actors

STAFF = tuple(f"user{number:03d}" for number in range(240))
# Shares of the whole history; what is left is mail of the actors.
_INTRA, _OUTBOUND, _INTERNET, _BOUNCES = 0.34, 0.16, 0.41, 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: so many messages in so many days up to `end`, for `domain`."""

    domain: str
    rows: int
    days: int
    seed: int
    end: datetime


def messages(plan: Plan) -> Iterator[Message]:
    """Every message, in no particular order; the same for the same plan."""
    random = Random(f"{plan.seed} {plan.domain} {plan.rows} {plan.days}")  # noqa: S311  # invented mail, no secret
    bulk = {kind: int(plan.rows * share) for kind, share in
            (("intra", _INTRA), ("outbound", _OUTBOUND), ("internet", _INTERNET), ("bounce", _BOUNCES))}  # fmt: skip
    own = plan.rows - sum(bulk.values())
    everyone = actors()
    total = sum(actor.share for actor in everyone)
    for actor in everyone:
        yield from _of_actor(plan, random, actor, max(1, round(own * actor.share / total)))
    yield from _intra_org(plan, random, bulk["intra"])
    yield from _outbound(plan, random, bulk["outbound"])
    yield from _internet(plan, random, bulk["internet"])
    yield from _bounces(plan, random, bulk["bounce"])


def _key(random: Random) -> str:
    number = f"{random.getrandbits(128):032x}"
    return f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"


def _time(plan: Plan, random: Random, days_ago: int, hours: Sequence[int]) -> datetime:
    midnight = plan.end.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days_ago) + timedelta(
        hours=random.choice(hours), minutes=random.randrange(60), seconds=random.randrange(60)
    )  # fmt: skip


def _days_of(plan: Plan, actor: Actor) -> list[int]:
    """Days before the end on which the actor sends, working days only for office devices."""
    days = range(max(1, actor.last), min(actor.first, plan.days - 1) + 1)
    chosen = [day for day in days if (day - actor.last) % actor.every == 0]
    if actor.hours is OFFICE_HOURS:
        chosen = [day for day in chosen if (plan.end - timedelta(days=day)).weekday() < 5]
    return chosen or [min(max(1, actor.last), plan.days - 1)]


def _of_actor(plan: Plan, random: Random, actor: Actor, count: int) -> Iterator[Message]:
    days = _days_of(plan, actor)
    for number in range(count):
        host = random.randrange(len(actor.networks))
        header = _address(plan, random, random.choice(actor.header))
        envelope = random.choice(actor.envelope).format(d=plan.domain, n=number) if actor.envelope else header
        to = header if actor.recipients[0] == "self" else _address(plan, random, random.choice(actor.recipients))
        helo = actor.helo.format(d=plan.domain)
        yield Message(
            _key(random), _time(plan, random, days[number % len(days)], actor.hours), envelope, header, to,
            actor.networks[host], helo % host if "%s" in helo else helo, actor.tls, actor.connector, "Inbound",
            *actor.results, actor.status, f"{actor.subject} {number}", actor.key,
            _submission(actor), actor.affected,
        )  # fmt: skip


def _submission(actor: Actor) -> str:
    if actor.connector:
        return "onpremises-connector"
    return "direct-send" if actor.affected else "internet"


def _address(plan: Plan, random: Random, text: str) -> str:
    local = random.choice(STAFF) if text == "staff" else text
    return local.format(d=plan.domain) if "@" in local else f"{local}@{plan.domain}"


def _intra_org(plan: Plan, random: Random, count: int) -> Iterator[Message]:
    for number in range(count):
        sender, to = (f"{local}@{plan.domain}" for local in random.sample(STAFF, 2))
        when = _time(plan, random, random.randrange(1, plan.days), OFFICE_HOURS)
        yield Message(
            _key(random), when, sender, sender, to, "", "", "", "", "Intra-org", "", "", "", "", "Delivered",
            f"Re: item {number}", "mailboxes", "authenticated", False,
        )  # fmt: skip


def _outbound(plan: Plan, random: Random, count: int) -> Iterator[Message]:
    for number in range(count):
        sender = f"{random.choice(STAFF)}@{plan.domain}"
        to = f"contact{random.randrange(9000)}@customer{random.randrange(800)}.example"
        when = _time(plan, random, random.randrange(1, plan.days), OFFICE_HOURS)
        yield Message(
            _key(random), when, sender, sender, to, "", "", "", "", "Outbound", "", "", "", "", "Delivered",
            f"Offer {number}", "mailboxes", "outbound", False,
        )  # fmt: skip


def _internet(plan: Plan, random: Random, count: int) -> Iterator[Message]:
    """Foreign mail with a long tail of domains and hosts, in the benchmarking range (RFC 2544) for want of a larger."""
    for number in range(count):
        host = min(int(random.paretovariate(0.6)), 60_000)
        sender = f"{random.choice(('info', 'sales', 'noreply', 'anna', 'team'))}@sender{host}.example"
        ip = f"198.{18 + host // 32768}.{host // 256 % 128}.{host % 256}"
        spam = random.random() < 0.08
        result = "fail" if spam else "pass"
        yield Message(
            _key(random), _time(plan, random, random.randrange(1, plan.days), ANY_HOUR), sender, sender,
            f"{random.choice(STAFF)}@{plan.domain}", ip, f"mail.sender{host}.example", "TLS1.3", "", "Inbound", result,
            result, result, result, "FilteredAsSpam" if spam else "Delivered", f"News {number}", "internet",
            "internet", False,
        )  # fmt: skip


def _bounces(plan: Plan, random: Random, count: int) -> Iterator[Message]:
    for number in range(count):
        host = random.randrange(2000)
        yield Message(
            _key(random), _time(plan, random, random.randrange(1, plan.days), ANY_HOUR), "<>",
            f"mailer-daemon@sender{host}.example", f"{random.choice(STAFF)}@{plan.domain}",
            f"198.18.{host // 256}.{host % 256}", f"mail.sender{host}.example", "TLS1.3", "", "Inbound", "none", "none",
            "none", "pass", "Delivered", f"Undeliverable: {number}", "bounces", "internet", False,
        )  # fmt: skip
