"""The parent of workers: starts them, starts them again when they die, passes signals on, and ends with them.

It has no event loop and no threads, so that a worker can be forked from it at any time.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sidedoor.edge.workers.lifeline import READY, Lifeline

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_TICK = 0.5
_KILLED = 128


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. waits: before a worker is started again, longer for each time that it died within `lived` of its start.

    starting: how long a worker may take to come up; silent: without a sign of life; ending: after SIGTERM.
    """

    waits: Sequence[float] = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
    lived: float = 10.0
    starting: float = 120.0
    silent: float = 60.0
    ending: float = 75.0


@dataclass(slots=True)
class _Worker:
    """One place for a worker; `pid` 0 while there is none."""

    number: int
    pid: int = 0
    end: socket.socket | None = None
    ready: bool = False
    begun: float = 0.0
    heard: float = 0.0
    deaths: int = 0
    again: float = 0.0
    hang_up: bool = False  # SIGHUP came while it was starting
    killed: bool = False


@dataclass(slots=True)
class Supervisor:
    """`run` returns the exit code, in the parent alone: a worker does its `work`, and ends with what that returns."""

    count: int
    work: Callable[[Lifeline], int]
    say: Callable[[str], None]
    pace: Pace = field(default_factory=Pace)
    ending: Callable[[], None] = lambda: None  # called once, when the end begins
    now: Callable[[], float] = time.monotonic
    _workers: list[_Worker] = field(default_factory=list)
    _asked: list[int] = field(default_factory=list)
    _ends_at: float | None = None
    _code: int = 0
    _was_up: bool = False
    _waker: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def run(self) -> int:
        """Until told to stop, or until none is left that can be started."""
        before = {number: signal.signal(number, self._note) for number in (*_PASSED_ON, signal.SIGCHLD)}
        for end in self._waker:
            end.setblocking(False)
        signal.set_wakeup_fd(self._waker[1].fileno(), warn_on_full_buffer=False)
        self._workers = [_Worker(number) for number in range(1, self.count + 1)]
        try:
            while not self._is_over():
                self._start_due()
                self._wait()
                self._obey()
                self._bury()
                self._look_at_clock()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._code

    def _note(self, number: int, _frame: object) -> None:
        self._asked.append(number)

    def _is_over(self) -> bool:
        return self._ends_at is not None and not self._alive()

    def _alive(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.pid]

    # -- starting ------------------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        """Those whose time has come; until the first is up no other, so that what is wrong is said once."""
        if self._ends_at is not None:
            return
        first = not self._was_up
        if first and self._alive():
            return
        for worker in self._workers:
            if not worker.pid and worker.again <= self.now():
                self._fork(worker)
                if first:
                    return

    def _fork(self, worker: _Worker) -> None:
        ours, theirs = socket.socketpair()
        # A signal that comes in between must find the child with its own handlers, or wait.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
        pid = os.fork()
        if pid == 0:
            ours.close()
            os._exit(self._be(worker.number, theirs, mask))
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        theirs.close()
        ours.setblocking(False)
        worker.pid, worker.end = pid, ours
        worker.ready = worker.hang_up = worker.killed = False
        worker.begun = worker.heard = self.now()

    def _be(self, number: int, end: socket.socket, mask: set[int | signal.Signals]) -> int:
        """The worker's life. Nothing may leave it but a code: what is above on the stack belongs to the parent."""
        try:
            signal.set_wakeup_fd(-1)
            for other in (*self._waker, *(sister.end for sister in self._workers if sister.end is not None)):
                other.close()  # else a sister would not notice when the parent dies
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
                signal.signal(each, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it listens for it; the parent remembers
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return self.work(Lifeline(number, end))
        except BaseException:  # noqa: BLE001  # `work` says what is wrong; what it does not catch has no place to go
            return 70

    # -- watching ------------------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Until a worker says something, a signal comes, or a moment is over."""
        ends = [worker.end for worker in self._workers if worker.end is not None]
        readable, _, _ = select.select([*ends, self._waker[0]], [], [], _TICK)
        for worker in self._workers:
            if worker.end in readable:
                self._hear(worker)
        with suppress(BlockingIOError):
            self._waker[0].recv(4_096)

    def _hear(self, worker: _Worker) -> None:
        assert worker.end is not None
        try:
            said = worker.end.recv(1_024)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            worker.end.close()
            worker.end = None
            return
        worker.heard = self.now()
        if READY in said:
            worker.ready = self._was_up = True
            if worker.hang_up:
                self._send(worker, signal.SIGHUP)

    def _obey(self) -> None:
        asked, self._asked[:] = list(self._asked), ()
        for number in asked:
            if number == signal.SIGHUP:
                for worker in self._alive():
                    worker.hang_up = not worker.ready
                    if worker.ready:
                        self._send(worker, signal.SIGHUP)
            elif number != signal.SIGCHLD:
                self._end(0)

    def _send(self, worker: _Worker, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def _end(self, code: int) -> None:
        """Begin to end: those that are there finish what they have begun."""
        if self._ends_at is None:
            self._ends_at, self._code = self.now() + self.pace.ending, code
            self.ending()
        for worker in self._alive():
            self._send(worker, signal.SIGTERM)

    def _bury(self) -> None:
        for worker, status in list(self._dead()):
            code = os.waitstatus_to_exitcode(status)
            was_ready, lived = worker.ready, self.now() - worker.begun
            worker.pid, worker.ready = 0, False
            if worker.end is not None:
                worker.end.close()
                worker.end = None
            if self._ends_at is None:
                self._mourn(worker, code, lived, was_ready=was_ready)

    def _dead(self) -> Iterator[tuple[_Worker, int]]:
        for worker in self._alive():
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                yield worker, status

    def _mourn(self, worker: _Worker, code: int, lived: float, *, was_ready: bool) -> None:
        """Start it again after a while. Where none is up and this one could not start, the edge has failed.

        Who is killed while it starts has not failed, unless none ever came up.
        """
        nobody = not any(other.ready for other in self._workers)
        if not was_ready and nobody and (code > 0 or not self._was_up):
            self._end(code if code > 0 else _KILLED - code)
            return
        worker.deaths = 1 if was_ready and lived >= self.pace.lived else worker.deaths + 1
        wait = self.pace.waits[min(worker.deaths, len(self.pace.waits)) - 1]
        worker.again = self.now() + wait
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self.say(f"worker {worker.number} {how}; it is started again" + (f" in {wait:g} s" if wait else ""))

    def _look_at_clock(self) -> None:
        """Kill who hangs: a worker that does nothing still gets its share of the connections."""
        now = self.now()
        for worker in self._alive():
            bound = self.pace.silent if worker.ready else self.pace.starting
            if worker.killed:
                continue
            if self._ends_at is not None and now > self._ends_at:
                self._kill(worker, "does not end, and is killed")
            elif self._ends_at is None and now - worker.heard > bound:
                self._kill(worker, "has given no sign of life for too long, and is killed")

    def _kill(self, worker: _Worker, why: str) -> None:
        worker.killed = True
        self.say(f"worker {worker.number} {why}")
        self._send(worker, signal.SIGKILL)
