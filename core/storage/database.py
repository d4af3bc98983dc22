"""The connection to PostgreSQL: transactions for writes, and statements on the driver for reads.

Reads that clients do all day run as prepared statements on the driver's own connection, in
autocommit and with binary results: that is a third of the cost of an execution by SQLAlchemy.
Where the best plan does not depend on the values, it is made once for each connection; planning a
page anew costs three times as much as running it. Everything else goes through SQLAlchemy Core
inside `transaction`. Driver errors stop here.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
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
from core.domain.errors import DatabaseTimeout, Unavailable
from core.storage.circuit import NO_ANSWER, Circuit
from core.storage.connector import (
    ALLOW_IN_TRANSACTION,
    NO_TIMEOUTS,
    Connect,
    Connector,
    LimitedConnection,
    NoReply,
    Timeouts,
)
from core.storage.node_watch import NodeWatch
from core.storage.read_pool import ConnectionLost, PoolExhausted, ReadPool

Observer = Callable[[str, Any], None]
_tenants: ContextVar[tuple[int, ...]] = ContextVar("tenants", default=())
POOL_TIMEOUT_SECONDS = 5
RECONNECT_SECONDS = 1.0
CANCEL_SECONDS = 2.0
DRIVER = "postgresql+psycopg"
MAX_PREPARED = 50
_DRIVER_FAILURES = (psycopg.OperationalError, psycopg.InterfaceError)
_READ_FAILURES = (*_DRIVER_FAILURES, PoolExhausted)
_ENDED = (
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""Errors that psycopg takes for its server's own, and that another server may not have."""
_GIVEN_UP = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, NoReply)


def driver_url(url: str) -> URL:
    """Return a plain `postgresql://` or `postgres://` URL as SQLAlchemy wants it for psycopg.

    It may name several hosts, separated by commas: they are tried in their order.
    """
    parts = urlsplit(url)
    account, at_sign, hosts = parts.netloc.rpartition("@")
    if "," in hosts:
        named = [f"host={host}" for host in hosts.split(",")]
        query = "&".join([*named, *filter(None, [parts.query])])
        url = urlunsplit(parts._replace(netloc=account + at_sign, query=query))
    return make_url(url).set(drivername=DRIVER)


def _make_engine(url: str, pool_size: int) -> Engine:
    return create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        pool_pre_ping=True,
    )


