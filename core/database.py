"""The connection to PostgreSQL: transactions for writes, and statements on the driver for reads.

Reads that clients do all day run as prepared statements on the driver's own connection, in
autocommit and with binary results: that is a third of the cost of an execution by SQLAlchemy.
Where the best plan does not depend on the values, it is made once for each connection; planning a
page anew costs three times as much as running it. Everything else goes through SQLAlchemy Core
inside `transaction`. Driver errors stop here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import Unavailable

Observer = Callable[[str, Any], None]
CONNECT_TIMEOUT_SECONDS = 2
POOL_TIMEOUT_SECONDS = 5
READ_TIMEOUT_MS = 10_000  # No honest list takes as long; a hostile one must not hold a worker.
GENERIC_PLANS = "-c plan_cache_mode=force_generic_plan"
CUSTOM_PLANS = "-c plan_cache_mode=force_custom_plan"
DRIVER = "postgresql+psycopg"


def driver_url(url: str) -> URL:
    """Return a plain `postgresql://` or `postgres://` URL as SQLAlchemy wants it for psycopg."""
    return make_url(url).set(drivername=DRIVER)


class Database:
    """One PostgreSQL database. `observers` are called with every statement and its parameters."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        """Prepare pools of at most `pool_size` connections each; nothing is connected yet."""
        self.observers: list[Observer] = []
        self.engine = self._engine(url, pool_size=pool_size, pool_pre_ping=True)
        self._reads = self._read_engine(url, pool_size=pool_size, server=CUSTOM_PLANS)
        self._steady_reads = self._read_engine(url, pool_size=pool_size, server=GENERIC_PLANS)

    def _read_engine(self, url: str, *, pool_size: int, server: str = "") -> Engine:
        return self._engine(
            url,
            pool_size=pool_size,
            server=f"-c statement_timeout={READ_TIMEOUT_MS} {server}",
            isolation_level="AUTOCOMMIT",
            pool_reset_on_return=None,
        )

    def _engine(self, url: str, *, pool_size: int, server: str = "", **options: Any) -> Engine:
        engine = create_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": f"-c timezone=UTC {server}",
            },
            **options,
        )
        event.listen(engine, "before_cursor_execute", self._observe)
        return engine

    def _observe(self, _connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
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
            raise Unavailable(detail=_first_line(error)) from error

    def read(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        steady: bool = True,
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of one SELECT, outside any transaction.

        `steady` says that one plan is best whatever the values: it is prepared and kept. A
        connection that died since its last use is replaced once. Raises: Unavailable.
        """
        for observer in self.observers:
            observer(sql, parameters)
        try:
            return self._read_once(steady, sql, parameters)
        except _Broken:
            try:
                return self._read_once(steady, sql, parameters)
            except _Broken as error:
                raise Unavailable(detail=str(error)) from error

    def _read_once(
        self, steady: bool, sql: str, parameters: Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        engine = self._steady_reads if steady else self._reads
        try:
            pooled = engine.raw_connection()  # Raises the driver's own errors, not SQLAlchemy's.
        except (psycopg.Error, DBAPIError, PoolTimeout) as error:
            raise Unavailable(detail=_first_line(error)) from error
        connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
        try:
            with connection.cursor(binary=True) as cursor:
                return cursor.execute(sql, parameters, prepare=steady).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if connection.broken or connection.closed:
                self._drop_idle_connections()
                pooled.invalidate()
                raise _Broken(_first_line(error)) from error
            raise Unavailable(detail=_first_line(error)) from error
        finally:
            pooled.close()

    @property
    def _engines(self) -> tuple[Engine, ...]:
        return (self.engine, self._reads, self._steady_reads)

    def _drop_idle_connections(self) -> None:
        """Forget every idle connection: when one died, the others died with the same server."""
        for engine in self._engines:
            engine.dispose(close=False)

    def close(self) -> None:
        """Close every pooled connection."""
        for engine in self._engines:
            engine.dispose()


class _Broken(Exception):
    """The connection was dead before it answered."""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
