"""Statements of requests end in time: 503 with `Retry-After`, in the dialect's own envelope."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from flask import Flask
from support.callers import Home
from support.own_servers import OwnServer

from core.domain.errors import DatabaseTimeout, Unavailable
from core.storage.connector import CONNECT_TIMEOUT_SECONDS, GRACE_SECONDS, Timeouts
from core.storage.database import Database

PATIENT_MS = 60_000
SOON_MS = 150
FROZEN_SECONDS = GRACE_SECONDS + CONNECT_TIMEOUT_SECONDS + 1
DESKERA = "/v1/crm/activities"
CALLS = [
    ("GET", DESKERA, None),
    ("GET", f"{DESKERA}?query=name=a", None),
    ("GET", f"{DESKERA}?query=name=a&page=400", None),
    ("PUT", f"{DESKERA}/1", '{"name": "b"}'),
    ("POST", DESKERA, '{"name": "b"}'),
    ("GET", "/activities?subject=a", None),
    ("GET", "/activities?$skip=5000", None),
    ("GET", "/activities/1", None),
    ("PATCH", "/activities/1?subject=a", '{"done": true}'),
    ("DELETE", "/activities/1?subject=a", None),
    ("GET", "/directory/contact/7", None),
]


@contextmanager
def locked_tables(database_url: str) -> Iterator[None]:
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE activities, entities IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@pytest.mark.parametrize("limit", ["statement_timeout_ms", "lock_timeout_ms"])
def test_every_request_ends_in_time(
    make_app: Callable[..., Flask], database_url: str, tenant: Home, limit: str
) -> None:
    limits = {"statement_timeout_ms": PATIENT_MS, "lock_timeout_ms": PATIENT_MS, limit: SOON_MS}
    client = make_app(**limits).test_client()
    headers = tenant.caller(1, "read", "write", "directory").headers
    client.post(DESKERA, json={"name": "a"}, headers=headers)
    with locked_tables(database_url):
        for method, path, body in CALLS:
            answer = client.open(path, method=method, data=body, headers=headers)
            assert answer.status_code == 503, (path, answer.data)
            assert answer.headers["Retry-After"] == "5"
            if path.startswith("/activities"):
                assert answer.json["name"] == "Unavailable"
            assert b"Try again later" in answer.data
    assert client.get(f"{DESKERA}/1", headers=headers).status_code == 200


def test_commands_have_all_the_time(database_url: str) -> None:
    with closing(Database(database_url)) as database:
        assert database.read("SHOW statement_timeout", {}) == [("0",)]


def test_limits_hold_in_transactions(database_url: str) -> None:
    database = Database(database_url, limits=Timeouts(SOON_MS, SOON_MS))
    with pytest.raises(DatabaseTimeout), database.transaction() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(5)")
    with pytest.raises(DatabaseTimeout):
        database.read("SELECT pg_sleep(5)", {})
    database.close()


def test_frozen_server_is_not_waited_for(own_postgres: OwnServer) -> None:
    """It ends no statement itself, and may be one node of a cluster whose coordinator is well."""
    with closing(Database(own_postgres.url, limits=Timeouts(SOON_MS, SOON_MS))) as database:

        def write() -> None:
            with database.transaction() as connection:
                connection.exec_driver_sql("SELECT 1")

        for use in (lambda: database.read("SELECT 1", {}), write):
            use()
            own_postgres.freeze()
            began_at = time.monotonic()
            with pytest.raises(Unavailable):
                use()
            assert time.monotonic() - began_at < FROZEN_SECONDS
            own_postgres.thaw()
            use()
