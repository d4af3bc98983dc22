"""The service behind PgBouncer in transaction mode, which the gateway finds out by itself."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, timedelta

import pytest
from flask import Flask
from support.achieveapex_api import Api
from support.callers import Home
from support.clock import Clock
from support.pooler import PROGRAM, pooled_postgres

from core.domain.errors import DatabaseTimeout
from core.domain.model import Tenant, Versions
from core.storage import migrate
from core.storage.connector import Timeouts
from core.storage.database import Database, allowing
from core.storage.tenant_store import Tenants
from core.storage.version_reader import VersionReader
from core.transfer.demo import load_demo
from core.transfer.exporter import export_lines
from core.transfer.importer import import_lines
from core.transfer.line_loader import DIRECT_FROM

TENANT_ID = 5
NEW_TENANT_ID = 6
CALLERS, ROUNDS = 8, 10
SHORT = Timeouts(200, 150)
PATIENT_MS = 9_000
PREPARED = "SELECT count(*) FROM pg_prepared_statements"
SETTINGS = """
    SELECT current_setting('plan_cache_mode'), current_setting('statement_timeout')"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed")


@pytest.fixture(scope="module", params=["", "ignore_startup_parameters = options"])
def pooled_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a PgBouncer that refuses, or ignores, what a connection starts with."""
    with pooled_postgres(more=request.param) as url:
        with closing(Database(url)) as database:
            migrate.upgrade(database)
            Tenants(database).create(Tenant(TENANT_ID, "T", "UTC", "UTC"))
        yield url


@pytest.fixture
def app(make_app: Callable[..., Flask], pooled_url: str) -> Flask:
    """Give an application behind the pooler; callers wait for each other however slow they are."""
    return make_app(database_url=pooled_url, lock_timeout_ms=PATIENT_MS)


def test_crowd_reads_what_it_wrote(app: Flask, clock: Clock):
    """More callers than the pooler has servers: each transaction may get another one."""
    key = Home(TENANT_ID, app, clock).caller(1).key

    def use(number: int) -> None:
        api = Api(app.test_client(), key)
        for turn in range(ROUNDS):
            made = api.create(subject=f"{number} {turn}", start_date="2026-01-02")
            changed = api("PATCH", f"/activities/{made['id']}", json={"note": "n"})
            assert changed.status_code == 200, changed.text
            assert api("GET", f"/activities/{made['id']}").json["note"] == "n"
            assert api.total(f"subject={number} {turn}") >= 1
            assert api.total("$skip=1000") >= turn

    with ThreadPoolExecutor(CALLERS) as pool:
        assert list(pool.map(use, range(CALLERS))) == [None] * CALLERS


def test_nothing_stays_behind_in_sessions(app: Flask, pooled_url: str, clock: Clock):
    api = Api(app.test_client(), Home(TENANT_ID, app, clock).caller(1).key)
    for _ in range(ROUNDS):
        api("GET")
    with closing(Database(pooled_url)) as database:
        assert database.read(PREPARED, {}) == [(0,)]
        assert database.read(SETTINGS, {}) == [("auto", "0")]


def test_row_security_is_told_in_each_transaction(pooled_url: str):
    told = "SELECT current_setting('crm.tenants', true)"
    with closing(Database(pooled_url, row_security=True)) as guarded:
        for tenants in ((5,), (6, 7), (5,)):
            with allowing(tenants):
                assert guarded.read(told, {}) == [(",".join(map(str, tenants)),)]
    with closing(Database(pooled_url)) as database:
        assert database.read(told, {}) in ([(None,)], [("",)])


def test_versions_are_read_beside_strangers(pooled_url: str):
    """As the event loop reads them: it finds its statement on whatever server it is lent."""

    async def scenario(database: Database) -> None:
        loop = asyncio.get_running_loop()
        with closing(VersionReader(database.connect, loop, timeout_seconds=2)) as reader:
            before = await versions(reader, TENANT_ID)
            for number in range(1, ROUNDS + 1):
                Tenants(database).put(Tenant(TENANT_ID, f"{number}", "UTC", "UTC"))
                pending = [
                    asyncio.ensure_future(versions(reader, one))
                    for one in (TENANT_ID, 999_999_999) * CALLERS
                ]
                seen = [await each for each in pending]
                changed = Versions(before.activities, before.directory + number)
                assert seen == [changed, Versions(0, 0)] * CALLERS

    with closing(Database(pooled_url)) as database:
        asyncio.run(asyncio.wait_for(scenario(database), 20))


async def versions(reader: VersionReader, tenant_id: int) -> Versions:
    """Return the versions of a tenant as soon as the reader is connected."""
    while True:
        answer: asyncio.Future[Versions | None] = asyncio.get_running_loop().create_future()
        reader.read(tenant_id, answer.set_result)
        if (found := await answer) is not None:
            return found
        await asyncio.sleep(0.02)


def test_limits_hold_in_each_transaction(pooled_url: str):
    with closing(Database(pooled_url, limits=SHORT)) as database:
        with pytest.raises(DatabaseTimeout):
            database.read("SELECT pg_sleep(5)", {})
        with pytest.raises(DatabaseTimeout), database.transaction() as connection:
            connection.exec_driver_sql("SELECT pg_sleep(5)")


def test_instants_are_read_in_utc(pooled_url: str):
    with closing(Database(pooled_url)) as database, database.transaction() as connection:
        ((read,),) = database.read("SELECT now()", {})
        written = connection.exec_driver_sql("SELECT now()").scalar_one()
    assert [instant.utcoffset() for instant in (read, written)] == [timedelta(0)] * 2
    assert str(read.tzinfo) in {"UTC", str(UTC)}


def test_demo_and_export_work_through_it(pooled_url: str):
    with closing(Database(pooled_url)) as database:
        load_demo(database)
        lines = list(export_lines(database))
        load_demo(database)
        assert list(export_lines(database)) == lines


def test_import_writes_new_tenant_directly(pooled_url: str):
    """COPY, savepoints and locks of one transaction stay on the server that it was lent."""
    ids = range(1, 2 * DIRECT_FROM)
    lines = [b'{"kind": "tenant", "id": %d, "name": "New"}' % NEW_TENANT_ID]
    lines += [b'{"kind": "activity", "tenant_id": %d, "id": %d}' % (NEW_TENANT_ID, n) for n in ids]
    with closing(Database(pooled_url)) as database:
        assert import_lines(database, lines).counts["activity"] == (len(ids), 0, 0)
        assert import_lines(database, [*lines, b"bad"]).bad_count == 1
        assert import_lines(database, lines).counts["activity"] == (0, 0, len(ids))
