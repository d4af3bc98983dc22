"""The connection to PostgreSQL: transactions for writes, and statements on the driver for reads.

Reads that clients do all day run as prepared statements on the driver's own connection, in
autocommit and with binary results: that is a third of the cost of an execution by SQLAlchemy.
Where the best plan does not depend on the values, it is made once for each connection; planning a
page anew costs three times as much as running it. Citus must see the values to know which node has
them: on its servers every plan is made for its values. Everything else goes through SQLAlchemy Core
inside `transaction`. Driver errors stop here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import psycopg
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from core.domain.counters import (
    DATABASE_FAILURES,
    POOL_TIMEOUTS,
    READ_STATEMENTS,
    TRANSACTION_STATEMENTS,
    Counters,
    new_counters,
)
from core.domain.errors import Unavailable
from core.storage.read_pool import ConnectionLost, PoolExhausted, ReadPool

Observer = Callable[[str, Any], None]
CONNECT_TIMEOUT_SECONDS = 2
POOL_TIMEOUT_SECONDS = 5
READ_TIMEOUT_MS = 10_000  # No honest list takes as long; a hostile one must not hold a worker.
GENERIC_PLANS = "-c plan_cache_mode=force_generic_plan"
CUSTOM_PLANS = "-c plan_cache_mode=force_custom_plan"
DRIVER = "postgresql+psycopg"
# Tells by a setting that its library brings: a server with Citus needs a restart to have it, so
# that no connection outlives the answer.
_PLAN_WITH_VALUES = """
    SELECT set_config('plan_cache_mode', 'force_custom_plan', false)
    WHERE current_setting('citus.shard_count', true) IS NOT NULL"""
_READ_FAILURES = (psycopg.OperationalError, psycopg.InterfaceError, PoolExhausted)


def driver_url(url: str) -> URL:
    """Return a plain `postgresql://` or `postgres://` URL as SQLAlchemy wants it for psycopg."""
    return make_url(url).set(drivername=DRIVER)


class Database:
    """One PostgreSQL database. `observers` are called with every statement and its parameters."""

    def __init__(self, url: str, *, pool_size: int = 4, counters: Counters | None = None) -> None:
        """Prepare pools of at most `pool_size` connections each; nothing is connected yet."""
        self.observers: list[Observer] = []
        self.counters = new_counters() if counters is None else counters
        self.engine = create_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            pool_pre_ping=True,
            connect_args=_connect_arguments(),
        )
        event.listen(self.engine, "before_cursor_execute", self._observe)
        self._custom_reads = self._read_pool(CUSTOM_PLANS, size=pool_size)
        self._generic_reads = self._read_pool(GENERIC_PLANS, size=pool_size)

    def _read_pool(self, plans: str, *, size: int) -> ReadPool:
        arguments, names = self.engine.dialect.create_connect_args(self.engine.url)
        server = f"-c statement_timeout={READ_TIMEOUT_MS} {plans}"
        options = {**names, **_connect_arguments(server), "autocommit": True}
        return ReadPool(
            partial(_connect_to_read, *arguments, **options),
            size=2 * size,
            max_idle=size,
            acquire_timeout_seconds=POOL_TIMEOUT_SECONDS,
            counters=self.counters,
        )

    def _observe(self, _connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        self.counters[TRANSACTION_STATEMENTS] += 1
        for observer in self.observers:
            observer(sql, parameters)

    @contextmanager
    def transaction(self, *, isolation_level: str | None = None) -> Iterator[Connection]:
        """Give a connection inside one transaction: committed at the end, rolled back on errors.

        Raises: Unavailable, if the database cannot be reached or gives the transaction up.
        """
        engine = self.engine
        if isolation_level is not None:
            engine = engine.execution_options(isolation_level=isolation_level)
        try:
            with engine.begin() as connection:
                yield connection
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> Unavailable:
        self.counters[DATABASE_FAILURES] += 1
        if isinstance(error, PoolTimeout | PoolExhausted):
            self.counters[POOL_TIMEOUTS] += 1
        return Unavailable(detail=_first_line(error))

    def read(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        generic_plan: bool = True,
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of one SELECT, outside any transaction.

        `generic_plan` says that one plan is best whatever the values: it is prepared and kept. A
        connection that died since its last use is replaced once. Raises: Unavailable.
        """
        self.counters[READ_STATEMENTS] += 1
        for observer in self.observers:
            observer(sql, parameters)
        pool = self._generic_reads if generic_plan else self._custom_reads
        try:
            return pool.read(sql, parameters, prepare=generic_plan)
        except ConnectionLost:
            return self._read_again(pool, sql, parameters, prepare=generic_plan)
        except _READ_FAILURES as error:
            raise self._unavailable(error) from error

    def _read_again(
        self, pool: ReadPool, sql: str, parameters: Mapping[str, Any], *, prepare: bool
    ) -> Sequence[tuple[Any, ...]]:
        """Read on a new connection; the idle ones are gone, as they died with the same server."""
        self.close()
        try:
            return pool.read(sql, parameters, prepare=prepare)
        except (*_READ_FAILURES, ConnectionLost) as error:
            raise self._unavailable(error) from error

    def pool_sizes(self) -> tuple[int, int]:
        """Return how many connections are open, and how many of them are in use now."""
        reads = (self._custom_reads, self._generic_reads)
        pool = cast(QueuePool, self.engine.pool)
        in_use = pool.checkedout()
        return (
            in_use + pool.checkedin() + sum(each.open for each in reads),
            in_use + sum(each.in_use for each in reads),
        )

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()
        self._custom_reads.close()
        self._generic_reads.close()


def _connect_arguments(server: str = "") -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "options": f"-c timezone=UTC {server}",
    }


def _connect_to_read(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
    connection = psycopg.connect(*arguments, **options)
    connection.execute(_PLAN_WITH_VALUES)
    return connection


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
