"""The connection to PostgreSQL: transactions for writes, and statements on the driver for reads.

Reads that clients do all day run as prepared statements on the driver's own connection, in
autocommit and with binary results: that is a third of the cost of an execution by SQLAlchemy.
Everything else goes through SQLAlchemy Core inside `transaction`. Driver errors stop here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import rows
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import Unavailable

Observer = Callable[[str, Any], None]
CONNECT_TIMEOUT_SECONDS = 2
POOL_TIMEOUT_SECONDS = 5
DRIVER = "postgresql+psycopg"


def driver_url(url: str) -> URL:
    """Return a plain `postgresql://` or `postgres://` URL as SQLAlchemy wants it for psycopg."""
    return make_url(url).set(drivername=DRIVER)


class Database:
    """One PostgreSQL database. `observers` are called with every statement and its parameters."""

    def __init__(self, url: str, *, pool_size: int = 4) -> None:
        """Prepare pools of at most `pool_size` connections each; nothing is connected yet."""
        self.observers: list[Observer] = []
        self.engine = self._engine(url, pool_size=pool_size)
        self._reads = self._engine(
            url, pool_size=pool_size, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )

    def _engine(self, url: str, *, pool_size: int, **options: Any) -> Engine:
        engine = create_engine(
            driver_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "options": "-c timezone=UTC",
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
        row_factory: rows.RowFactory[Any] = rows.tuple_row,
    ) -> Sequence[Any]:
        """Return the rows of one prepared SELECT, outside any transaction.

        A connection that died since its last use is replaced once. Raises: Unavailable.
        """
        for observer in self.observers:
            observer(sql, parameters)
        try:
            return self._read_once(sql, parameters, row_factory)
        except _Broken:
            try:
                return self._read_once(sql, parameters, row_factory)
            except _Broken as error:
                raise Unavailable(detail=str(error)) from error

    def _read_once(
        self, sql: str, parameters: Mapping[str, Any], row_factory: rows.RowFactory[Any]
    ) -> Sequence[Any]:
        try:
            pooled = self._reads.raw_connection()
        except (DBAPIError, PoolTimeout) as error:
            raise Unavailable(detail=_first_line(error)) from error
        connection: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
        try:
            with connection.cursor(binary=True, row_factory=row_factory) as cursor:
                return cursor.execute(sql, parameters, prepare=True).fetchall()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if connection.broken or connection.closed:
                self._drop_idle_connections()
                pooled.invalidate()
                raise _Broken(_first_line(error)) from error
            raise Unavailable(detail=_first_line(error)) from error
        finally:
            pooled.close()

    def _drop_idle_connections(self) -> None:
        """Forget every idle connection: when one died, the others died with the same server."""
        self._reads.dispose(close=False)
        self.engine.dispose(close=False)

    def close(self) -> None:
        """Close every pooled connection."""
        self._reads.dispose()
        self.engine.dispose()


class _Broken(Exception):
    """The connection was dead before it answered."""


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
