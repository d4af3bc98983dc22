"""A writer that is killed at any step leaves no reader with a stale or half answer."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.own_servers import OwnServer

PAGE = "/v1/crm/activities"
ROOT = Path(__file__).parents[2]

# What the killed process does; STEP is where it dies.
WRITER = """
import os, signal, sys
from sqlalchemy import event
from core import activities
from core import write_rules
from core.storage import activity_writer
from core.activities import Activities
from core.storage.database import Database
from core.caching.entity_cache import EntityCache
from core.storage.entity_store import EntityStore, put_entities
from core.domain.entity import EntityRef
from core.domain.model import Principal

url, tenant_id, what, step = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
database = Database(url)

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(marker):
    def check(_connection, _cursor, sql, *_):
        if marker in sql:
            die()
    event.listen(database.engine, "after_cursor_execute", check)

if step == "rows":
    die_after("UPDATE activities" if what == "activity" else "INTO entities")
elif step == "counters":
    die_after("UPDATE activity_counters" if what == "activity" else "UPDATE tenants")
elif step == "commit":
    event.listen(database.engine, "commit", die)

if what == "activity":
    caller = Principal(1, (tenant_id,), frozenset({"read", "write"}))
    everything = Activities(database, EntityCache(EntityStore(database)))
    everything.change(caller, 1, lambda activity, _: activity._replace(
        subject="new", visibility="private"))
else:
    with database.transaction() as connection:
        put_entities(connection, tenant_id, {("contact", 7): {"name": "new"}})
die()  # Committed, and nobody was told.
"""


@pytest.fixture
def worker(make_app: Callable[..., Flask], own_redis: OwnServer, tenant: Home) -> FlaskClient:
    """A worker that has kept the answer about one activity and its contact."""
    client = make_app(redis_url=own_redis.url).test_client()
    client.environ_base["HTTP_X_API_KEY"] = tenant.caller(2, "read", "write", "directory").key
    assert client.put("/directory/contact/7", data='{"name": "old"}').status_code == 201
    body = '{"name": "old", "contact_ids": [7], "owner_id": 3}'
    assert client.post(PAGE, data=body).status_code == 201
    for _ in range(4):
        assert shown(client) == ("old", "old", 1)
    return client


def shown(client: FlaskClient) -> tuple[str, str, int]:
    """Return the activity's name, its contact's, and the total, as a page shows them."""
    page = client.get(PAGE).json
    record = page["data"][0]
    total = page["paginationInfo"]["totalRecords"]
    return record["name"], record["contact_details"][0]["name"], total


def run_writer(database_url: str, tenant: Home, what: str, step: str) -> None:
    died = subprocess.run(
        [sys.executable, "-c", WRITER, database_url, str(tenant.id), what, step],
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert died.returncode == -signal.SIGKILL


@pytest.mark.parametrize("redis_state", ["alive", "frozen", "dead"])
@pytest.mark.parametrize(
    ("what", "step", "expected"),
    [
        ("activity", "rows", ("old", "old", 1)),
        ("activity", "counters", ("old", "old", 1)),
        ("activity", "commit", ("old", "old", 1)),
        ("activity", "end", ("new", "old", 1)),
        ("entity", "rows", ("old", "old", 1)),
        ("entity", "counters", ("old", "old", 1)),
        ("entity", "commit", ("old", "old", 1)),
        ("entity", "end", ("old", "new", 1)),
    ],
)
def test_killed_writer_leaves_no_stale_answer(
    database_url: str,
    worker: FlaskClient,
    own_redis: OwnServer,
    tenant: Home,
    redis_state: str,
    what: str,
    step: str,
    expected: tuple[str, str, int],
) -> None:
    if redis_state == "frozen":
        own_redis.freeze()
    if redis_state == "dead":
        own_redis.kill()
    run_writer(database_url, tenant, what, step)
    assert shown(worker) == expected
    if redis_state == "frozen":
        own_redis.thaw()
    assert shown(worker) == expected


def test_killed_writer_keeps_counters_right(
    database_url: str, worker: FlaskClient, tenant: Home
) -> None:
    """The dead writer made the record private: a stranger's total must follow, and no other."""
    run_writer(database_url, tenant, "activity", "end")
    stranger = tenant.caller(9)
    page = worker.get(PAGE, headers=stranger.headers).json
    assert page["paginationInfo"] == {"page": 1, "totalRecords": 0, "isZeroState": True}
