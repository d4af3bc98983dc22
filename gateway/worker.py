"""gunicorn's worker of threads, among which connections are shared out evenly.

Clients keep their connections. Whichever worker wakes up first takes new ones, and keeps answering
them: of sixteen made at once one worker was often left with fifteen, so that half of the machine
was idle. Here a worker leaves a new connection to another one that has fewer.
"""

import mmap
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

MAX_WORKERS = 1024
LEFT_TO_OTHERS_SECONDS = 0.001
"""How long a connection is left to others; they may be about to end, or have their hands full."""

# One number for each worker, in memory that all processes forked from this one share: its
# connections and one more, or 0 where there is no worker.
_counts = memoryview(mmap.mmap(-1, 4 * MAX_WORKERS)).cast("i")


class Worker(ThreadWorker):
    """Counts its connections where the other workers see them, and takes no more than its part."""

    def __init__(self, age: int, *rest: Any, **options: Any) -> None:
        """Take a place; it shows nothing before the worker can answer."""
        self._place = age % MAX_WORKERS
        self._is_counted = False
        self._connections = 0
        self._resume_at = 0.0
        super().__init__(age, *rest, **options)

    @property
    def nr_conns(self) -> int:
        """The open connections of this worker; gunicorn changes it in the main thread alone."""
        return self._connections

    @nr_conns.setter
    def nr_conns(self, number: int) -> None:
        self._connections = number
        if self._is_counted:
            _counts[self._place] = number + 1

    def run(self) -> None:
        """Answer requests until told to stop."""
        self._is_counted = True
        self.nr_conns = 0
        super().run()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or end to take connections, as gunicorn's loop asks for between all events."""
        if not enabled or not self._resume_at or time.monotonic() >= self._resume_at:
            super().set_accept_enabled(enabled)

    def accept(self, listener: Any) -> None:
        """Take a connection, or leave it to a worker that has fewer: once, then it is taken."""
        if not self._resume_at and self._others_have_fewer():
            self._resume_at = time.monotonic() + LEFT_TO_OTHERS_SECONDS
            self.set_accept_enabled(False)
        else:
            self._resume_at = 0.0
            super().accept(listener)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, but not beyond the time at which connections are taken again."""
        super().wait_for_and_dispatch_events(
            LEFT_TO_OTHERS_SECONDS if self._resume_at and not self._accepting else timeout
        )

    def _others_have_fewer(self) -> bool:
        mine = self._connections + 1
        return any(0 < count < mine for count in _counts[:MAX_WORKERS])


def forget(worker: Worker) -> None:
    """Give the place of a worker that ended back; called in the master."""
    _counts[worker.age % MAX_WORKERS] = 0
