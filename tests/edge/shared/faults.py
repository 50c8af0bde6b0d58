"""Two machines with two workers each behind a balancer, over one PostgreSQL, while all of them die in turn.

Every third message is one to be held back. In the end what was held is released, everything is delivered, and what
became of each message is compared with what its client was told.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sidedoor.store.store import open_store
from tests.edge.shared.kit import DOMAIN, Load, Machine, Sent, Site, export
from tests.edge.workers.kit import until, workers_of
from tests.store.postgres import Postgres

_QUIET = 20.0  # seconds without anything new, after which nothing more is waited for


@dataclass(frozen=True, slots=True)
class Result:
    """Messages. kept: acknowledged; held: of these, those held back. lost: acknowledged, and never came out.

    doubled: second deliveries. unsaid: came out though the client never heard 250. refused: by reply code;
    plain_refused: of these, those that needed no store. doubtful: the connection broke before an answer.
    """

    kept: int
    held: int
    lost: Sequence[str]
    doubled: int
    unsaid: int
    refused: Counter[int]
    plain_refused: int
    doubtful: int
    seconds: float


def run(folder: Path, workers: int, machines: int, restarts: int, seed: int = 1) -> Result:
    """Kill so many workers and machines, and restart the database so often, in a random order, under load."""
    dice, began = random.Random(seed), time.monotonic()
    events = ["worker"] * workers + ["machine"] * machines + ["database"] * restarts
    dice.shuffle(events)
    with Postgres() as server:
        url = server.make("edges")
        open_store(url).close()
        with Site(folder, url, "--tenant", str(export(folder / "tenant")), workers=2) as site:
            until(lambda: all(map(_is_whole, site.machines)))
            load = Load(site.balancer.port, senders=4, every=0.02)
            try:
                for event in events:
                    time.sleep(dice.uniform(0.2, 1.0))
                    _strike(event, site, server, dice)
            finally:
                sent = load.stop()
            _settle(site, sent)
            for machine in site.machines:
                machine.end()
            return _result(sent, site, time.monotonic() - began)


def _strike(event: str, site: Site, server: Postgres, dice: random.Random) -> None:
    if event == "database":
        server.stop()
        time.sleep(dice.uniform(0.5, 3.0))
        server.start()
        return
    machine = _one_that_is_whole(site, dice)
    if event == "worker":
        with suppress(ProcessLookupError):
            os.kill(dice.choice(workers_of(machine.pid)), signal.SIGKILL)
    else:
        machine.lose_power()
        time.sleep(dice.uniform(0.0, 1.0))
        machine.start()


def _one_that_is_whole(site: Site, dice: random.Random) -> Machine:
    """Workers that die again and again are kept waiting, on one machine or the other."""
    until(lambda: any(map(_is_whole, site.machines)))
    return dice.choice([machine for machine in site.machines if _is_whole(machine)])


def _is_whole(machine: Machine) -> bool:
    return len(workers_of(machine.pid)) == 2


def _settle(site: Site, sent: Sent) -> None:
    """Wait for what was kept, then release what was held back and wait for that."""
    with open_store(site.store) as store:
        tenant = store.tenant(DOMAIN)
        _wait(site, {mark for mark in sent.kept if mark.startswith("plain")})
        while held := tenant.held_messages():
            for each in held:
                tenant.release_held(each.id, datetime.now(UTC))
        _wait(site, sent.kept)
        until(lambda: tenant.released_messages() == 0)
    time.sleep(2.0)  # what nobody was told of may still be on its way


def _wait(site: Site, marks: set[str]) -> None:
    """Until all are there, or nothing more has come for a while."""
    seen, quiet_since = -1, time.monotonic()
    while marks - site.sink.got.keys() and time.monotonic() - quiet_since < _QUIET:
        if sum(site.sink.got.values()) != seen:
            seen, quiet_since = sum(site.sink.got.values()), time.monotonic()
        time.sleep(0.1)


def _result(sent: Sent, site: Site, seconds: float) -> Result:
    got = site.sink.got
    return Result(
        len(sent.kept), sum(mark.startswith("hold") for mark in sent.kept), sorted(sent.kept - got.keys()),
        sum(got.values()) - len(got), len(got.keys() - sent.kept), sent.refused, len(sent.refused_plain),
        len(sent.doubtful), seconds,
    )  # fmt: skip
