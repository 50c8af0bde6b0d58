"""The change under a clock that lets half an hour pass at once: propagation, lost answers, and what the record says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from sidedoor.cli.switching import Switching
from sidedoor.exchange.clouds import CLOUDS
from sidedoor.exchange.http import Http
from sidedoor.exchange.invoke import Exchange
from sidedoor.mail.fact import Unknown
from sidedoor.probe.model import Attempt, ProbeResult, Request, Role, SenderKind, Target, Verdict
from sidedoor.probe.outcome import Outcome, Stage
from sidedoor.report.close_json import Book, Record, State, last_close
from sidedoor.tenant.snapshot import TenantSnapshot
from tests.exchange.fake_service import FakeClock, FakeTokens

DOOR = Target("door.example", 25, Role.ENDPOINT)
QUESTION = Request("northwind.example", (DOOR,), ((SenderKind.ACCEPTED, "a@northwind.example"),), "b@c.example", "h")


@dataclass
class Service:
    """Sets the switch, shows it `shows` seconds later, and shuts the door `shuts` seconds later.

    answer: what a change is answered; None: nothing. made: whether it takes effect. unreadable: status of reading.
    """

    clock: FakeClock
    answer: int | None = 200
    made: bool = True
    shows: float = 0.0
    shuts: float = 0.0
    unreadable: int = 0
    late: bool = False  # the door tells after DATA only
    set_at: float | None = None
    questions: list[Request] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = json.loads(request.content)["CmdletInput"]["CmdletName"]
        self.asked.append(name)
        if name == "Set-OrganizationConfig":
            if self.made and self.set_at is None:
                self.set_at = self.clock.steady()
            if self.answer is None:
                raise httpx.ReadTimeout("nothing", request=request)
            return httpx.Response(self.answer, json={"value": []})
        if self.unreadable and self.set_at is not None:
            return httpx.Response(self.unreadable, content=b"{}")
        return httpx.Response(200, json={"value": [{"RejectDirectSend": self._since(self.shows)}]})

    def _since(self, seconds: float) -> bool:
        return self.set_at is not None and self.clock.steady() >= self.set_at + seconds

    def ask(self, question: Request) -> ProbeResult:
        """What a probe would find."""
        self.questions.append(question)
        shut = self._since(self.shuts) and (question.send or not self.late)
        outcome = Outcome.DIRECT_SEND_REFUSED if shut else Outcome.ACCEPTED
        made = Attempt(
            DOOR, SenderKind.ACCEPTED, "a@northwind.example", "b@c.example", False, outcome, Stage.RCPT, "550", False,
            "192.0.2.1:1", "192.0.2.2:25", (), (),
        )  # fmt: skip
        verdict = Verdict.CLOSED if shut else Verdict.UNDETERMINED
        return ProbeResult("northwind.example", self.clock.now(), self.clock.now(), (made,), verdict, ("why",))


def switching(tmp_path: Path, service: Service, **more: Any) -> Switching:
    """A change to on, ready to run."""
    (tmp_path / "plan").mkdir(exist_ok=True)
    http = Http(FakeTokens(), service.clock, lambda _: None, httpx.MockTransport(service))
    exchange = Exchange(http, CLOUDS["global"], "northwind.example", lambda: "anchor")
    record = Record("close", service.clock.now(), TenantSnapshot(), False, True)
    return Switching(
        exchange, service.clock, Book(tmp_path, record), TenantSnapshot, service.ask, lambda _: None, **more
    )  # fmt: skip


def kept(made: Switching) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(made.book.path.read_text("ascii"))
    return body


def test_it_waits_for_the_propagation_and_looks_ever_more_seldom(tmp_path: Path) -> None:
    service = Service(FakeClock(), shows=0.0, shuts=25 * 60)
    made = switching(tmp_path, service, question=QUESTION)
    assert made.run(True, 1800) is State.PROVEN
    assert 25 * 60 <= service.clock.slept < 27 * 60
    assert len(service.questions) < 40
    verdicts = [look["verdict"] for look in kept(made)["looks"]]
    assert verdicts == ["undetermined"] * (len(verdicts) - 1) + ["closed"]


def test_the_time_to_wait_is_kept(tmp_path: Path) -> None:
    service = Service(FakeClock(), shuts=3600)
    made = switching(tmp_path, service, question=QUESTION)
    assert made.run(True, 1800) is State.CHANGED
    assert service.clock.slept == pytest.approx(1800)
    assert kept(made)["state"] == "changed"


def test_the_door_is_asked_only_once_the_setting_reads_back(tmp_path: Path) -> None:
    service = Service(FakeClock(), shows=120)
    assert switching(tmp_path, service, question=QUESTION).run(True, 1800) is State.PROVEN
    assert len(service.questions) == 1


@pytest.mark.parametrize(
    ("service", "state"),
    [
        (Service(FakeClock(), answer=403), State.PROVEN),
        (Service(FakeClock(), answer=500), State.PROVEN),
        (Service(FakeClock(), answer=429), State.PROVEN),
        (Service(FakeClock(), answer=None), State.PROVEN),
        (Service(FakeClock(), answer=None, shows=40), State.PROVEN),
        (Service(FakeClock(), answer=403, made=False), State.UNCHANGED),
        (Service(FakeClock(), answer=None, made=False), State.UNCHANGED),
        (Service(FakeClock(), answer=429, made=False), State.UNCHANGED),
        (Service(FakeClock(), answer=403, unreadable=403), State.UNKNOWN),
        (Service(FakeClock(), answer=None, unreadable=403), State.UNKNOWN),
    ],
)
def test_what_reads_back_is_told_whatever_the_answer_was(tmp_path: Path, service: Service, state: State) -> None:
    made = switching(tmp_path, service, question=QUESTION)
    assert made.run(True, 60) is state
    record = kept(made)
    assert record["state"] == state.value
    assert record["answer"].partition(":")[0] in {"refused", "no answer"}
    assert record["ended"] is not None
    assert service.clock.slept < 600


def test_a_setting_that_reads_back_no_more_is_waited_for(tmp_path: Path) -> None:
    service = Service(FakeClock(), unreadable=403)
    made = switching(tmp_path, service, question=QUESTION)
    assert made.run(True, 600) is State.CHANGED
    assert all("unknown" in look["RejectDirectSend"] for look in kept(made)["looks"])


def test_one_message_at_the_end_where_the_door_tells_nothing_before_data(tmp_path: Path) -> None:
    service = Service(FakeClock(), late=True)
    made = switching(tmp_path, service, question=QUESTION, message=True)
    assert made.run(True, 1800) is State.PROVEN
    assert [question.send for question in service.questions].count(True) == 1
    service = Service(FakeClock(), late=True)
    assert switching(tmp_path, service, question=QUESTION).run(True, 1800) is State.CHANGED


@pytest.mark.parametrize("moment", ["change", "look", "probe"])
def test_whatever_ends_it_the_record_says_how_far_it_came(tmp_path: Path, moment: str) -> None:
    def ending(call: Callable[..., Any], when: Callable[[str], bool]) -> Callable[..., Any]:
        def wrapped(given: Any) -> Any:
            found = call(given)
            if when(service.asked[-1]):
                raise KeyboardInterrupt
            return found

        return wrapped

    service = Service(FakeClock())
    made = switching(tmp_path, service, question=QUESTION)
    name = {"change": "Set-OrganizationConfig", "look": "Get-OrganizationConfig", "probe": ""}[moment]
    transport = httpx.MockTransport(ending(service.__call__, lambda asked: asked == name))
    made.exchange = replace(made.exchange, http=Http(FakeTokens(), service.clock, lambda _: None, transport))
    made.ask = ending(service.ask, lambda _: moment == "probe")
    with pytest.raises(KeyboardInterrupt):
        made.run(True, 60)
    assert kept(made)["state"] == ("pending" if moment == "change" else "changed")
    found = last_close(tmp_path)
    assert found is not None
    assert found.switch is False


@pytest.mark.parametrize("former", [False, None, Unknown("not told")])
def test_the_former_value_is_found_again(tmp_path: Path, former: Any) -> None:
    clock = FakeClock()
    for minutes, (state, value) in enumerate(
        [(State.PROVEN, True), (State.PROVEN, former), (State.UNCHANGED, True)]
    ):  # what came last changed nothing
        record = Record("close", clock.now() + timedelta(minutes=minutes), TenantSnapshot(), value, True, state=state)
        Book(tmp_path, record).write()
    (tmp_path / "plan" / "close-20991231T000000Z.json").write_text("{", "ascii")
    found = last_close(tmp_path)
    assert found is not None
    assert found.switch == former


def test_no_record_is_ever_written_over(tmp_path: Path) -> None:
    record = Record("close", FakeClock().now(), TenantSnapshot(), False, True)
    paths = []
    for _ in range(3):
        book = Book(tmp_path, record)
        book.write()
        paths.append(book.path)
    assert len(set(paths)) == 3