class Database:
    """One PostgreSQL database. `observers` are called with every statement and its parameters."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 4,
        limits: Timeouts = NO_TIMEOUTS,
        connect: Connect = LimitedConnection.connect,
        row_security: bool = False,
        counters: Counters | None = None,
    ) -> None:
        """Prepare the pools; nothing is connected yet.

        At most `pool_size` connections write. Twice as many read, because each has one of two plan
        modes. `limits` hold for every statement. `connect` makes the connections. With
        `row_security` statements see what `allow` names, and no other tenant.
        """
        self._row_security = row_security
        self.observers: list[Observer] = []
        self.counters = new_counters() if counters is None else counters
        self.engine = _make_engine(url, pool_size)
        event.listen(self.engine, "connect", _bound_prepared)
        event.listen(self.engine, "before_cursor_execute", self._observe)
        self.circuit = Circuit()
        connector = self._connector = Connector(connect, limits, self.circuit)
        event.listen(self.engine, "do_connect", self._open)
        event.listen(self.engine, "begin", self._limit)
        self._limits = limits
        self._reconnected_at = 0.0
        arguments, names = self.engine.dialect.create_connect_args(self.engine.url)
        self.open = partial(connector.connect, *arguments, **{**names, "autocommit": True})
        self._read_pool = ReadPool(
            self.open,
            cursor=connector.cursor,
            size=2 * pool_size,
            acquire_timeout_seconds=POOL_TIMEOUT_SECONDS,
            counters=self.counters,
        )
        self.nodes = NodeWatch(partial(self.read, generic_plan=False), self.circuit.connections)

    def _open(self, _dialect: Any, _record: Any, words: Any, named: Any) -> Any:
        return self._connector.connect(*words, **named)

    def _limit(self, connection: Connection) -> None:
        if self._connector.is_pooled:
            connection.exec_driver_sql(self._limits.for_transaction)

    def _observe(self, _connection: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        self.counters[TRANSACTION_STATEMENTS] += 1
        for observer in self.observers:
            observer(sql, parameters)

    @contextmanager
    def transaction(self, *, isolation_level: str | None = None) -> Iterator[Connection]:
        """Give a connection inside one transaction: committed at the end, rolled back on errors.

        Raises: Unavailable, if the database cannot be reached, gives the transaction up or is
        read-only; DatabaseTimeout, if a statement or its wait for a lock takes too long.
        """
        tenant_ids = _tenants.get()
        tenant_id = tenant_ids[0] if len(tenant_ids) == 1 else None
        self._check_circuits(tenant_id)
        engine = self.engine
        if isolation_level is not None:
            engine = engine.execution_options(isolation_level=isolation_level)
        try:
            with engine.begin() as connection:
                driver = driver_of(connection)
                if isinstance(driver, LimitedConnection):
                    driver.tenant_id = tenant_id
                if self._row_security:
                    allowed = {"tenants": _listed(tenant_ids)}
                    connection.exec_driver_sql(ALLOW_IN_TRANSACTION, allowed)
                yield connection
        except (OperationalError, InterfaceError, PoolTimeout, *_DRIVER_FAILURES) as error:
            raise self._unavailable(error) from error
        except InternalError as error:
            if not isinstance(error.orig, _ENDED):
                raise
            self._reconnect()
            raise self._unavailable(error) from error

    def _reconnect(self) -> None:
        """Let transactions have new connections: another server may be the one that writes now."""
        now = time.monotonic()
        if now - self._reconnected_at >= RECONNECT_SECONDS:
            self._reconnected_at = now
            self.engine.dispose()

    def _check_circuits(self, tenant_id: int | None) -> None:
        if self.circuit.is_open or self.nodes.is_frozen(tenant_id):
            self.counters[DATABASE_FAILURES] += 1
            raise Unavailable(detail=NO_ANSWER)

    def _unavailable(self, error: Exception) -> Unavailable:
        self.counters[DATABASE_FAILURES] += 1
        if isinstance(error, PoolTimeout | PoolExhausted):
            self.counters[POOL_TIMEOUTS] += 1
        kind = (
            DatabaseTimeout if isinstance(getattr(error, "orig", error), _GIVEN_UP) else Unavailable
        )
        return kind(detail=_first_line(error))

    def read(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        generic_plan: bool = True,
    ) -> Sequence[tuple[Any, ...]]:
        """Return the rows of one SELECT, outside any transaction.

        `generic_plan` says that one plan is best whatever the values: it is prepared and kept. A
        connection that died since its last use is replaced once.
        Raises: Unavailable; DatabaseTimeout, if it takes too long.
        """
        self._check_circuits(parameters.get("tenant_id"))
        self.counters[READ_STATEMENTS] += 1
        for observer in self.observers:
            observer(sql, parameters)
        tenants = _listed(_tenants.get()) if self._row_security else None
        try:
            return self._read_pool.read(sql, parameters, generic_plan=generic_plan, tenants=tenants)
        except ConnectionLost:
            return self._read_again(sql, parameters, generic_plan=generic_plan, tenants=tenants)
        except _READ_FAILURES as error:
            raise self._unavailable(error) from error

    def _read_again(
        self,
        sql: str,
        parameters: Mapping[str, Any],
        *,
        generic_plan: bool,
        tenants: str | None,
    ) -> Sequence[tuple[Any, ...]]:
        """Read on a new connection; the idle ones are gone, as they died with the same server."""
        self._check_circuits(parameters.get("tenant_id"))
        self.close()
        try:
            return self._read_pool.read(sql, parameters, generic_plan=generic_plan, tenants=tenants)
        except (*_READ_FAILURES, ConnectionLost) as error:
            raise self._unavailable(error) from error

    def connect(self) -> psycopg.Connection[Any]:
        """Return a new connection of the caller's own, for reads with generic plans.

        Raises: psycopg.OperationalError.
        """
        return self._read_pool.connect()

    def pool_sizes(self) -> tuple[int, int]:
        """Return how many connections are open, and how many of them are in use now."""
        pool = cast(QueuePool, self.engine.pool)
        in_use, reads = pool.checkedout(), self._read_pool
        return in_use + pool.checkedin() + reads.open, in_use + reads.in_use

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()
        self._read_pool.close()


@contextmanager
def allowing(tenant_ids: tuple[int, ...]) -> Iterator[None]:
    """Let statements see these tenants meanwhile, where row-level security is on."""
    token = _tenants.set(tenant_ids)
    try:
        yield
    finally:
        _tenants.reset(token)


def allow(tenant_ids: tuple[int, ...]) -> None:
    """Let this thread's statements see these tenants from now on."""
    _tenants.set(tenant_ids)


def driver_of(connection: Connection) -> psycopg.Connection[Any]:
    """Return the driver's connection below one of `Database.transaction`, for COPY."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def cancel_statement(connection: Connection) -> None:
    """Have the server end what another thread has it do on a connection, if it answers."""
    with suppress(psycopg.Error):
        driver_of(connection).cancel_safe(timeout=CANCEL_SECONDS)


def _listed(tenant_ids: tuple[int, ...]) -> str:
    return ",".join(map(str, tenant_ids))


def _bound_prepared(connection: psycopg.Connection[Any], _record: object) -> None:
    """Keep the text of few statements: those of filtered writes are as long as their filters."""
    connection.prepared_max = MAX_PREPARED


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
