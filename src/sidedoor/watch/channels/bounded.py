"""A call that may take so long and no longer, whatever it does: waiting for DNS has no time-out of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


def within(seconds: float, call: Callable[[], T]) -> T:
    """What the call gives, or raises. Raises TimeoutError where it takes longer; it may go on by itself then.

    It runs in a daemon thread, which holds up neither the run nor the end of the process.
    """
    work = _Work(call)
    thread = threading.Thread(target=work.run, daemon=True, name="sidedoor-channel")
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"longer than {seconds:.0f} s")
    return work.outcome()


class _Work(Generic[T]):
    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._given: list[T] = []
        self._raised: BaseException | None = None

    def run(self) -> None:
        try:
            self._given.append(self._call())
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self._raised = error

    def outcome(self) -> T:
        if self._raised is not None:
            raise self._raised
        return self._given[0]
