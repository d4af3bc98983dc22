"""Calls that run one after the other in a thread of their own, while the caller goes on.

An import checks its next lines meanwhile: whoever waits for PostgreSQL holds no lock of Python's.
"""

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

MAX_WAITING = 2
"""Calls that are not done: each keeps the rows in memory that it will hand over."""
SWITCH_SECONDS = 0.00003
"""How soon a thread that PostgreSQL has answered may go on, beside one that computes."""
Result = TypeVar("Result")


def switch_threads_early() -> None:
    """Have this process, which is there for an import alone, keep PostgreSQL busy first of all.

    With Python's 5 ms, each of the few packets that a socket takes at a time waits so long.
    """
    sys.setswitchinterval(SWITCH_SECONDS)


class Background:
    """One thread, made when it is first needed, and the few calls that wait for it.

    Use it in a `with` block: the thread is done when that ends. On an error what runs is cancelled,
    and what has not begun is left out.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        """Start nothing yet; `cancel` ends a call early, or does nothing where none runs."""
        self._cancel = cancel
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "Background":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.drain()
            elif self._waiting:
                self._cancel()
        finally:
            self._executor.shutdown(cancel_futures=True)

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call when all before it are done; raises what one of these raised.

        Waits while too many wait already.
        """
        while len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._executor.submit(call))

    def run(self, call: Callable[[], Result]) -> Result:
        """Return what a call returns, in this thread, when all before it are done."""
        self.drain()
        return call()

    def drain(self) -> None:
        """Wait until every call is done; raises what one of them raised."""
        while self._waiting:
            self._waiting.popleft().result()
