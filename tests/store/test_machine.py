"""Any sequence of operations gives the same answers on SQLite, on PostgreSQL, and from plain dictionaries.

Times are few and keys are few, so that things meet: the same alert raised twice, a claim of what was claimed, a
decision on what has changed, retention that cuts through the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sidedoor.store.changes import Applied, Changes, RunEnd
from sidedoor.store.errors import NotThereError, StaleError
from sidedoor.store.model import (
    AlertFilter,
    Baseline,
    Decision,
    Delivery,
    DeliveryState,
    EdgeLine,
    Observation,
    Occasion,
    Run,
    SeenEdge,
    Severity,
    TrailEntry,
    Word,
)
from sidedoor.store.store import Store, open_store
from tests.store.memory import Memory
from tests.store.postgres import MISSING, Postgres
from tests.store.store_kit import DAY, NOW, alert, counted, delivery, finding, held, known, line

_SERIAL = count()
texts = st.sampled_from(["", "Ann", "a\x00b", "\ud800", "%_", "ÄÖ"])
numbers = st.integers(0, 3)
keys = numbers.map(lambda number: f"key-{number}")
times = st.integers(0, 4).map(lambda days: NOW + days * DAY)
who = st.sampled_from(["ann", "bob"])
severities = st.sampled_from(Severity)


def plain(value: Any) -> Any:
    """Without the numbers that a database gives."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    return replace(value, number=0) if isinstance(value, TrailEntry | Run | EdgeLine) else value


