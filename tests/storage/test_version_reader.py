"""Versions for an event loop: shared by those who wait, and never waited for too long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from support.callers import Home
from support.own_servers import OwnServer

from core.domain.model import Tenant, Versions
from core.storage import migrate, version_reader
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from core.storage.version_reader import Connect, VersionReader

Scenario = Callable[[VersionReader], Awaitable[None]]
PATIENT_SECONDS = 5.0


def run(connect: Connect, scenario: Scenario, *, timeout_seconds: float = 1.0) -> None:
    """Play a scenario on a loop of its own, with a reader that connects like this."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with closing(VersionReader(connect, loop, timeout_seconds=timeout_seconds)) as reader:
            await scenario(reader)

    asyncio.run(asyncio.wait_for(main(), 20))


def ask(reader: VersionReader, tenant_id: int) -> "asyncio.Future[Versions | None]":
    answer: asyncio.Future[Versions | None] = asyncio.get_running_loop().create_future()
    reader.read(tenant_id, answer.set_result)
    return answer


async def connected(reader: VersionReader, tenant_id: int) -> Versions:
    """Return a tenant's versions as soon as the reader has a connection."""
    deadline = time.monotonic() + PATIENT_SECONDS
    while time.monotonic() < deadline:
        versions = await ask(reader, tenant_id)
        if versions is not None:
            return versions
        await asyncio.sleep(0.02)
    raise AssertionError("the reader never connected")


def test_versions_are_those_of_the_tenant(database: Database, tenant: Home) -> None:
    async def scenario(reader: VersionReader) -> None:
        assert await connected(reader, tenant.id) == Versions(0, 1)
        assert await ask(reader, 999_999_999) == Versions(0, 0)

    run(database.connect, scenario)


def test_write_is_seen_by_the_next_read(database: Database, tenant: Home) -> None:
    async def scenario(reader: VersionReader) -> None:
        await connected(reader, tenant.id)
        Tenants(database).put(Tenant(tenant.id, "renamed", "UTC", "UTC"))
        assert await ask(reader, tenant.id) == Versions(0, 2)

    run(database.connect, scenario)


def test_those_who_wait_share_a_statement(database: Database, tenant: Home) -> None:
    async def scenario(reader: VersionReader) -> None:
        await connected(reader, tenant.id)
        answers = [ask(reader, tenant.id) for _ in range(500)]
        others = [ask(reader, 999_999_999) for _ in range(500)]
        assert {await answer for answer in answers} == {Versions(0, 1)}
        assert {await answer for answer in others} == {Versions(0, 0)}
        assert reader.statements <= 6

    run(database.connect, scenario)


def test_avoided_tenants_are_not_asked_for(database: Database, tenant: Home) -> None:
    async def scenario() -> None:
        avoided: set[int] = set()
        loop = asyncio.get_running_loop()
        with closing(
            VersionReader(database.connect, loop, is_avoided=avoided.__contains__)
        ) as reader:
            await connected(reader, tenant.id)
            avoided.add(tenant.id)
            before = reader.statements
            assert await ask(reader, tenant.id) is None
            assert await ask(reader, 999_999_999) == Versions(0, 0)
            assert reader.statements == before + 1

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_first_read_waits_for_no_connection(database: Database, tenant: Home) -> None:
    async def scenario(reader: VersionReader) -> None:
        assert await ask(reader, tenant.id) is None

    run(database.connect, scenario)


def test_connection_lost_at_rest_leaves_no_trace(database: Database, tenant: Home) -> None:
    pids: list[int] = []
    failures: list[object] = []

    def connect() -> psycopg.Connection[Any]:
        connection = database.connect()
        pids.append(connection.info.backend_pid)
        return connection

    async def scenario(reader: VersionReader) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: failures.append(context))
        await connected(reader, tenant.id)
        with database.connect() as other:
            other.execute("SELECT pg_terminate_backend(%s::INT, 0::BIGINT)", pids)
        await asyncio.sleep(0.1)
        began_at = time.monotonic()
        assert await connected(reader, tenant.id) == Versions(0, 1)
        assert time.monotonic() - began_at < 1.0

    run(connect, scenario)
    assert failures == []


@pytest.fixture
def own_database(own_postgres: OwnServer) -> Iterator[Database]:
    with closing(Database(own_postgres.url)) as database:
        migrate.upgrade(database)
        Tenants(database).create(Tenant(7, "Seven", "UTC", "UTC"))
        yield database


def test_frozen_server_costs_the_timeout_once(
    own_postgres: OwnServer, own_database: Database
) -> None:
    async def scenario(reader: VersionReader) -> None:
        await connected(reader, 7)
        own_postgres.freeze()
        began_at = time.monotonic()
        assert await ask(reader, 7) is None
        assert 0.05 <= time.monotonic() - began_at < 1.0
        began_at = time.monotonic()
        assert [await ask(reader, 7) for _ in range(100)] == [None] * 100
        assert time.monotonic() - began_at < 1.0
        own_postgres.thaw()
        assert await connected(reader, 7) == Versions(0, 1)

    run(own_database.connect, scenario, timeout_seconds=0.05)


def test_server_that_freezes_on_connecting_keeps_no_thread(
    own_postgres: OwnServer, own_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_reader, "GIVE_UP_SECONDS", 0.2)
    opened: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        opened.append(own_database.connect())
        if len(opened) == 1:
            own_postgres.freeze()
        return opened[-1]

    async def scenario(reader: VersionReader) -> None:
        deadline = time.monotonic() + PATIENT_SECONDS
        while not (opened and opened[0].closed) and time.monotonic() < deadline:
            assert await ask(reader, 7) is None
            await asyncio.sleep(0.02)
        assert opened[0].closed
        own_postgres.thaw()
        assert await connected(reader, 7) == Versions(0, 1)

    run(connect, scenario)


def test_restarted_server_is_found_again(own_postgres: OwnServer, own_database: Database) -> None:
    async def scenario(reader: VersionReader) -> None:
        await connected(reader, 7)
        own_postgres.stop()
        assert await ask(reader, 7) is None
        own_postgres.start()
        assert await connected(reader, 7) == Versions(0, 1)

    run(own_database.connect, scenario)
