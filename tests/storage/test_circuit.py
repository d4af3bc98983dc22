"""A database that does not answer: who waits for it is released, and nobody waits any more."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from support.cluster_nodes import eventually
from support.own_servers import OwnServer

from core.domain.errors import Unavailable
from core.storage.connector import TimedConnection
from core.storage.database import Database
from core.storage.heartbeat import Heartbeat


@pytest.fixture
def database(own_postgres: OwnServer) -> Iterator[Database]:
    made = Database(own_postgres.url, pool_size=2)
    yield made
    made.close()


@pytest.fixture
def heartbeat(own_postgres: OwnServer, database: Database) -> Iterator[Heartbeat]:
    probed = Database(own_postgres.url, pool_size=1, connect=TimedConnection.connect)
    made = Heartbeat(database.circuit, probed.open)
    made.start()
    yield made
    made.stop()


def seconds_until_refused(call: Callable[[], object]) -> float:
    """Return how long a call waits before it is refused."""
    began_at = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    return time.monotonic() - began_at


def write(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("SELECT 1")


@pytest.mark.usefixtures("heartbeat")
def test_nobody_waits_for_a_frozen_server(own_postgres: OwnServer, database: Database):
    write(database)
    assert database.read("SELECT 1", {}) == [(1,)]
    own_postgres.freeze()
    waits: list[float] = []
    calls = [lambda: database.read("SELECT 2", {})] * 2 + [lambda: write(database)] * 2
    threads = [
        threading.Thread(target=lambda call=call: waits.append(seconds_until_refused(call)))
        for call in calls
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == 4
    assert max(waits) < 3
    for call in (lambda: database.read("SELECT 1", {}), lambda: write(database)):
        assert min(seconds_until_refused(call) for _ in range(3)) < 0.1
    own_postgres.thaw()
    assert eventually(lambda: not database.circuit.is_open, seconds=5)
    write(database)
    assert database.read("SELECT 1", {}) == [(1,)]


@pytest.mark.usefixtures("heartbeat")
def test_long_statement_is_let_run(database: Database):
    assert database.read("SELECT 1 FROM pg_sleep(2.5)", {}) == [(1,)]
    assert not database.circuit.is_open


def test_unwatched_circuit_stays_closed(own_postgres: OwnServer, database: Database):
    own_postgres.kill()
    with pytest.raises(Unavailable):
        database.read("SELECT 1", {})
    assert not database.circuit.is_open


def write_read_only(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql("CREATE TABLE forbidden ()")


def test_read_only_server_is_unavailable(database: Database):
    assert seconds_until_refused(lambda: write_read_only(database)) < 3
    write(database)