class Machine(RuleBasedStateMachine):
    """A tenant in each of several stores, and one in memory."""

    stores: Sequence[Store] = ()

    @initialize()
    def begin(self) -> None:
        domain = f"t{next(_SERIAL)}.example"
        self.memory = Memory()
        self.tenants = [store.tenant(domain) for store in self.stores]
        self.runs: list[list[int]] = []

    def same(self, call: Callable[[Any], Any]) -> Any:
        """Ask all; they have to answer the same, or fail the same."""
        wanted, *found = (self._outcome(call, each) for each in (self.memory, *self.tenants))
        for each in found:
            assert each == wanted
        return wanted

    @staticmethod
    def _outcome(call: Callable[[Any], Any], of: Any) -> Any:
        try:
            return plain(call(of))
        except StaleError as error:
            return error.current
        except NotThereError:
            return NotThereError

    @rule(key=keys, word=st.sampled_from(Word), owner=texts, due=st.sampled_from([None, date(2027, 1, 1)]),
          version=st.integers(-1, 1), by=who, at=times)  # fmt: skip
    def decide(self, *, key: str, word: Word, owner: str, due: date | None, version: int, by: str, at: Any) -> None:
        there = self.memory.decided.get(key, Decision(key)).version
        self.same(lambda to: to.decide(Decision(key, word, owner, due=due, version=there + version), by, "web", at))

    @rule(by=who, subject=keys, text=texts, at=times)
    def note(self, by: str, subject: str, text: str, at: Any) -> None:
        self.same(lambda to: to.note(TrailEntry(at, by, "cli", "sign-in", subject, {text: text}, {})))

    @rule(number=numbers, name=texts, places=st.frozensets(st.tuples(texts, texts), max_size=3), at=times)
    def put_senders(self, number: int, name: str, places: frozenset[tuple[str, str]], at: Any) -> None:
        self.same(lambda to: to.put_senders([known(number, name=name, places=places, last_seen=at)]))

    @rule(some=st.lists(keys, max_size=3))
    def accept(self, some: list[str]) -> None:
        self.same(lambda to: to.accept_senders(some))

    @rule(numbers=st.lists(numbers, max_size=3), severity=severities, text=texts, at=times,
          channels=st.sets(st.sampled_from(["mail", "teams"])), occasion=st.sampled_from(Occasion),
          ids=st.integers(0, 9))  # fmt: skip
    def raise_alerts(self, *, numbers: list[int], severity: Severity, text: str, at: Any, channels: set[str],
                     occasion: Occasion, ids: int) -> None:  # fmt: skip
        found = [alert(each, at, severity, id=f"alert-{each}-{ids}") for each in numbers]
        raised = tuple(replace(each, finding=replace(each.finding, text=text)) for each in found)
        messages = tuple(delivery(each, name, occasion) for each in raised for name in sorted(channels))
        self.same(lambda to: to.apply(Changes(at, raised=raised, deliveries=messages)))

    @rule(data=st.data(), severity=severities, at=times, text=texts)
    @precondition(lambda self: self.memory.raised)
    def see(self, data: st.DataObject, severity: Severity, at: Any, text: str) -> None:
        some = data.draw(st.sets(st.sampled_from(sorted(self.memory.raised))))
        seen = {key: finding(self.memory.raised[key].finding.subject, severity, text=text) for key in some}
        worse = tuple(
            delivery(self.memory.raised[key], occasion=Occasion.WORSENED, id=f"{key}-{severity}", severity=severity)
            for key in sorted(some)
        )
        self.same(lambda to: to.apply(Changes(at, seen=seen, deliveries=worse, values={text: at.isoformat()})))

    @rule(data=st.data(), at=times)
    @precondition(lambda self: self.memory.raised)
    def recover(self, data: st.DataObject, at: Any) -> None:
        over = data.draw(st.frozensets(st.sampled_from(sorted(self.memory.raised))))
        needless = data.draw(st.frozensets(st.sampled_from([*sorted(self.memory.outbox), "nothing"])))
        held = data.draw(st.dictionaries(st.sampled_from([*sorted(self.memory.outbox), "nothing"]), times))
        changes = Changes(at, recovered=over, needless=needless, held=held, baseline=Baseline(at, sorted(over)))
        assert isinstance(self.same(lambda to: to.apply(changes)), Applied)

    @rule(number=numbers, ids=st.integers(0, 9), by=who, at=times, until=st.none() | times)
    def answer(self, number: int, ids: int, by: str, at: Any, until: Any) -> None:
        key = f"alert-{number}-{ids}"
        answers: list[Callable[[Any], Any]] = [
            lambda to: to.acknowledge(key, by, "web", at),
            lambda to: to.snooze(key, until, by, "api", at),
            lambda to: to.accept_alert(key, Baseline(at, key), by, "web", at),
        ]
        self.same(answers[ids % 3])

    @rule(data=st.data(), at=times, age=st.integers(-1, 0))
    @precondition(lambda self: self.memory.outbox)
    def claim(self, data: st.DataObject, at: Any, age: int) -> None:
        there = data.draw(st.sampled_from(sorted(self.memory.outbox)))
        wanted: Delivery = self.memory.outbox[there]
        self.same(lambda to: to.claim(replace(wanted, attempts=wanted.attempts + age), at))

    @rule(data=st.data(), state=st.sampled_from([DeliveryState.SENT, DeliveryState.DUE, DeliveryState.GIVEN_UP]),
          at=times, later=st.none() | times, error=texts)  # fmt: skip
    @precondition(lambda self: self.memory.outbox)
    def finish(self, data: st.DataObject, state: DeliveryState, at: Any, later: Any, error: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.memory.outbox)))
        self.same(lambda to: to.finish(key, state, at, error, later))

    @rule(some=st.lists(st.tuples(st.sampled_from(["probe", "bounce"]), keys, times), max_size=3), text=texts)
    def observe(self, some: list[tuple[str, str, Any]], text: str) -> None:
        seen = [Observation(kind, key, at, {"text": text}) for kind, key, at in some]
        self.same(lambda to: to.put_observations(seen))

    @rule(at=times)
    def begin_run(self, at: Any) -> None:
        everybody: list[Any] = [self.memory, *self.tenants]
        self.runs.append([each.begin_run(at) for each in everybody])

    @rule(data=st.data(), at=times, said=texts)
    @precondition(lambda self: self.runs)
    def end_run(self, data: st.DataObject, at: Any, said: str) -> None:
        run = data.draw(st.sampled_from(self.runs))
        outcomes = [
            self._outcome(lambda to, number=number: to.end_run(RunEnd(number, at, "done", (said,))), each)  # type: ignore[misc]
            for number, each in zip(run, (self.memory, *self.tenants), strict=True)
        ]
        assert outcomes == [outcomes[0]] * len(outcomes)

    @rule(name=texts, body=texts | st.none() | st.lists(st.floats(allow_nan=False)))
    def put_value(self, name: str, body: Any) -> None:
        self.same(lambda to: to.put_value(name, body))
        self.same(lambda to: to.change_value(name, [body], TrailEntry(NOW, "ann", "web", "tick", name)))

    @rule(number=numbers, at=times, text=texts)
    def hold(self, number: int, at: Any, text: str) -> None:
        if f"m-{number}" not in self.memory.held:
            self.same(lambda to: to.hold([held(number, at, envelope_sender=text, recipients=(text, "b"), why=text)]))

    @rule(
        number=numbers, at=times, by=st.sampled_from(["ann", ""]), what=st.sampled_from(["unhold", "release", "delete"])
    )
    def let_go(self, number: int, at: Any, by: str, what: str) -> None:
        does: dict[str, Callable[[Any], Any]] = {
            "unhold": lambda to: to.unhold([f"m-{number}", "nothing"]),
            "release": lambda to: to.release_held(f"m-{number}", at, by, "cli"),
            "delete": lambda to: to.delete_held(f"m-{number}", at, by, "cli"),
        }
        self.same(does[what])

    @rule(taker=st.sampled_from(["one", "two"]), fails=st.booleans())
    def take(self, taker: str, fails: bool) -> None:
        self.same(lambda to: _taken(to, taker, fails=fails))

    @rule(taker=st.sampled_from(["one", "two"]), numbers=st.sets(numbers))
    def settle(self, taker: str, numbers: set[int]) -> None:
        self.same(lambda to: _settled(to, taker, [f"m-{number}" for number in numbers]))

    @rule(body=texts, by=who, at=times)
    def publish(self, body: str, by: str, at: Any) -> None:
        self.same(lambda to: to.publish_settings({"x": body}, by, "cli", at))

    @rule(edge=st.sampled_from(["one", "two"]), at=times, seq=st.integers(0, 9), count=st.integers(0, 9), text=texts)
    def report(self, *, edge: str, at: Any, seq: int, count: int, text: str) -> None:
        seen = SeenEdge(edge, NOW, at, settings=count, waiting=seq)
        counts, lines = [counted(count, edge, at.date())], [line(seq, edge, at, text=text)]
        self.same(lambda to: to.report_edge(seen, counts, lines))

    @rule(at=times)
    def sweep(self, at: Any) -> None:
        self.same(lambda to: to.sweep_edges(at + DAY))

    @rule(before=times, trail_before=st.none() | times)
    def forget(self, before: Any, trail_before: Any) -> None:
        self.same(lambda to: to.forget(before, trail_before=trail_before))

    @invariant()
    def answers_are_the_same(self) -> None:
        for call in (
            lambda of: of.decisions(), lambda of: of.trail(), lambda of: of.trail("key-1", 2),
            lambda of: of.known_senders(), lambda of: of.baseline(), lambda of: of.open_alerts(),
            lambda of: of.alerts(), lambda of: of.interrupted(), lambda of: of.count_deliveries(),
            lambda of: of.last_runs(), lambda of: of.latest_time(), lambda of: of.value(""), lambda of: of.value("Ann"),
            lambda of: of.held_messages(), lambda of: of.held_message("m-1"), lambda of: of.released_messages(),
            lambda of: of.published_settings(), lambda of: of.settings_version(), lambda of: of.seen_edges(),
            lambda of: of.edge_counts(NOW.date()), lambda of: of.edge_lines(),
        ):  # fmt: skip
            self.same(call)

    @rule(wanted=st.builds(AlertFilter, open_only=st.booleans(), severity=severities, search=texts,
                           subject=st.none() | keys, kinds=st.sampled_from([frozenset(), frozenset({"new-sender"})])),
          limit=st.integers(0, 3), offset=st.integers(0, 3), at=times)  # fmt: skip
    def look(self, wanted: AlertFilter, limit: int, offset: int, at: Any) -> None:
        self.same(lambda of: of.alerts(wanted, limit, offset))
        self.same(lambda of: of.count_alerts(wanted))
        self.same(lambda of: of.due_deliveries(at))
        self.same(lambda of: len(of.sender_keys()))
        self.same(lambda of: of.observations("probe", since=at, limit=limit))


def _taken(to: Any, taker: str, *, fails: bool) -> Any:
    """What is taken, and what was seen of it."""
    seen: list[Any] = []

    def prepare(message: Any) -> None:
        seen.append(message)
        if fails:
            raise NotThereError("no room")

    try:
        return to.take_held(taker, prepare), seen
    except NotThereError:
        return seen


def _settled(to: Any, taker: str, arriving: list[str]) -> list[frozenset[str]]:
    said: list[frozenset[str]] = []
    to.settle_taken(taker, arriving, said.append)
    return said


@pytest.fixture
def stores(tmp_path: Any, request: pytest.FixtureRequest) -> Any:
    """SQLite, and PostgreSQL where it is to be had."""
    urls = [f"sqlite:///{tmp_path}/sidedoor.db"]
    if not MISSING:
        server: Postgres = request.getfixturevalue("server")
        urls.append(server.make(f"machine_{next(_SERIAL)}_{id(request)}"))
    opened = [open_store(url) for url in urls]
    yield opened
    for each in opened:
        each.close()


def test_all_stores_are_as_one_in_memory(stores: list[Store]) -> None:
    class OfStores(Machine):
        pass

    OfStores.stores = stores
    bounds = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(OfStores, settings=bounds)
