"""Connections that only read, each with one cursor that is made once and kept.

What a general pool and a new cursor cost is, for a statement by primary key, as much as the
statement itself. A connection is taken from the top of a stack, so that few are used however many
there may be.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

import psycopg

Cursor = psycopg.Cursor[tuple[Any, ...]]
PAUSE_SECONDS = 0.002


class ConnectionLost(Exception):
    """The connection died before it answered."""


class PoolExhausted(Exception):
    """No connection became free in time."""


class ReadPool:
    """At most `size` connections in autocommit, shared by threads; `max_idle` may be idle."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        size: int,
        max_idle: int,
        acquire_timeout_seconds: float,
    ) -> None:
        """Connect to nothing yet; all connections are made by `connect`."""
        self._connect = connect
        self._size = size
        self._max_idle = max_idle
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._idle: deque[Cursor] = deque()
        self._lock = Lock()
        self._open = 0

    def read(
        self, sql: str, parameters: Mapping[str, Any], *, prepare: bool
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a statement, with binary results.

        Raises: ConnectionLost, PoolExhausted, and the driver's errors where the connection lives.
        """
        try:
            cursor = self._idle.pop()
        except IndexError:
            cursor = self._acquire()
        try:
            return cursor.execute(sql, parameters, prepare=prepare).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if cursor.connection.broken or cursor.connection.closed:
                raise ConnectionLost(str(error)) from error
            raise
        finally:
            self._release(cursor)

    def _acquire(self) -> Cursor:
        """Return a cursor on a new connection, or the next one that is given back."""
        until = time.monotonic() + self._acquire_timeout_seconds
        while not self._may_open():
            if time.monotonic() >= until:
                raise PoolExhausted(f"all {self._size} connections are busy")
            time.sleep(PAUSE_SECONDS)
            if self._idle:
                try:
                    return self._idle.pop()
                except IndexError:
                    continue
        try:
            return self._connect().cursor(binary=True)
        except BaseException:
            self._count_closed()
            raise

    def _may_open(self) -> bool:
        with self._lock:
            if self._open >= self._size:
                return False
            self._open += 1
            return True

    def _release(self, cursor: Cursor) -> None:
        if not cursor.connection.closed:  # A broken one is closed too.
            if len(self._idle) < self._max_idle:
                self._idle.append(cursor)
                return
            cursor.connection.close()
        self._count_closed()

    def _count_closed(self) -> None:
        with self._lock:
            self._open -= 1

    def close(self) -> None:
        """Close every connection that is not in use."""
        while self._idle:
            try:
                cursor = self._idle.pop()
            except IndexError:
                return
            cursor.connection.close()
            self._count_closed()
