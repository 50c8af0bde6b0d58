"""Runs over many workspaces, some at a time, each in a worker process: whatever befalls one is its own.

A worker that is killed, out of memory or beyond its time costs the run that it was at, and no other. A run may be ended
at any point: the next one mends it (tests/watching/test_faults.py).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, TimeoutError, as_completed  # noqa: A004  # pebble raises it
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from pathlib import Path

from pebble import ProcessExpired, ProcessPool

from sidedoor.audit.engine.database import share_with
from sidedoor.errors import SidedoorError, UnreachableError
from sidedoor.watch.garbage import look_seldom
from sidedoor.watch.rounds import Result, Round, Say

# A worker is replaced after so many runs, so that what libraries keep does not add up over hundreds of tenants.
_RUNS_OF_A_WORKER = 50
_IMPORTS = ["sidedoor.watch.many"]


def default_jobs() -> int:
    """As many runs at a time as this process may use cores."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def at_once(work: Round, jobs: int, seconds: float | None = None) -> Iterator[Result]:
    """A result for each workspace, as they come. seconds: after which a run is ended. Raises nothing of a run's.

    One at a time is in a process of its own too: only where there is but one workspace has nobody else a loss.
    """
    if len(work.folders) == 1 and seconds is None:
        yield from work.once()
        return
    workers = max(1, min(jobs, len(work.folders)))
    pool = ProcessPool(
        max_workers=workers,
        max_tasks=_RUNS_OF_A_WORKER,
        initializer=_begin,
        initargs=(workers,),
        context=_context(),
    )
    alone = replace(work, folders=())
    waiting: dict[Future[Result], Path] = {
        pool.schedule(_one, args=(alone, folder), timeout=seconds): folder for folder in work.folders
    }
    try:
        for future in as_completed(list(waiting)):
            yield _result(work, future, waiting.pop(future), seconds)
        pool.close()  # type: ignore[no-untyped-call]
    except BaseException:
        pool.stop()  # type: ignore[no-untyped-call]  # interrupted, or nobody wants the rest
        raise
    finally:
        pool.join()


def _begin(workers: int) -> None:
    """In a worker, before its first run."""
    look_seldom()
    share_with(workers)


def _context() -> BaseContext:
    """Workers that share their imports where the system can do that; never a copy of this process with its threads."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTS)
    return context


@dataclass(frozen=True, slots=True)
class _Named:
    """Says whose sentence it is: runs talk at the same time."""

    name: str
    say: Say

    def __call__(self, text: str) -> None:
        self.say(f"{self.name}: {text}")


def _one(work: Round, folder: Path) -> Result:
    """In a worker."""
    return replace(work, say=_Named(folder.name, work.say)).one(folder)


def _result(work: Round, future: Future[Result], folder: Path, seconds: float | None) -> Result:
    try:
        return future.result()
    except TimeoutError:
        late = f"ended after {(seconds or 0) / 60:g} minutes, as --minutes says; the next run goes on from there"
        return replace(work.unfinished(folder, UnreachableError(late)), seconds=seconds or 0.0)
    except ProcessExpired as error:
        return work.unfinished(folder, SidedoorError(f"the run's process {_ended(error.exitcode)}"))
    except CancelledError:
        return work.unfinished(folder, SidedoorError("the run was called off"))
    except Exception as error:  # noqa: BLE001  # what cannot even be sent back
        return work.unfinished(folder, error)


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = next((each.name for each in signal.Signals if each == -code), str(-code))
        return f"was ended by {name}; where memory is short, fewer --jobs help"
    return f"ended with {code}"
