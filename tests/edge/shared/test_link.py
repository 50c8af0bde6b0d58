"""The way to the store, its vault and its settings, against a store that hangs or is away when a test says so."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidedoor.edge.current import Current
from sidedoor.edge.settings import Ground
from sidedoor.edge.shared import vault as vault_module
from sidedoor.edge.shared.link import AwayError, Link
from sidedoor.edge.shared.settings import NAME, PublishedSource
from sidedoor.edge.shared.vault import Vault
from sidedoor.edge.spool.model import Held, Kept
from sidedoor.errors import UnreachableError
from sidedoor.evidence.tenant_files import read_tenant
from sidedoor.mail.address import parse_address
from sidedoor.store.model import HeldMessage, PublishedSettings
from sidedoor.tenant.codec import encode
from tests.audit.audit_kit import accepted_domain, write_settings

NOW = datetime(2026, 11, 28, tzinfo=UTC)
HELD = Held(Kept("m-1", NOW, "", ("desk@contoso.com",), b"x"), "a rule")


class Fake:
    """A store and its tenant at once. goes: cleared, it hangs. away: it does not answer. cut: once, for settings."""

    def __init__(self) -> None:
        self.goes, self.away, self.rows = threading.Event(), False, set[str]()
        self.cut = False
        self.goes.set()
        self.settings: PublishedSettings | None = None
        self.done = threading.Event()

    def tenant(self, _: str) -> Fake:
        if self.away:
            raise UnreachableError("nobody there")
        return self

    def hold(self, rows: Sequence[HeldMessage]) -> None:
        assert self.goes.wait(20)
        self.rows |= {row.id for row in rows}
        self.done.set()

    def unhold(self, ids: Iterable[str]) -> None:
        self.tenant("")
        self.rows -= set(ids)

    def settings_version(self) -> int:
        self.tenant("")
        return self.settings.version if self.settings else 0

    def published_settings(self) -> PublishedSettings | None:
        if self.cut:
            self.cut = False
            raise UnreachableError("gone in the middle")
        self.tenant("")
        return self.settings

    def close(self) -> None:
        """Nothing is open."""


def link_to(fake: Any, said: list[str] | None = None) -> Link:
    return Link(lambda: fake, "contoso.com", (said if said is not None else []).append)


def test_what_is_held_too_late_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client was told 4yz and sends it again; the first tidy comes before the store has done it."""
    monkeypatch.setattr(vault_module, "_PATIENCE", 0.05)
    fake = Fake()
    link = link_to(fake)
    vault = Vault(link, "edge-1")

    async def run() -> None:
        fake.goes.clear()
        with pytest.raises(AwayError):
            await vault.hold([HELD])
        await link.call(lambda _: None, look=True)  # another thread finds the store to be there
        await vault.tidy()
        fake.goes.set()
        assert await asyncio.to_thread(fake.done.wait, 20)
        while fake.rows:
            await vault.tidy()
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_two_who_tidy_at_once_do_not_stumble() -> None:
    fake = Fake()
    vault = Vault(link_to(fake), "edge-1")

    async def run() -> None:
        for name in "abc":
            fake.rows.add(name)
        await asyncio.gather(*(vault.unhold([name]) for name in "abc"), vault.tidy())
        await vault.tidy()

    asyncio.run(run())
    assert fake.rows == set()


def test_what_nobody_waits_for_is_not_begun() -> None:
    fake, begun = Fake(), list[str]()
    link = link_to(fake)
    gate = threading.Event()
    for _ in range(3):
        link._submit(lambda _: gate.wait(20))
    with pytest.raises(AwayError):
        link.ask(lambda _: begun.append("late"), patience=0.05)
    gate.set()
    link.ask(lambda _: begun.append("next"), look=True)
    assert begun == ["next"]


def test_while_the_store_is_away_its_settings_are_those_of_before(tmp_path: Path) -> None:
    fake, said = Fake(), list[str]()
    export = read_tenant(write_settings(tmp_path / "tenant", [accepted_domain("contoso.com", Default=True)]))
    fake.settings = PublishedSettings(3, NOW, "ann", encode(export.snapshot))
    recipients = tmp_path / "recipients"
    recipients.write_text("desk@contoso.com\n")
    source = PublishedSource(link_to(fake, said), Ground(recipients), tmp_path / NAME)
    before = source.signature()
    assert source.read(NOW).version == 3
    fake.away = True
    assert source.read(NOW).version == 3
    source.link._tenant = None
    seen = source.signature()
    assert [source.signature() for _ in range(3)] == [seen] * 3  # nothing to be read again and again
    assert seen == before
    recipients.write_text("desk@contoso.com\nnew@contoso.com\n")
    assert source.signature() != seen
    fresh = source.read(NOW)
    assert fresh.version == 3
    assert fresh.recipients == frozenset(parse_address(f"{name}@contoso.com").folded for name in ("desk", "new"))
    fake.away, fake.settings = False, PublishedSettings(4, NOW, "ann", encode(export.snapshot))
    source.link.ask(lambda _: None, look=True)
    assert source.signature() != seen
    assert source.read(NOW).version == 4
    assert len(said) == 2


def test_a_start_without_the_store_takes_the_copy_of_its_own_tenant(tmp_path: Path) -> None:
    fake = Fake()
    export = read_tenant(write_settings(tmp_path / "tenant", [accepted_domain("contoso.com", Default=True)]))
    fake.settings = PublishedSettings(3, NOW, "ann", encode(export.snapshot))
    copy = tmp_path / NAME
    PublishedSource(link_to(fake), Ground(), copy).read(NOW)
    assert copy.stat().st_mode & 0o077 == 0
    fake.away = True
    assert PublishedSource(link_to(fake), Ground(), copy).read(NOW).version == 3
    with pytest.raises(AwayError, match="no copy"):
        PublishedSource(Link(lambda: fake, "fabrikam.com", lambda _: None), Ground(), copy).read(NOW)  # type: ignore[arg-type, return-value]
    for broken in (b"", b"{", b"[1]", b"null", copy.read_bytes()[:40]):
        copy.write_bytes(broken)
        with pytest.raises(AwayError, match="no copy"):
            PublishedSource(link_to(fake), Ground(), copy).read(NOW)


@pytest.mark.parametrize("at_the_start", [True, False])
def test_settings_that_were_told_of_and_not_given_are_asked_for_again(at_the_start: bool, tmp_path: Path) -> None:
    """The store goes away between the two questions."""
    fake, copy = Fake(), tmp_path / NAME
    export = read_tenant(write_settings(tmp_path / "tenant", [accepted_domain("contoso.com", Default=True)]))
    old, new = (PublishedSettings(number, NOW, "ann", encode(export.snapshot)) for number in (2, 3))
    fake.settings = old
    PublishedSource(link_to(fake), Ground(), copy).read(NOW)
    if at_the_start:
        fake.settings, fake.cut = new, True
    link, said = link_to(fake), list[str]()
    current = Current(PublishedSource(link, Ground(), copy), said.append)
    assert current.get().version == 2
    fake.settings, fake.cut = new, not at_the_start

    async def run() -> None:
        watching = asyncio.create_task(current.watch(0.01))
        while current.get().version != 3:
            await link.call(lambda _: None, look=True)  # as who reports does
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        watching.cancel()

    asyncio.run(asyncio.wait_for(run(), 30))
    assert not fake.cut
    assert len(said) == (1 if at_the_start else 2)  # once each time they came into force
