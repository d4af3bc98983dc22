"""Versions of tenants for an event loop: read once for all requests that wait.

One connection of its own, which libpq serves without blocking. Whatever asks while a batch is
under way shares the next one, so that every answer was read by a statement that was sent after it
was asked for. Each tenant has a statement of its own, all of a batch in one pipeline: a server
that spreads tenants over nodes asks one node for each.
"""

import select
import time
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn

from core.domain.model import Versions
from core.storage.activity_reader import SELECT_VERSIONS

Receive = Callable[[Versions | None], None]
"""Called once, on the loop; None if the versions could not be read in time."""

Connect = Callable[[], psycopg.Connection[Any]]
STATEMENT = b"tenant_versions"
TIMEOUT_SECONDS = 0.05
GIVE_UP_SECONDS = 2.0
"""A connection that has not answered for so long is closed."""
RECONNECT_SECONDS = 0.5


class VersionReader:
    """Reads on behalf of requests of one event loop; all methods are called on it."""

    def __init__(
        self,
        connect: Connect,
        loop: AbstractEventLoop,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        is_avoided: Callable[[int], bool] = lambda _tenant_id: False,
    ) -> None:
        """Connect to nothing yet; `connect` may block, and is called in another thread.

        Nothing is sent for tenants that are avoided: all that is sent after it would wait.
        """
        self._is_avoided = is_avoided
        self.statements = 0
        self._connect = connect
        self._loop = loop
        self._timeout_seconds = timeout_seconds
        self._waiting: dict[int, list[Receive]] = {}
        self._batch: dict[int, list[Receive]] = {}
        self._unread: list[int] = []  # Tenants of the batch whose rows have not come.
        self._connection: psycopg.Connection[Any] | None = None
        self._may_prepare = True
        self._socket = -1  # The connection's; libpq does not tell it once the server is gone.
        self._connecting: Future[psycopg.Connection[Any]] | None = None
        self._tried_at = float("-inf")
        self._sent_at = 0.0
        self._timer: TimerHandle | None = None
        self._is_scheduled = False
        self._is_closed = False

    def read(self, tenant_id: int, receive: Receive) -> None:
        """Have a tenant's versions read by a statement that has not been sent yet."""
        if self._connection is None or self._is_late or self._is_avoided(tenant_id):
            self._recover()
            receive(None)
            return
        self._waiting.setdefault(tenant_id, []).append(receive)
        if not self._batch and not self._is_scheduled:
            self._is_scheduled = True  # So that all requests of this turn of the loop share it.
            self._loop.call_soon(self._send)

    def close(self) -> None:
        """Let the connection go."""
        self._is_closed = True
        self._disconnect()

    @property
    def _is_late(self) -> bool:
        return bool(self._batch) and self._timer is None

    def _send(self) -> None:
        self._is_scheduled = False
        if self._batch or not self._waiting or self._connection is None:
            return
        self._batch, self._waiting = self._waiting, {}
        self._unread = list(self._batch)
        self.statements += len(self._unread)
        self._sent_at = time.monotonic()
        self._timer = self._loop.call_later(self._timeout_seconds, self._expire)
        pgconn = self._connection.pgconn
        try:
            for tenant_id in self._unread:
                self._send_one(pgconn, [str(tenant_id).encode()])
            pgconn.pipeline_sync()
            self._flush()
        except psycopg.Error:
            self._disconnect()

    def _send_one(self, pgconn: PGconn, values: list[bytes | None]) -> None:
        if self._may_prepare:
            pgconn.send_query_prepared(STATEMENT, values, result_format=Format.BINARY)
        else:  # A pooler lends another server for each batch.
            pgconn.send_query_params(SELECT_VERSIONS, values, result_format=Format.BINARY)

    def _flush(self) -> None:
        """Send what the socket takes, the rest when it takes more."""
        if self._connection is None:
            return
        pgconn = self._connection.pgconn
        if pgconn.flush():
            self._loop.add_writer(self._socket, self._flush)
        else:
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        """Take in what has come, and hand out what is whole."""
        if self._connection is None:
            return
        pgconn = self._connection.pgconn
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:  # Parts the results of two statements.
                    if not self._unread and not self._batch:
                        return
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    self._finish()
                    return
                if result.status != ExecStatus.TUPLES_OK:
                    raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
                self._hand_out(_versions(result))
        except psycopg.Error:
            self._disconnect()

    def _hand_out(self, versions: Versions) -> None:
        for receive in self._batch.get(self._unread.pop(0), ()):
            receive(versions)

    def _finish(self) -> None:
        self._batch = {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            self._send()

    def _expire(self) -> None:
        """Let nobody wait for longer; what still comes is dropped."""
        self._timer = None
        self._abandon()

    def _abandon(self) -> None:
        late = [self._batch[tenant_id] for tenant_id in self._unread]
        for tenant_id in self._unread:
            self._batch[tenant_id] = []
        waiting, self._waiting = list(self._waiting.values()), {}
        for receivers in (*late, *waiting):
            for receive in receivers:
                receive(None)

    def _recover(self) -> None:
        """Connect again after a while, where the connection is gone or has gone silent."""
        now = time.monotonic()
        if self._is_late and now - self._sent_at >= GIVE_UP_SECONDS:
            self._disconnect()
        is_due = now - self._tried_at >= RECONNECT_SECONDS
        if self._connection is None and self._connecting is None and is_due and not self._is_closed:
            self._tried_at = now
            self._connecting = self._loop.run_in_executor(None, self._open)
            self._connecting.add_done_callback(self._use)

    def _open(self) -> psycopg.Connection[Any]:
        """Connect, in another thread."""
        connection = self._connect()
        try:
            if _may_prepare(connection):
                _prepare(connection.pgconn)
            connection.pgconn.nonblocking = 1
            connection.pgconn.enter_pipeline_mode()
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def _use(self, connecting: "Future[psycopg.Connection[Any]]") -> None:
        self._connecting = None
        if connecting.cancelled() or isinstance(connecting.exception(), Exception):
            return
        if self._is_closed:
            connecting.result().close()
            return
        self._connection = connecting.result()
        self._may_prepare = _may_prepare(self._connection)
        self._socket = self._connection.pgconn.socket
        self._loop.add_reader(self._socket, self._receive)

    def _disconnect(self) -> None:
        """Close the connection, if there is one; nobody waits for it any longer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            connection.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._abandon()
        self._batch = {}
        self._unread = []


def _prepare(pgconn: PGconn) -> None:
    """Prepare the statement; a server that freezes now must not take the thread with it.

    Raises: psycopg.Error.
    """
    pgconn.send_prepare(STATEMENT, SELECT_VERSIONS)
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    while pgconn.is_busy():
        if not poll.poll(GIVE_UP_SECONDS * 1000):
            raise psycopg.OperationalError("the server does not answer")
        pgconn.consume_input()
    prepared = pgconn.get_result()
    if prepared is None or prepared.status != ExecStatus.COMMAND_OK:
        raise psycopg.OperationalError("the statement cannot be prepared")
    pgconn.get_result()  # None: nothing more comes.


def _may_prepare(connection: psycopg.Connection[Any]) -> bool:
    return connection.prepare_threshold is not None


def _versions(result: Any) -> Versions:
    """Return the one row of a binary result, two numbers; there is none of an unknown tenant."""
    if not result.ntuples:
        return Versions(0, 0)
    activities, directory = (result.get_value(0, column) for column in (0, 1))
    return Versions(int.from_bytes(activities or b""), int.from_bytes(directory or b""))
