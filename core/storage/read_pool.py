"""Connections that only read, each with one cursor that is made once and kept.

What a general pool and a new cursor cost is, for a statement by primary key, as much as the
statement itself. A connection is taken from the top of a stack, so that few are used however many
there may be; a thread that finds none waits in line.

PostgreSQL decides by a setting of the connection whether a statement's plan depends on its values.
A connection therefore has a plan mode, and is used for statements of that mode as long as there
are others for those of the other mode; it is switched, by one statement, only where the pool
may open no more.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Condition
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg

from core.domain.counters import POOL_WAIT_MICROSECONDS, POOL_WAITS, Counters, new_counters
from core.storage.connector import (
    TENANTS_SETTING,
    LimitedConnection,
    NoReply,
    PooledCursor,
    binary_cursor,
)

Cursor = psycopg.Cursor[tuple[Any, ...]]
# Citus must see the values to know which node has them: there every plan is made for its values.
# It is told by a setting of its library, which a server has from its start or not at all.
_SET_PLAN_MODE = """
    SELECT set_config('plan_cache_mode', CASE
        WHEN %(generic_plan)s::BOOLEAN AND current_setting('citus.shard_count', true) IS NULL
        THEN 'force_generic_plan' ELSE 'force_custom_plan' END, false)"""


_ALLOW = f"SELECT set_config('{TENANTS_SETTING}', %(tenants)s::TEXT, false)"


class ConnectionLost(Exception):
    """The connection died before it answered."""


class PoolExhausted(Exception):
    """No connection became free in time."""


class _Acquired(NamedTuple):
    """A cursor from the idle ones, or None to open one; and whether its plan mode is another."""

    cursor: Cursor | None
    has_other_mode: bool


class ReadPool:
    """At most `size` connections in autocommit, shared by threads that wait in line for them."""

    def __init__(
        self,
        connect: Callable[[], psycopg.Connection[Any]],
        *,
        cursor: Callable[[psycopg.Connection[Any]], Cursor] = binary_cursor,
        size: int,
        acquire_timeout_seconds: float,
        counters: Counters | None = None,
    ) -> None:
        """Connect to nothing yet; all connections are made by `connect`."""
        self._counters = new_counters() if counters is None else counters
        self._connect = connect
        self._cursor = cursor
        self._size = size
        self._acquire_timeout_seconds = acquire_timeout_seconds
        self._idle: dict[bool, deque[Cursor]] = {True: deque(), False: deque()}
        self._allowed: WeakKeyDictionary[Cursor, str] = WeakKeyDictionary()
        self._released = Condition()
        self._waiting: deque[object] = deque()
        self._open = 0

    @property
    def open(self) -> int:
        """The connections that are open, in use or not."""
        return self._open

    @property
    def in_use(self) -> int:
        """The connections that are in use."""
        return max(0, self._open - sum(map(len, self._idle.values())))

    def read(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        generic_plan: bool,
        tenants: str | None = None,
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of a statement, with binary results.

        `tenants` are all that it may see, as the setting of row-level security lists them; None
        leaves the setting alone. With `generic_plan` it is prepared and has one plan on each
        connection; without, it is planned for its values.
        Raises: ConnectionLost, PoolExhausted, and the driver's errors where the connection lives.
        """
        cursor = self._acquire(generic_plan)
        try:
            self._allow(cursor, tenants)
            if isinstance(cursor.connection, LimitedConnection):
                cursor.connection.tenant_id = parameters.get("tenant_id")
            return cursor.execute(sql, parameters, prepare=generic_plan).fetchall()
        except NoReply:
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if cursor.connection.broken or cursor.connection.closed:
                raise ConnectionLost(str(error)) from error
            raise
        finally:
            self._release(cursor, generic_plan)

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection with generic plans that is no part of the pool.

        Behind a pooler its plans are made for their values, and it keeps nothing in its session:
        `prepare_threshold` is None then.
        """
        connection = self._connect()
        if not isinstance(self._cursor(connection), PooledCursor):
            connection.execute(_SET_PLAN_MODE, {"generic_plan": True}, prepare=False)
        return connection

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._released:
            closing = [cursor for idle in self._idle.values() for cursor in idle]
            for idle in self._idle.values():
                idle.clear()
            self._open -= len(closing)
            self._released.notify_all()
        for cursor in closing:
            cursor.connection.close()

    def _allow(self, cursor: Cursor, tenants: str | None) -> None:
        """Let the next statement see these tenants, where row-level security is on."""
        if isinstance(cursor, PooledCursor):
            cursor.tenants = tenants
        elif tenants is not None and self._allowed.get(cursor) != tenants:
            cursor.execute(_ALLOW, {"tenants": tenants}, prepare=True)
            self._allowed[cursor] = tenants

    def _acquire(self, generic_plan: bool) -> Cursor:
        with self._released:
            if self._waiting or not self._has_room():
                self._wait()
            cursor, has_other_mode = self._take(generic_plan)
        if cursor is not None and not has_other_mode:
            return cursor
        return self._prepare(cursor, generic_plan)

    def _has_room(self) -> bool:
        return self._open < self._size or any(self._idle.values())

    def _wait(self) -> None:
        """Wait until it is this thread's turn and there is room. Raises: PoolExhausted."""
        began_at = time.monotonic()
        self._counters[POOL_WAITS] += 1
        place = object()
        self._waiting.append(place)
        try:
            if not self._released.wait_for(
                lambda: self._waiting[0] is place and self._has_room(),
                self._acquire_timeout_seconds,
            ):
                raise PoolExhausted(f"all {self._size} connections are busy")
        finally:
            self._waiting.remove(place)
            self._released.notify_all()  # Who is first in line now may find room, too.
            waited = time.monotonic() - began_at
            self._counters[POOL_WAIT_MICROSECONDS] += int(waited * 1_000_000)

    def _take(self, generic_plan: bool) -> _Acquired:
        """Take an idle cursor, or the right to open one; there is room, and the lock is held."""
        if self._idle[generic_plan]:
            return _Acquired(self._idle[generic_plan].pop(), False)
        if self._open < self._size:
            self._open += 1
            return _Acquired(None, True)
        return _Acquired(self._idle[not generic_plan].pop(), True)

    def _prepare(self, cursor: Cursor | None, generic_plan: bool) -> Cursor:
        """Open a connection if there is none yet, and set its plan mode."""
        try:
            if cursor is None:
                cursor = self._cursor(self._connect())
            if not isinstance(cursor, PooledCursor):
                cursor.execute(_SET_PLAN_MODE, {"generic_plan": generic_plan}, prepare=False)
        except BaseException as error:
            was_open = cursor is not None
            if cursor is not None:
                cursor.connection.close()
                self._release(cursor, generic_plan)
            else:
                self._count_closed()
            if was_open and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
                raise ConnectionLost(str(error)) from error
            raise
        return cursor

    def _release(self, cursor: Cursor, generic_plan: bool) -> None:
        if cursor.connection.closed:  # A broken one is closed too.
            self._count_closed()
            return
        with self._released:
            self._idle[generic_plan].append(cursor)
            if self._waiting:
                self._released.notify_all()

    def _count_closed(self) -> None:
        with self._released:
            self._open -= 1
            self._released.notify_all()
