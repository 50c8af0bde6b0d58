"""A collection over a folder, against a service that is a function."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import httpx

from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.exchange.clouds import CLOUDS
from sidedoor.exchange.collect import Collection
from sidedoor.exchange.graph import Graph
from sidedoor.exchange.http import Http
from sidedoor.exchange.invoke import Exchange
from sidedoor.exchange.missing import Missing
from sidedoor.exchange.parts import Store, read_csv
from sidedoor.exchange.plan import Plan, checked_stretch
from tests.exchange.fake_service import NOW, FakeClock, FakeTokens

Answer = Callable[[httpx.Request], httpx.Response]


def collect(
    folder: Path, answer: Answer, clock: FakeClock, *, details: int = 0, lists: str = "exchange", days: int = 90
) -> tuple[list[Missing], list[str]]:
    """One run, or one more; what is missing and what was said."""
    said: list[str] = []
    tokens, cloud = FakeTokens(), CLOUDS["global"]
    since, until = checked_stretch(NOW - timedelta(days=days), NOW, NOW)
    http = Http(tokens, clock, said.append, httpx.MockTransport(answer))
    with Store(folder) as store:
        store.load()
        run = Collection(
            Plan("contoso.example", since, until, lists, details), store,
            Exchange(http, cloud, "contoso.example", tokens.anchor), Graph(http, cloud), clock, said.append,
            lambda path: read_tenant(path, explicit=False).snapshot,
        )  # fmt: skip
        return run.run(), said


def keys(folder: Path) -> list[tuple[str, str]]:
    """Message and recipient of all collected rows."""
    return [
        (row["MessageTraceId"], row["RecipientAddress"])
        for path in sorted(folder.glob("MessageTraceV2-*.csv"))
        for row in read_csv(path)
    ]
