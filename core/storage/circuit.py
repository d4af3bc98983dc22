"""The circuit breaker of a database: open while the database is known not to answer.

While it is open nothing is sent and nothing is connected. A server that is frozen, or a network
that drops everything, ends no statement: whoever waits for it would wait for ever. When the
circuit opens, the connections are therefore shut down under those who wait.
"""

import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Condition, Thread
from typing import Any
from weakref import WeakSet

import psycopg

Connection = psycopg.Connection[Any]
NO_ANSWER = "the database does not answer"


class Circuit:
    """Closed at first, and for ever where nobody watches: see `heartbeat`."""

    def __init__(self) -> None:
        """Trust the database."""
        self.is_open = False
        self.is_watched = False
        self._changed = Condition()
        self._connections: WeakSet[Connection] = WeakSet()

    def connect(self, connect: Callable[[], Connection]) -> Connection:
        """Return what `connect` makes, and give up waiting for it when the circuit opens.

        Raises: psycopg.OperationalError, also while the circuit is open.
        """
        connection = self._connected(connect) if self.is_watched else connect()
        with self._changed:
            if not self.is_open:
                self._connections.add(connection)
                return connection
        connection.close()
        raise psycopg.OperationalError(NO_ANSWER)

    def _connected(self, connect: Callable[[], Connection]) -> Connection:
        connecting: Future[Connection] = Future()
        if not self.is_open:
            connecting.add_done_callback(self._notify)
            # A daemon, because a process must be able to end while a server is frozen.
            Thread(target=_fulfil, args=(connecting, connect), daemon=True).start()
        with self._changed:
            self._changed.wait_for(lambda: self.is_open or connecting.done())
        if not connecting.done():
            connecting.add_done_callback(_discard)
            raise psycopg.OperationalError(NO_ANSWER)
        return connecting.result()

    def _notify(self, _connecting: "Future[Connection]") -> None:
        with self._changed:
            self._changed.notify_all()

    def connections(self) -> list[Connection]:
        """Return the connections that there are."""
        with self._changed:
            return list(self._connections)

    def open(self) -> None:
        """Send and connect nothing any more, and let nobody wait."""
        with self._changed:
            self.is_open = True
            connections = list(self._connections)
            self._connections.clear()
            self._changed.notify_all()
        for connection in connections:
            shut_down(connection)

    def close(self) -> None:
        """Trust the database again."""
        self.is_open = False


def _fulfil(connecting: "Future[Connection]", connect: Callable[[], Connection]) -> None:
    try:
        connecting.set_result(connect())
    except psycopg.Error as error:
        connecting.set_exception(error)
    finally:
        connecting.cancel()  # Of effect only where some other error is on its way.


def _discard(connecting: "Future[Connection]") -> None:
    """Close a connection that came too late."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()


def shut_down(connection: Connection) -> None:
    """Let a connection read its end, whichever thread waits for it; that thread closes it."""
    with (
        suppress(psycopg.Error, OSError),  # It may be closed already.
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as its_socket,
    ):
        its_socket.shutdown(socket.SHUT_RDWR)
