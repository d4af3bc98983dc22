"""The generated data: tenants as the service keeps them, and the same records as its peers would.

The tables are made by the project's own migrations; the rows by SQL, in several sessions, with the
indexes off meanwhile. Two runs make equal rows.
"""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.tenant_store import Tenants

HERE = Path(__file__).parent
BASE = 10_000_000
"""Ids of a tenant's records are its own id times this, plus their numbers from 1."""
ZONES = ("Asia/Kolkata", "UTC")
"""In which Deskera's stamps are shown, tenant by tenant."""
CLOCKS_ZONE = "Asia/Singapore"
SESSIONS = os.cpu_count() or 1
INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes
    WHERE tablename = 'activities' AND indexname <> 'activities_pkey'
    ORDER BY indexdef LIKE '%USING gin%' DESC, indexname DESC"""


class Size(NamedTuple):
    """How many tenants there are, and how many records each of them has."""

    tenants: int
    activities: int
    contacts: int
    companies: int
    deals: int
    users: int

    @property
    def tenant_ids(self) -> list[int]:
        """The ids of the tenants."""
        return list(range(1, self.tenants + 1))


STANDARD = Size(
    tenants=5, activities=40_000, contacts=10_000, companies=2_000, deals=1_000, users=100
)
QUICK = Size(tenants=5, activities=4_000, contacts=1_000, companies=200, deals=100, users=20)
SMALL = Size(tenants=1, activities=10_000, contacts=5_000, companies=1_000, deals=500, users=100)
"""One tenant before it grew; `_replace(activities=1_000_000)` is the same one after it."""
HUGE_ACTIVITIES = 10_000_000


MANY = Size(tenants=10_000, activities=1, contacts=5, companies=5, deals=5, users=8)
FEW = MANY._replace(tenants=100)


def reader_of(tenant_id: int) -> int:
    """Return the user who reads and writes during the bench: one with no part in any record."""
    return tenant_id * BASE + 1


def fill(url: str, size: Size, *, limit_seconds: float = 0) -> None:
    """Migrate an empty database and fill it as the service keeps its records.

    Raises: psycopg.errors.QueryCanceled, if that takes longer than the limit; 0 is none.
    """
    deadline = time.monotonic() + limit_seconds if limit_seconds else None
    database = Database(url)
    migrate.upgrade(database)
    tenants = Tenants(database)
    for tenant_id in size.tenant_ids:
        zone = ZONES[tenant_id % len(ZONES)]
        tenants.create(Tenant(tenant_id, f"Tenant {tenant_id}", CLOCKS_ZONE, zone))
    database.close()
    parameters = {**size._asdict(), "tenant_ids": size.tenant_ids, "clocks_zone": CLOCKS_ZONE}
    bounds = [size.activities * number // SESSIONS for number in range(SESSIONS + 1)]
    parts = [{"first": first + 1, "last": last} for first, last in pairwise(bounds)]
    load = Loader(url, deadline)
    key, *indexes = load.take_indexes()
    load.together([_Statement(_text_of("directory"), parameters)])
    load.together([_Statement(_text_of("activities"), {**parameters, **part}) for part in parts])
    load.together([_Statement("VACUUM activities")])
    load.together([key])
    load.together([_Statement(_text_of("counters"), parameters), *indexes])
    load.together([_Statement("VACUUM (ANALYZE)"), _Statement("CHECKPOINT")])


class _Statement(NamedTuple):
    """Some SQL, with values for its parameters if it has any."""

    sql: str
    parameters: Mapping[str, Any] | None = None


class Loader:
    """Statements in as many sessions as there are processors, and no longer than a deadline."""

    def __init__(self, url: str, deadline: float | None) -> None:
        """Load a database before the deadline, by the monotonic clock; None is none."""
        self._url = url
        self._deadline = deadline

    def take_indexes(self) -> list[_Statement]:
        """Drop the indexes of activities; return what brings them back: first its key, the others.

        Those that take longest come before shorter ones.
        """
        with psycopg.connect(self._url) as connection:
            found = connection.execute(INDEXES).fetchall()
            connection.execute("ALTER TABLE activities DROP CONSTRAINT activities_pkey")
            for name, _ in found:
                connection.execute(f"DROP INDEX {name}")
        key = "ALTER TABLE activities ADD PRIMARY KEY (tenant_id, id)"
        return [_Statement(key), *(_Statement(definition) for _, definition in found)]

    def together(self, statements: Sequence[_Statement]) -> None:
        """Execute statements, each in a session of its own, several at a time."""
        helpers = 0 if len(statements) > 1 else SESSIONS - 1
        with ThreadPoolExecutor(SESSIONS) as pool:
            list(pool.map(partial(self._execute, helpers=helpers), statements))

    def _execute(self, statement: _Statement, *, helpers: int) -> None:
        with psycopg.connect(
            self._url, autocommit=True, cursor_factory=psycopg.ClientCursor
        ) as connection:
            connection.execute("SET maintenance_work_mem = '1GB'")
            connection.execute(f"SET max_parallel_maintenance_workers = {helpers}")
            if self._deadline is not None:
                left_ms = max(1, round(1000 * (self._deadline - time.monotonic())))
                connection.execute(f"SET statement_timeout = {left_ms}")
            connection.execute(statement.sql, statement.parameters)


def _text_of(name: str) -> str:
    return (HERE / f"{name}.sql").read_text()


def fill_peers(url: str) -> None:
    """Copy the records of a filled database into the tables of the peers."""
    with psycopg.connect(url) as connection:
        connection.execute((HERE / "peers.sql").read_text())
    _vacuum(url)


def _vacuum(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
