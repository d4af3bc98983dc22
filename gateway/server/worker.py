"""gunicorn's worker of threads, with connections shared out evenly and fewer hands to pass through.

Clients keep their connections. Whichever worker wakes up first takes new ones, and keeps answering
them: of sixteen made at once one worker was often left with fifteen, so that half of the machine
was idle. Here a worker leaves a new connection to another one that has fewer.

In gunicorn the main thread hands each request to a thread and takes the connection back from it.
Here the thread that has answered has the connection polled again by itself. Everything else, such
as what is done with slow, broken and ending connections, is gunicorn's.
"""

import mmap
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from selectors import EVENT_READ
from threading import Thread
from typing import Any

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, ThreadWorker

from gateway.server.connection import Connection, Listener

PLACES = 256
LEFT_TO_OTHERS_SECONDS = 0.001
"""How long a connection is left to others; they may be about to end, or have their hands full."""
HEARTBEAT_SECONDS = 0.5

# One number for each worker, in memory that all processes forked from this one share: its
# connections and one more, or 0 where there is no worker. With more workers than places some
# share theirs, and connections are shared out less evenly.
_counts = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")


def release_slot(worker: "Worker") -> None:
    """Give the place of a worker that ended back; called in the master."""
    _counts[worker.age % PLACES] = 0


class Worker(ThreadWorker):
    """Counts its connections where the other workers see them, and takes no more than its part."""

    def __init__(self, age: int, *rest: Any, **options: Any) -> None:
        """Take a place; it shows nothing before the worker can answer."""
        self._place = age % PLACES
        self._is_counted = False
        self._connections = 0
        self._accept_again_at = 0.0
        self._notify_at = 0.0
        self._look_at = 0.0
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
        if not enabled or time.monotonic() >= self._accept_again_at:
            super().set_accept_enabled(enabled)

    def accept(self, listener: Any) -> None:
        """Take a connection, or leave it to a worker that has fewer: once, then it is taken."""
        if not self._accept_again_at and self._others_have_fewer():
            self._accept_again_at = time.monotonic() + LEFT_TO_OTHERS_SECONDS
            self.set_accept_enabled(False)
        else:
            self._accept_again_at = 0.0
            super().accept(Listener(listener))

    def _others_have_fewer(self) -> bool:
        mine = self._connections + 1
        return min(filter(None, _counts), default=mine) < mine

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for events, but not beyond the time at which connections are taken again."""
        is_leaving = not self._accepting and time.monotonic() < self._accept_again_at
        super().wait_for_and_dispatch_events(LEFT_TO_OTHERS_SECONDS if is_leaving else timeout)

    def get_thread_pool(self) -> "_Pool":
        """Return the threads that answer requests."""
        return _Pool(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Have a request answered by one of the threads."""
        self.tpool.submit(self._answer, conn)

    def _answer(self, conn: Any) -> None:
        """Answer a request and keep the connection; all else is left to the main thread."""
        is_kept: Any = False
        try:
            is_kept = self.handle(conn)
            if isinstance(conn.sock, Connection):
                conn.sock.flush()
        finally:
            if is_kept is True and self.alive and not conn.parser.unreader.buf.getvalue():
                self._keep(conn)
            else:
                answered: Future[Any] = Future()
                answered.set_result(is_kept)
                self.method_queue.defer(self.finish_request, conn, answered)

    def _keep(self, conn: Any) -> None:
        """Have the connection polled for its next request, as `finish_request` would."""
        conn.set_timeout()
        self.keepalived_conns.append(conn)
        if not self.alive:  # The main thread may have looked through the connections already.
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        wake = partial(self.on_client_socket_readable, conn)
        self.poller.register(conn.sock, EVENT_READ, wake)

    def notify(self) -> None:
        """Send the master a heartbeat, as often as it may look for one and no more."""
        now = time.monotonic()
        if now >= self._notify_at:
            self._notify_at = now + HEARTBEAT_SECONDS
            super().notify()

    def is_parent_alive(self) -> bool:
        """Return whether the master is there, looking for it as often as it is given signs."""
        now = time.monotonic()
        if now < self._look_at:
            return True
        self._look_at = now + HEARTBEAT_SECONDS
        return bool(super().is_parent_alive())


class _Pool:
    """Threads that take work from a queue: an executor without a future for each request."""

    def __init__(self, size: int) -> None:
        self._work: SimpleQueue[tuple[Callable[[Any], None], Any] | None] = SimpleQueue()
        self._size = size
        for _ in range(size):
            Thread(target=self._run, name="requests", daemon=True).start()

    def submit(self, function: Callable[[Any], None], argument: Any) -> None:
        self._work.put((function, argument))

    def shutdown(self, *, wait: bool) -> None:
        """End the threads after what they have begun; nobody asks to `wait` for them."""
        for _ in range(self._size):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            function, argument = work
            with suppress(BaseException):  # gunicorn has answered and logged what it can.
                function(argument)
