"""Connections that only read, each with one cursor that is made once and kept.

What a general pool and a new cursor cost is, for a statement by primary key, as much as the
statement itself. A connection is taken from the top of a stack, so that few are used however many
there may be.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

import psycopg

from core.domain.counters import POOL_WAIT_MICROSECONDS, POOL_WAITS, Counters, new_counters

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
        counters: Counters | None = None,
    ) -> None:
        """Connect to nothing yet; all connections are made by `connect`."""
        self._counters = new_counters() if counters is None else counters
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
        if not self._may_open() and (released := self._wait()) is not None:
            return released
        try:
            return self._connect().cursor(binary=True)
        except BaseException:
            self._count_closed()
            raise

    def _wait(self) -> Cursor | None:
        """Return the next cursor that is released; None if a connection may be opened instead."""
        began_at = time.monotonic()
        self._counters[POOL_WAITS] += 1
        try:
            while time.monotonic() < began_at + self._acquire_timeout_seconds:
                time.sleep(PAUSE_SECONDS)
                with suppress(IndexError):
                    return self._idle.pop()
                if self._may_open():
                    return None
            raise PoolExhausted(f"all {self._size} connections are busy")
        finally:
            waited = time.monotonic() - began_at
            self._counters[POOL_WAIT_MICROSECONDS] += int(waited * 1_000_000)

    @property
    def open(self) -> int:
        """The connections that are open, in use or not."""
        return self._open

    @property
    def in_use(self) -> int:
        """The connections that are in use."""
        return max(0, self._open - len(self._idle))

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
