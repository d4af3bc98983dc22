"""Connections that only read: bounded, shared by threads, replaced when they die."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from core.domain.errors import Unavailable
from core.storage.database import Database
from core.storage.read_pool import ConnectionLost, PoolExhausted, ReadPool

PID = "SELECT pg_backend_pid()"
Connect = Callable[[], "psycopg.Connection[tuple[object, ...]]"]


@pytest.fixture
def connect(database_url: str) -> Connect:
    return lambda: psycopg.connect(database_url, autocommit=True)


@pytest.fixture
def has_generic_plans(connect: Connect) -> bool:
    """Tell a single server from a cluster, which must see the values to know the node."""
    with connect() as session:
        found = session.execute("SELECT current_setting('citus.shard_count', true) IS NULL")
        return found.fetchall() == [(True,)]


@pytest.fixture
def pool(connect: Connect) -> Iterator[ReadPool]:
    made = ReadPool(connect, size=2, acquire_timeout_seconds=0.2)
    yield made
    made.close()


def pid(pool: ReadPool) -> int:
    return int(pool.read(PID, {}, generic_plan=True)[0][0])


def end(database_url: str, backend: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s::INT, 5000::BIGINT)", [backend])


def test_one_connection_serves_one_thread(pool: ReadPool) -> None:
    assert len({pid(pool) for _ in range(5)}) == 1


def test_threads_never_use_more_than_allowed(pool: ReadPool) -> None:
    pids: list[int] = []

    def ask() -> None:
        pids.extend(
            int(pool.read("SELECT pg_backend_pid(), pg_sleep(0.002)", {}, generic_plan=True)[0][0])
            for _ in range(5)
        )

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 40
    assert len(set(pids)) == 2


def test_closed_pool_holds_nothing(pool: ReadPool) -> None:
    pid(pool)
    assert (pool.open, pool.in_use) == (1, 0)
    pool.close()
    assert (pool.open, pool.in_use) == (0, 0)


def plan_mode(pool: ReadPool, *, generic_plan: bool) -> str:
    sql = "SELECT current_setting('plan_cache_mode')"
    return str(pool.read(sql, {}, generic_plan=generic_plan)[0][0])


def test_each_statement_has_its_plan_mode(connect: Connect, has_generic_plans: bool) -> None:
    generic = "force_generic_plan" if has_generic_plans else "force_custom_plan"
    for size in (1, 2, 3):
        pool = ReadPool(connect, size=size, acquire_timeout_seconds=1)
        modes = [plan_mode(pool, generic_plan=mode) for mode in (True, False, False, True)]
        assert modes == [generic, "force_custom_plan", "force_custom_plan", generic]
        assert pool.open == min(size, 2)
        pool.close()


def test_unfiltered_statements_keep_one_plan(connect: Connect, has_generic_plans: bool) -> None:
    pool = ReadPool(connect, size=1, acquire_timeout_seconds=1)
    counted = (
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement ~ 'AS n'"
    )
    for _ in range(8):
        pool.read("SELECT %(number)s::BIGINT AS n", {"number": 2}, generic_plan=True)
        pool.read("SELECT %(number)s::BIGINT AS m", {"number": 2}, generic_plan=False)
    assert pool.read(counted, {}, generic_plan=False) == [(8, 0) if has_generic_plans else (0, 8)]
    pool.close()


def test_threads_are_served_in_order(connect: Connect) -> None:
    pool = ReadPool(connect, size=1, acquire_timeout_seconds=10)
    served: list[int] = []

    def ask(number: int) -> None:
        pool.read("SELECT pg_sleep(0.01)", {}, generic_plan=bool(number % 2))
        served.append(number)

    holder = threading.Thread(
        target=pool.read, args=("SELECT pg_sleep(0.4)", {}), kwargs={"generic_plan": False}
    )
    holder.start()
    while not pool.in_use:
        pass
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for number, thread in enumerate(threads):
        thread.start()
        while len(pool._waiting) <= number:
            pass
    for thread in (holder, *threads):
        thread.join()
    assert served == list(range(8))
    pool.close()


def test_waiting_for_a_connection_ends(pool: ReadPool) -> None:
    sleepers = [
        threading.Thread(
            target=pool.read, args=("SELECT pg_sleep(1)", {}), kwargs={"generic_plan": False}
        )
        for _ in range(2)
    ]
    for sleeper in sleepers:
        sleeper.start()
    while pool._open < 2:
        pass
    with pytest.raises(PoolExhausted):
        pid(pool)
    for sleeper in sleepers:
        sleeper.join()
    assert pid(pool)


def test_dead_connections_make_room(pool: ReadPool, database_url: str) -> None:
    for _ in range(3):
        end(database_url, pid(pool))
        with pytest.raises(ConnectionLost):
            pid(pool)


def test_refused_statement_leaves_the_connection(pool: ReadPool) -> None:
    before = pid(pool)
    with pytest.raises(psycopg.errors.UndefinedTable):
        pool.read("SELECT 1 FROM nowhere", {}, generic_plan=True)
    assert pid(pool) == before


def test_failed_connect_takes_no_room(connect: Connect) -> None:
    refusals = iter([True, True, True, False])

    def moody() -> "psycopg.Connection[tuple[object, ...]]":
        if next(refusals):
            raise psycopg.OperationalError("not now")
        return connect()

    pool = ReadPool(moody, size=1, acquire_timeout_seconds=0.2)
    for _ in range(3):
        with pytest.raises(psycopg.OperationalError):
            pid(pool)
    assert pid(pool)
    pool.close()


def test_database_reads_on_after_a_dead_connection(database: Database, database_url: str) -> None:
    end(database_url, int(database.read(PID, {})[0][0]))
    assert database.read("SELECT 1", {}) == [(1,)]


def test_unreachable_database_is_unavailable() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable):
        nowhere.read("SELECT 1", {})
