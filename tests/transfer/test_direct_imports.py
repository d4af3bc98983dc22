"""Activities of a tenant that the file brings are written while it is read, and nobody can tell."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import psycopg
import pytest
from support.callers import Home
from support.clock import Clock

from core.domain.errors import Unavailable
from core.storage.database import Database
from core.transfer import line_loader
from core.transfer.background import Background
from core.transfer.exporter import export_lines
from core.transfer.import_report import ImportReport
from core.transfer.importer import import_lines

COUNT = 4 * line_loader.DIRECT_FROM
MANY = 8 * line_loader.DIRECT_FROM
STAMPS = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-02T00:00:00.5Z"}
IS_WRITING = """
    SELECT count(*) FROM pg_locks WHERE relation = 'activities'::regclass
        AND mode = 'RowExclusiveLock' AND database = (
            SELECT oid FROM pg_database WHERE datname = current_database())"""
END_IMPORTS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE query LIKE 'COPY activities%' AND datname = current_database()"""


@pytest.fixture
def new_id(tenant: Home) -> int:
    """Return the id of a tenant that is not there."""
    return tenant.id + 300_000


def head(tenant_id: int) -> list[dict[str, Any]]:
    """Return a tenant and one of its users."""
    return [
        {"kind": "tenant", "id": tenant_id, "name": "New", "timezone": "Asia/Singapore"},
        {"kind": "user", "tenant_id": tenant_id, "id": 3, "first_name": "A", "last_name": "B"},
    ]


def activity(tenant_id: int, number: int, **fields: Any) -> dict[str, Any]:
    """Return an activity; of some the stamps are given, some are private, some deleted."""
    varied: list[dict[str, Any]] = [
        {},
        STAMPS,
        {"updated_at": STAMPS["updated_at"]},
        {"visibility": "private", "created_at": STAMPS["created_at"]},
        {"deleted_at": STAMPS["updated_at"]},
        {"notes": "a\tb\\N\n", "start_date": "2026-03-01", "start_time": "10:30"},
    ]
    own = {"kind": "activity", "tenant_id": tenant_id, "id": number, "subject": f"of {number}"}
    return {**own, **varied[number % len(varied)], **fields}


def file_of(tenant_id: int, numbers: Iterable[int], **fields: Any) -> list[bytes]:
    """Return the lines of a tenant with these activities."""
    own = [activity(tenant_id, number, **fields) for number in numbers]
    return [orjson.dumps(record) for record in (*head(tenant_id), *own)]


def stored(database: Database, tenant_id: int) -> list[int]:
    """Return how many rows there are of a tenant: itself, activities, counted, last id."""
    statement = """
        SELECT (SELECT count(*) FROM tenants WHERE tenant_id = %(id)s),
            (SELECT count(*) FROM activities WHERE tenant_id = %(id)s),
            (SELECT coalesce(sum(shared), 0)::BIGINT FROM activity_counters
                WHERE tenant_id = %(id)s),
            (SELECT coalesce(sum(private), 0)::BIGINT FROM activity_counters
                WHERE tenant_id = %(id)s),
            (SELECT coalesce(max(last_id), 0) FROM activity_numbers WHERE tenant_id = %(id)s)"""
    with database.transaction() as connection:
        return [*connection.exec_driver_sql(statement, {"id": tenant_id}).one()]


def wait_until_writing(url: str) -> None:
    """Wait until somebody writes activities."""
    deadline = time.monotonic() + 10
    with psycopg.connect(url, autocommit=True) as session:
        while session.execute(IS_WRITING).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_rows_are_written_while_reading(database: Database, database_url: str, new_id: int) -> None:
    def lines() -> Iterator[bytes]:
        yield from file_of(new_id, range(1, MANY))
        wait_until_writing(database_url)

    assert import_lines(database, lines()).counts["activity"] == (MANY - 1, 0, 0)


def test_known_tenants_are_not_written_early(
    database: Database, database_url: str, tenant: Home
) -> None:
    def lines() -> Iterator[bytes]:
        yield from file_of(tenant.id, range(1, MANY))
        with psycopg.connect(database_url, autocommit=True) as session:
            assert session.execute(IS_WRITING).fetchone() == (0,)

    assert import_lines(database, lines()).counts["activity"] == (MANY - 1, 0, 0)


