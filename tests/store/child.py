"""A process of its own, for tests that kill it or let two of them race: `python -m tests.store.child WHAT URL ...`.

Says one JSON value on standard output. `race` first says "ready" and waits for a line, so that two begin together.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy import event

from sidedoor.errors import SidedoorError
from sidedoor.store.changes import Changes, RunEnd
from sidedoor.store.model import Baseline, Decision, Word
from sidedoor.store.store import Store, open_store
from tests.store.store_kit import DOMAIN, HOUR, NOW, alert, delivery, finding, known

BEFORE = Changes(NOW - HOUR, raised=(alert(1), alert(2)), deliveries=(delivery(alert(1)), delivery(alert(2))))


def everything(number: int) -> Changes:
    """Changes that touch every table a run touches."""
    new = tuple(alert(each) for each in range(10, 13))
    return Changes(
        NOW,
        raised=new,
        seen={"alert-1": finding("key-1", text="still so")},
        recovered=frozenset({"alert-2"}),
        deliveries=tuple(delivery(each, channel) for each in new for channel in ("mail", "teams")),
        needless=frozenset({"alert-2-raised-mail"}),
        senders=(known(1), replace(known(2), places=frozenset({("192.0.2.1", "")}))),
        baseline=Baseline(NOW, {"at": 1}),
        values={"mark": 1},
        end=RunEnd(number, NOW, "done"),
    )


def kills(url: str) -> list[bool]:
    """Apply `everything` again and again, in a process that is killed before its first, second ... statement.

    Says for each whether anything of it is to be seen. The last one is not killed.
    """
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        tenant.apply(BEFORE)
        number = tenant.begin_run(NOW)
        before = state(store)
    seen: list[bool] = []
    while True:
        if (pid := os.fork()) == 0:
            apply_and_die(url, number, len(seen))
        _, status = os.waitpid(pid, 0)
        with open_store(url) as store:
            seen.append(state(store) != before)
        if not os.WIFSIGNALED(status):
            return seen


def die_after(steps: int, store: Store) -> Callable[..., None]:
    """This process is killed before the next statement or commit of the store after so many.

    What is returned counts as one when it is called: for steps of somebody else's.
    """
    left = steps

    def count(*_: Any) -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    event.listen(store._database.engine, "before_cursor_execute", count)
    event.listen(store._database.engine, "commit", count)
    return count


def apply_and_die(url: str, number: int, statements: int) -> None:
    """Never returns. The statement after so many, BEGIN and COMMIT among them, is the last thing that is tried."""
    store = open_store(url)
    tenant = store.tenant(DOMAIN)
    die_after(statements, store)
    tenant.apply(everything(number))
    os._exit(0)


def state(store: Store) -> list[Any]:
    """All that a run changes."""
    tenant = store.tenant(DOMAIN)
    return [
        tenant.alerts(), [tenant.deliveries(each.id) for each in tenant.alerts()],
        sorted(tenant.known_senders().items()), tenant.baseline(), tenant.value("mark"), tenant.last_runs(),
    ]  # fmt: skip


def race(url: str, what: str) -> Any:
    """Do one thing at the same time as another process."""
    if what == "open":
        ready()
        with open_store(url) as store:
            return list(store.tenants())
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        due = tenant.due_deliveries(NOW)
        ready()
        does: dict[str, Callable[[], Any]] = {
            "apply": lambda: len(tenant.apply(mine()).deliveries),
            "claim": lambda: [each.id for each, _ in due if tenant.claim(each, NOW)],
            "decide": lambda: tenant.decide(Decision("key", Word.SPOOFING, str(os.getpid())), "ann", "cli", NOW).owner,
            "token": lambda: store.take_token("0" * 64, "sign-in", NOW),
            "tenant": lambda: [store.tenant(f"t{number}.example").domain for number in range(50)][-1],
        }
        return does[what]()


def mine() -> Changes:
    """What this process found: the same things as another, under ids of its own."""
    alerts = [alert(number) for number in range(200)]
    raised = tuple(replace(each, id=f"{each.id}-{os.getpid()}") for each in alerts)
    return Changes(NOW, raised=raised, deliveries=tuple(map(delivery, raised)), senders=tuple(map(known, range(300))))


def ready() -> None:
    """Wait until the test says go."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def hold(url: str) -> None:
    """Be a run, until killed."""
    with open_store(url) as store, store.tenant(DOMAIN).running():
        ready()


def full(url: str, octets: str) -> Any:
    """Apply where no file may grow beyond so many octets."""
    with open_store(url) as store:
        tenant = store.tenant(DOMAIN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(octets), resource.RLIM_INFINITY))
        return len(tenant.apply(mine()).raised)


if __name__ == "__main__":
    try:
        said = {"kills": kills, "race": race, "hold": hold, "full": full}[sys.argv[1]](*sys.argv[2:])  # type: ignore[operator]
    except SidedoorError as error:
        said = [type(error).__name__, str(error)]
    sys.stdout.write(f"{json.dumps(said)}\n")
