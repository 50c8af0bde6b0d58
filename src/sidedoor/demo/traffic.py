"""From actors to messages, and the bulk around them: mail between mailboxes, outbound, internet, bounces.

Messages come newest first, as Exchange lists them, and a day at a time, so that memory holds one day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from sidedoor.demo.message import Message
from sidedoor.demo.names import placeholders
from sidedoor.demo.population import ANY_HOUR, OFFICE_HOURS, Actor, actors

STAFF = tuple(f"user{number:03d}" for number in range(240))
# Shares of the whole history; what is left is mail in the organisation's own name.
_INTRA, _OUTBOUND, _INTERNET, _BOUNCES = 0.34, 0.16, 0.41, 0.01
_WEEKDAYS = 5
_SECOND_RECIPIENT = 0.05  # of the rows; a message that has two stands in two rows with one key


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: so many messages in so many days up to `end`, for `domain`."""

    domain: str
    rows: int
    days: int
    seed: int
    end: datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """One source of mail: message number n goes to day `days[n % len(days)]`, counted back from the end."""

    name: str
    count: int
    days: Sequence[int]
    make: Callable[[Random, int, int], Message]  # dice, number, day

    def of_day(self, random: Random, day: int) -> Iterator[Message]:
        """Its messages of one day."""
        last: Message | None = None
        for number in range(self.days.index(day), self.count, len(self.days)) if day in self.days else ():
            message = self.make(random, number, day)
            if last is not None and _shareable(last, message) and random.random() < _SECOND_RECIPIENT:
                yield replace(last, recipient=message.recipient)
                last = None
            else:
                yield message
                last = message


def _shareable(message: Message, other: Message) -> bool:
    """Whether the recipient of `other` may be a second one of `message`: not of bounces, not of self-addressed mail."""
    if message.envelope_sender == "<>" or message.recipient == message.header_from:
        return False
    return other.recipient not in {message.recipient, message.header_from}


def messages(plan: Plan) -> Iterator[Message]:
    """Every message to every recipient, newest first; the same for the same plan."""
    streams = tuple(_streams(plan))
    for day in range(1, plan.days):
        random = Random(f"{plan.seed} {plan.domain} {plan.rows} {plan.days} {day}")  # noqa: S311  # no secret
        of_day = [message for stream in streams for message in stream.of_day(random, day)]
        yield from sorted(of_day, key=lambda message: (message.received_at, message.key), reverse=True)


def _streams(plan: Plan) -> Iterator[Stream]:
    bulk = [int(plan.rows * share) for share in (_INTRA, _OUTBOUND, _INTERNET, _BOUNCES)]
    own, everyone = plan.rows - sum(bulk), actors()
    total = sum(actor.share for actor in everyone)
    counts = [max(1, round(own * actor.share / total)) for actor in everyone]
    bulk[2] += own - sum(counts)  # what rounding left
    for actor, count in zip(everyone, counts, strict=True):
        yield Stream(actor.key, count, _days_of(plan, actor), _Sender(plan, actor).message)
    every = range(1, plan.days)
    working = [day for day in every if (plan.end - timedelta(days=day)).weekday() < _WEEKDAYS]
    makers = (_intra_org, working), (_outbound, working), (_internet, every), (_bounce, every)
    for (make, days), count in zip(makers, bulk, strict=True):
        yield Stream(make.__name__, count, days, _for(plan, make))


def _for(
    plan: Plan, make: Callable[[Plan, Random, int, int], Message]
) -> Callable[[Random, int, int], Message]:  # fmt: skip
    return lambda random, number, day: make(plan, random, number, day)


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
    if actor.month_end:
        chosen = [day for day in days if (plan.end - timedelta(days=day - 2)).day <= 2]
    elif actor.hours is OFFICE_HOURS:
        chosen = [day for day in days if (plan.end - timedelta(days=day)).weekday() < _WEEKDAYS]
    else:
        chosen = list(days)
    return chosen or [min(max(1, actor.last), plan.days - 1)]


@dataclass(frozen=True, slots=True)
class _Sender:
    """Makes the messages of one actor."""

    plan: Plan
    actor: Actor

    def message(self, random: Random, number: int, day: int) -> Message:
        """Message `number` of the actor, on `day`."""
        plan, actor = self.plan, self.actor
        host = random.randrange(len(actor.networks))
        header = _address(plan, random, random.choice(actor.header))
        envelope = (
            random.choice(actor.envelope).format(n=number, **placeholders(plan.domain)) if actor.envelope else header
        )
        to = header if actor.recipients[0] == "self" else _address(plan, random, random.choice(actor.recipients))
        helo = actor.helo.format(**placeholders(plan.domain))
        return Message(
            _key(random), _time(plan, random, day, actor.hours), envelope, header, to, actor.networks[host],
            helo % host if "%s" in helo else helo, actor.tls, actor.connector, "Inbound", *actor.results, actor.status,
            f"{actor.subject} {number}", actor.key, actor.submission, actor.affected,
        )  # fmt: skip


def _address(plan: Plan, random: Random, text: str) -> str:
    local = random.choice(STAFF) if text == "staff" else text
    return local.format(**placeholders(plan.domain)) if "@" in local else f"{local}@{plan.domain}"


def _intra_org(plan: Plan, random: Random, number: int, day: int) -> Message:
    sender, to = (f"{local}@{plan.domain}" for local in random.sample(STAFF, 2))
    return Message(
        _key(random), _time(plan, random, day, OFFICE_HOURS), sender, sender, to, "", "", "", "", "Intra-org", "", "",
        "", "", "Delivered", f"Re: item {number}", "mailboxes", "authenticated", False,
    )  # fmt: skip


def _outbound(plan: Plan, random: Random, number: int, day: int) -> Message:
    sender = f"{random.choice(STAFF)}@{plan.domain}"
    to = f"contact{random.randrange(9000)}@customer{random.randrange(800)}.example"
    return Message(
        _key(random), _time(plan, random, day, OFFICE_HOURS), sender, sender, to, "", "", "", "", "Outbound", "", "",
        "", "", "Delivered", f"Offer {number}", "mailboxes", "outbound", False,
    )  # fmt: skip


def _internet(plan: Plan, random: Random, number: int, day: int) -> Message:
    """Foreign mail with a long tail of domains and hosts, in the benchmarking range (RFC 2544) for want of a larger."""
    host = min(int(random.paretovariate(0.6)), 60_000)
    sender = f"{random.choice(('info', 'sales', 'noreply', 'anna', 'team'))}@sender{host}.example"
    ip = f"198.{18 + host // 32768}.{host // 256 % 128}.{host % 256}"
    spam = random.random() < 0.08
    result = "fail" if spam else "pass"
    return Message(
        _key(random), _time(plan, random, day, ANY_HOUR), sender, sender, f"{random.choice(STAFF)}@{plan.domain}", ip,
        f"mail.sender{host}.example", "TLS1.3", "", "Inbound", result, result, result, result,
        "FilteredAsSpam" if spam else "Delivered", f"News {number}", "internet", "internet", False,
    )  # fmt: skip


def _bounce(plan: Plan, random: Random, number: int, day: int) -> Message:
    host = random.randrange(2000)
    return Message(
        _key(random), _time(plan, random, day, ANY_HOUR), "<>", f"mailer-daemon@sender{host}.example",
        f"{random.choice(STAFF)}@{plan.domain}", f"198.18.{host // 256}.{host % 256}", f"mail.sender{host}.example",
        "TLS1.3", "", "Inbound", "none", "none", "none", "pass", "Delivered", f"Undeliverable: {number}", "bounces",
        "internet", False,
    )  # fmt: skip
