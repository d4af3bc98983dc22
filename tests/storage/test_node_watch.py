"""The watch over nodes where there are none: a slow statement on one server is left alone."""

import time
from threading import enumerate as threads
from typing import Any

import pytest

from core.storage.connector import LimitedConnection
from core.storage.database import Database
from core.storage.node_watch import INTERVAL_SECONDS, SLOW_SECONDS, NodeWatch

SLOW = "SELECT %(tenant_id)s::BIGINT FROM pg_sleep(%(seconds)s)"
SECONDS = SLOW_SECONDS + 5 * INTERVAL_SECONDS


@pytest.mark.one_server("the database must have no nodes")
def test_slow_statement_of_one_server_ends_the_watch(database: Database) -> None:
    before = len(threads())
    database.nodes.start(database.open)
    assert len(threads()) == before + 1
    assert database.read(SLOW, {"tenant_id": 7, "seconds": SECONDS}) == [(7,)]
    assert len(threads()) == before
    assert not database.nodes.is_frozen(7)


def test_only_statements_that_wait_long_are_looked_at(database: Database) -> None:
    looked_at: list[Any] = []

    def node_of(_statement: str, values: Any) -> list[tuple[int]]:
        looked_at.extend(values.items())
        return [(1,)]

    watch = NodeWatch(node_of, database.circuit.connections)
    watch.start(database.open)
    for _ in range(5):
        database.read(SLOW, {"tenant_id": 7, "seconds": 0})
        time.sleep(INTERVAL_SECONDS)
    assert looked_at == []
    database.read(SLOW, {"tenant_id": 7, "seconds": SECONDS})
    watch.stop()
    assert looked_at == [("value", 7)]
    assert not watch.is_frozen(7)


def test_connection_waits_only_while_it_does(database: Database) -> None:
    connection = database.open()
    assert isinstance(connection, LimitedConnection)
    connection.execute("SELECT 1")
    assert not connection.waits_since(time.monotonic())
    connection.close()
