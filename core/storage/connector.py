"""How connections are made: to PostgreSQL itself, or to a pooler that lends servers by transaction.

Directly, a connection's settings are part of its start. A pooler such as PgBouncer in transaction
mode refuses or ignores those, and what one transaction prepares or sets, the next may not find, or
a stranger may. It tells itself by that; then nothing is prepared, settings hold for one
transaction and are sent along with it, and the plan mode is left alone, as every plan is made for
its values.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import psycopg
from psycopg.abc import PQGen
from psycopg.generators import send
from psycopg.pq import TransactionStatus

from core.storage.circuit import Circuit

Connect = Callable[..., psycopg.Connection[Any]]
CONNECT_TIMEOUT_SECONDS = 2
REPLY_SECONDS = 1.0
"""How long a `TimedConnection` waits for the server."""
GRACE_SECONDS = 1.0
"""What a server may need beyond its own limit to say that a statement took too long."""
END_WITH_CLIENT = "SELECT set_config('client_connection_check_interval', '1000', true)"
"""Lets a transaction end within a second of its program's death, whatever it is doing."""
TENANTS_SETTING = "crm.tenants"
ALLOW_IN_TRANSACTION = f"SELECT set_config('{TENANTS_SETTING}', %(tenants)s::TEXT, true)"
_MARK = "gateway.connected"
_READ_MARK = f"SELECT current_setting('{_MARK}', true)"
_REFUSAL = "startup parameter"  # PgBouncer: unsupported startup parameter: options


class Timeouts(NamedTuple):
    """How long a statement may run, and how long it may wait for a lock; 0 is without end."""

    statement_timeout_ms: int
    lock_timeout_ms: int

    @property
    def reply_seconds(self) -> float | None:
        """How long a statement that the server ends in time can take; None is for ever."""
        limit_ms = self.statement_timeout_ms
        return limit_ms / 1000 + GRACE_SECONDS if limit_ms else None

    @property
    def for_transaction(self) -> str:
        """The statement that sets the limits for one transaction."""
        return (
            f"SELECT set_config('statement_timeout', '{self.statement_timeout_ms}', true),"
            f" set_config('lock_timeout', '{self.lock_timeout_ms}', true)"
        )


NO_TIMEOUTS = Timeouts(0, 0)
"""For commands: an import or a migration takes as long as it takes."""


class NoReply(psycopg.OperationalError):
    """The server took too long to answer, and the connection is closed."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server does not answer in time.

    `statement_timeout` is no help there: a frozen server ends nothing, nor does the coordinator of
    a cluster end what waits for a frozen node.
    """

    reply_seconds: float | None = None
    """How long to wait for the server; None is for ever."""
    tenant_id: int | None = None
    """Whose statements it sends now; None, if that is not known."""
    _waiting_since = float("inf")

    def waits_since(self, moment: float) -> bool:
        """Return whether it has waited for the server since a moment of the monotonic clock."""
        return self._waiting_since <= moment

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server, but no longer than `reply_seconds`. Raises: NoReply."""
        self._waiting_since = time.monotonic()
        try:
            return super().wait(gen, interval, self.reply_seconds if timeout is None else timeout)
        except psycopg.OperationalError as error:
            is_waiting = self.info.transaction_status is TransactionStatus.ACTIVE
            if is_waiting and error.sqlstate is None:  # It is no answer of the server.
                self.close()
                raise NoReply("the server does not answer") from error
            raise
        finally:
            self._waiting_since = float("inf")


class TimedConnection(LimitedConnection):
    """A connection to a server that others can do without: it is not waited for long."""

    reply_seconds = REPLY_SECONDS


class ProbeConnection(LimitedConnection):
    """A connection of probes: a server that is only slow is not yet taken for a frozen one."""

    reply_seconds = 1.5


def binary_cursor(connection: psycopg.Connection[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
    """Return a cursor with binary results."""
    return connection.cursor(binary=True)


class PooledPipeline(psycopg.Pipeline):
    """A pipeline that ends with a Sync, and nothing after it.

    psycopg 3.3 sends a Flush behind the Sync if some results have not come yet (`_pipeline_base`).
    One that reaches PgBouncer after the last result has a server lent for it, and it keeps that
    server: a Flush is answered by nothing (pgbouncer/pgbouncer#759, seen with 1.18).
    """

    def _fetch_gen(self, *, flush: bool) -> PQGen[None]:
        if flush and self.result_queue:
            yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=False)


class PooledCursor(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that reads through a pooler: each statement is a transaction with its settings.

    The settings and the statement are sent together and take one round trip.
    """

    limits = NO_TIMEOUTS
    tenants: str | None = None
    """What row-level security is to show; None leaves its setting alone."""

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, **options: Any
    ) -> "PooledCursor":
        """Execute a statement; `prepare` is of no effect."""
        connection = self.connection
        connection._pipeline = PooledPipeline(connection)
        with connection.pipeline():  # That one. Up to its end all is one transaction.
            connection.execute(self.limits.for_transaction)
            if self.tenants is not None:
                connection.execute(ALLOW_IN_TRANSACTION, {"tenants": self.tenants})
            super().execute(query, params, prepare=False, **options)
        return self


class Connector:
    """Makes connections with `limits`; what it finds out at the first holds for all."""

    def __init__(self, connect: Connect, limits: Timeouts, circuit: Circuit) -> None:
        """Find out nothing yet; while the `circuit` is open there are no connections."""
        self.is_pooled: bool | None = None
        self._circuit = circuit
        self._connect = connect
        self._limits = limits

    def connect(self, *words: Any, **named: Any) -> psycopg.Connection[Any]:
        """Return a connection in UTC; behind a pooler only `read` and transactions have limits.

        Raises: psycopg.OperationalError.
        """
        return self._circuit.connect(partial(self._open, *words, **named))

    def _open(self, *words: Any, **named: Any) -> psycopg.Connection[Any]:
        named = {**named, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
        direct = {**named, "options": self._options()}
        if self.is_pooled is None:
            self.is_pooled = self._meets_pooler(*words, **{**direct, "autocommit": True})
        if not self.is_pooled:
            return self._limited(self._connect(*words, **direct))
        connection = self._limited(
            self._connect(*words, **{**named, "autocommit": True, "prepare_threshold": None})
        )
        connection.execute("SET timezone TO 'UTC'")  # A pooler keeps this one for its client.
        connection.autocommit = bool(named.get("autocommit"))
        return connection

    def _limited(self, connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
        """Let a connection outwait its own limits, and no more."""
        if isinstance(connection, LimitedConnection) and connection.reply_seconds is None:
            connection.reply_seconds = self._limits.reply_seconds
        return connection

    def cursor(self, connection: psycopg.Connection[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        """Return a cursor with binary results for reads outside of transactions."""
        if not self.is_pooled:
            return binary_cursor(connection)
        cursor = PooledCursor(connection)
        cursor.format = psycopg.pq.Format.BINARY
        cursor.limits = self._limits
        return cursor

    def _options(self) -> str:
        settings = {
            "timezone": "UTC",
            "statement_timeout": self._limits.statement_timeout_ms,
            "lock_timeout": self._limits.lock_timeout_ms,
            _MARK: "directly",
        }
        return " ".join(f"-c {name}={value}" for name, value in settings.items())

    def _meets_pooler(self, *words: Any, **named: Any) -> bool:
        try:
            with self._connect(*words, **named) as probe:
                return probe.execute(_READ_MARK).fetchone() != ("directly",)
        except psycopg.OperationalError as error:
            if _REFUSAL in str(error):
                return True
            raise