def test_bad_last_line_leaves_nothing(database: Database, new_id: int) -> None:
    lines = [*file_of(new_id, range(1, MANY)), b'{"kind": "activity", "id": 1, "colour": "red"}']
    ended: list[ImportReport] = []
    report = import_lines(database, lines, finish=lambda _, report: ended.append(report))
    assert (report.counts, [line.number for line in report.bad_lines]) == ({}, [len(lines)])
    assert ended == [report]
    assert stored(database, new_id) == [0, 0, 0, 0, 0]


ORDERS = {
    "ascending": range(1, COUNT + 1),
    "repeated": [*range(1, COUNT + 1), *range(7, COUNT, 5)],
    "begun anew": [*range(500, COUNT), *range(1, 700), *range(COUNT, COUNT + 50)],
    "descending": range(COUNT, 0, -1),
}


@pytest.mark.parametrize("order", ORDERS)
def test_direct_writes_equal_staged_ones(
    database: Database, new_id: int, clock: Clock, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    seen = []
    for is_direct, tenant_id in ((False, new_id), (True, new_id + 300_000)):
        if not is_direct:
            monkeypatch.setattr(line_loader, "DIRECT_FROM", -1)
        numbers = list(ORDERS[order])
        lines = [*file_of(tenant_id, numbers[:COUNT])]
        lines += file_of(tenant_id, numbers[COUNT:], subject="later")[2:]
        report = import_lines(database, lines, clock=clock)
        exported = b"".join(export_lines(database, tenant_id=tenant_id))
        own = str(tenant_id).encode()
        seen.append((report, exported.replace(own, b"N"), stored(database, tenant_id)))
        again = import_lines(database, lines, clock=clock)
        assert {counts[:2] for counts in again.counts.values()} == {(0, 0)}
        monkeypatch.undo()
    assert seen[0] == seen[1]


def test_opposite_orders_of_new_tenants_end(database: Database, new_id: int) -> None:
    first, second = new_id, new_id + 300_000
    of_first, of_second = (file_of(each, range(1, MANY)) for each in (first, second))
    files = [[*of_first, *of_second], [*of_second, *of_first]]
    begin = threading.Barrier(len(files))

    def run(file: list[bytes]) -> ImportReport:
        begin.wait()
        return import_lines(database, file)

    with ThreadPoolExecutor(len(files)) as pool:
        reports = list(pool.map(run, files))
    whole = 2 * (MANY - 1)
    assert sorted(report.counts["activity"] for report in reports) == [(0, 0, whole), (whole, 0, 0)]


def test_lost_connection_leaves_nothing(database: Database, database_url: str, new_id: int) -> None:
    def lines() -> Iterator[bytes]:
        yield from file_of(new_id, range(1, MANY))
        wait_until_writing(database_url)
        with psycopg.connect(database_url, autocommit=True) as session:
            session.execute(END_IMPORTS)
        yield from file_of(new_id, range(MANY, 2 * MANY))

    with pytest.raises(Unavailable):
        import_lines(database, lines())
    assert stored(database, new_id) == [0, 0, 0, 0, 0]


def test_error_in_the_background_is_raised() -> None:
    """The caller learns it at the next call, and what has not begun is left out."""
    ran: list[str] = []

    def fail() -> None:
        raise ValueError("of the thread")

    def run() -> None:
        with Background(lambda: ran.append("cancelled")) as background:
            background.submit(lambda: ran.append(threading.current_thread().name))
            background.submit(fail)
            background.submit(lambda: ran.append("after"))
            background.run(lambda: ran.append("at last"))

    with pytest.raises(ValueError, match="of the thread"):
        run()
    assert ran[0].startswith("import")
    assert "at last" not in ran


def test_single_batch_needs_no_thread() -> None:
    """What is left at the end of a file is stored by the caller itself."""
    with Background(lambda: None) as background:
        assert background.run(threading.current_thread) is threading.current_thread()
