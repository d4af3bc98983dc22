"""The generated data: tenants as the service keeps them, and the same records as its peers would.

The tables are made by the project's own migrations; the rows by `dataset.sql`, with the indexes
off meanwhile. Two runs make equal rows.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.tenant_store import Tenants

HERE = Path(__file__).parent
BASE = 10_000_000
"""Ids of a tenant's records are its own id times this, plus their numbers from 1."""
ZONES = ("Asia/Kolkata", "UTC")


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
    deadline = time.monotonic() + limit_seconds
    database = Database(url)
    migrate.upgrade(database)
    tenants = Tenants(database)
    for tenant_id in size.tenant_ids:
        zone = ZONES[tenant_id % len(ZONES)]
        tenants.create(Tenant(tenant_id, f"Tenant {tenant_id}", "Asia/Singapore", zone))
    database.close()
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET maintenance_work_mem = '512MB'")
        indexes = _take_indexes(connection)
        parameters = {**size._asdict(), "tenant_ids": size.tenant_ids}
        statements = [(HERE / "dataset.sql").read_text(), *indexes]
        for statement in statements:
            if limit_seconds:
                left_ms = max(1, round(1000 * (deadline - time.monotonic())))
                connection.execute(f"SET statement_timeout = {left_ms}")
            connection.execute(statement, parameters if statement is statements[0] else None)
    _vacuum(url)


def fill_peers(url: str) -> None:
    """Copy the records of a filled database into the tables of the peers."""
    with psycopg.connect(url) as connection:
        connection.execute((HERE / "peers.sql").read_text())
    _vacuum(url)


def _take_indexes(connection: psycopg.Connection) -> Sequence[str]:
    """Drop the indexes of activities but its key; return the statements that bring them back."""
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE tablename = 'activities' AND indexname NOT LIKE '%pkey'"
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    return [definition for _, definition in found]


def _vacuum(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
