"""Listener: connections shared out evenly among workers, whoever wakes up first.

Clients keep their connections. Whichever worker wakes up first takes new ones, and keeps answering
them: of sixteen made at once one worker was left with fifteen, so that half of the machine was
idle. Here a worker takes one at a time, and leaves it to another one that has fewer.
"""

import asyncio
import mmap
import socket
from collections.abc import Callable
from contextlib import suppress

PLACES = 256
LEFT_TO_OTHERS_SECONDS = 0.001
"""How long a connection is left to others; they may be about to end, or have their hands full."""
UNSENT_BYTES = 2**18
"""What the kernel takes of a response beyond what it has sent; else nobody would see that a client
does not read, and 500 of them would fill the kernel's memory."""
EXHAUSTED_SECONDS = 0.1
WAITING_AT_MOST = 256

# One number for each worker, in memory that all processes forked from this one share: its
# connections and one more, or 0 where there is no worker. With more workers than places some
# share theirs, and connections are shared out less evenly.
_counts = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")


def release_slot(age: int) -> None:
    """Give the place of a worker that ended back; called in the master."""
    _counts[age % PLACES] = 0


class Listener:
    """Accepts the connections of one listening socket, for the worker of an age."""

    def __init__(
        self,
        sock: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        *,
        age: int,
        count: Callable[[], int],
    ) -> None:
        """Accept nothing yet; `count` tells how many connections the worker has."""
        self._socket = sock
        self._make_protocol = make_protocol
        self._place = age % PLACES
        self._count = count
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._has_left = False

    def start(self) -> None:
        """Accept connections from now on."""
        self._socket.setblocking(False)
        self.show_count()
        self._loop.add_reader(self._socket, self._accept)

    def show_count(self) -> None:
        """Show the other workers how many connections this one has."""
        _counts[self._place] = self._count() + 1

    def _accept(self) -> None:
        """Take a connection, or leave it to a worker that has fewer: once, then it is taken."""
        self.show_count()
        mine = _counts[self._place]
        if not self._has_left and min(filter(None, _counts)) < mine:
            self._has_left = True
            self._pause(LEFT_TO_OTHERS_SECONDS)
            return
        self._has_left = False
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # Out of descriptors; some may be closed soon.
            self._pause(EXHAUSTED_SECONDS)
            return
        self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):  # Not on a Unix socket.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        connecting = self._loop.connect_accepted_socket(self._make_protocol, connection)
        task = self._loop.create_task(connecting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        _counts[self._place] += 1

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._accept)

    async def stop(self) -> None:
        """Accept those that wait already, and no more."""
        self._loop.remove_reader(self._socket)
        with suppress(OSError):
            for _ in range(WAITING_AT_MOST):
                self._serve(self._socket.accept()[0])
        self._socket.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        release_slot(self._place)
