"""Reads on a streaming replica: they see what was acknowledged, whatever becomes of the replica."""

import time
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from support.achieveapex_api import Api
from support.callers import Home
from support.clock import Clock
from support.cluster_nodes import eventually
from support.own_servers import OwnServer
from support.streaming_replica import StreamingPair, streaming_pair

from core.domain.counters import REPLICA_FAILURES, REPLICA_READS, REPLICA_STALE
from core.domain.model import Tenant
from core.storage import migrate
from core.storage.database import Database
from core.storage.tenant_store import Tenants

TENANT_ID = 5
ROUNDS = 20
DEEP = "$skip=1000"
SLOW_SECONDS, QUICK_SECONDS = 6, 1
NOTHING_CACHED = {"answer_cache_bytes": 0}


@pytest.fixture(scope="module")
def pair() -> Iterator[StreamingPair]:
    """Give a primary with a replica, with every migration and a tenant."""
    with streaming_pair() as found:
        database = Database(found.url)
        migrate.upgrade(database)
        Tenants(database).create(Tenant(TENANT_ID, "T", "UTC", "UTC"))
        database.close()
        yield found


@pytest.fixture
def caught_up(pair: StreamingPair) -> StreamingPair:
    """Give the pair, with a replica that shows what the primary does."""
    assert eventually(pair.is_caught_up)
    return pair


@pytest.fixture
def app(make_app: Callable[..., Flask], caught_up: StreamingPair) -> Flask:
    """Give an application that reads on the replica."""
    return _made(make_app, caught_up)


@pytest.fixture
def other_app(make_app: Callable[..., Flask], caught_up: StreamingPair) -> Flask:
    """Give another gateway on the same two servers."""
    return _made(make_app, caught_up)


@pytest.fixture
def other_replica(caught_up: StreamingPair) -> Iterator[OwnServer]:
    """Give one more replica of the primary."""
    replica = caught_up.add_replica()
    yield replica
    replica.kill()


def _made(make_app: Callable[..., Flask], pair: StreamingPair, *more: str) -> Flask:
    urls = (pair.replica.url, *more)
    return make_app(database_url=pair.url, database_replica_urls=urls, **NOTHING_CACHED)


@pytest.fixture
def api(app: Flask, clock: Clock) -> Api:
    """Give a caller of the first gateway."""
    return Api(app.test_client(), Home(TENANT_ID, app, clock).caller(1).key)


@pytest.fixture
def other_api(other_app: Flask, clock: Clock) -> Api:
    """Give the same user at the other gateway."""
    return Api(other_app.test_client(), Home(TENANT_ID, other_app, clock).caller(1).key)


def counted(app: Flask, place: int) -> int:
    """Return one of the counters of an application."""
    return int(app.extensions["database"].counters[place])


def read(api: Api, activity_id: int) -> str:
    """Return the subject of an activity as a list and a get show it; they must agree."""
    one = api("GET", f"/activities/{activity_id}")
    page = api("GET", query=f"id={activity_id}")
    assert page.json["data"][0]["subject"] == one.json["subject"]
    return str(one.json["subject"])


def test_lists_and_gets_go_to_the_replica(app: Flask, api: Api, caught_up: StreamingPair):
    made = api.create(subject="A")
    assert eventually(caught_up.is_caught_up)
    before = counted(app, REPLICA_READS)
    assert read(api, made["id"]) == "A"
    assert api("GET", query=DEEP).json["data"] == []
    assert counted(app, REPLICA_READS) - before >= 3
    assert counted(app, REPLICA_STALE) == 0


def test_paused_replica_hides_no_write(
    app: Flask, api: Api, other_app: Flask, other_api: Api, caught_up: StreamingPair
):
    made = api.create(subject="before")
    assert eventually(caught_up.is_caught_up)
    caught_up.pause()
    try:
        assert (
            api("PATCH", f"/activities/{made['id']}", json={"subject": "after"}).status_code == 200
        )
        total = api.total()
        new = api.create(subject="new")
        for reader in (api, other_api):
            assert read(reader, made["id"]) == "after"
            assert read(reader, new["id"]) == "new"
            assert reader.total() == total + 1
            assert reader.total(DEEP) == total + 1
        api("DELETE", f"/activities/{new['id']}")
        assert other_api("GET", f"/activities/{new['id']}").status_code == 404
        assert counted(other_app, REPLICA_STALE) > 0
        assert counted(other_app, REPLICA_READS) == 0
    finally:
        caught_up.resume()
    assert eventually(caught_up.is_caught_up)
    assert read(other_api, made["id"]) == "after"
    assert counted(other_app, REPLICA_READS) > 0


def test_what_one_gateway_wrote_another_shows(api: Api, other_api: Api):
    for number in range(ROUNDS):
        made = api.create(subject=str(number))
        assert read(other_api, made["id"]) == str(number)
        other_api("PATCH", f"/activities/{made['id']}", json={"subject": "b"})
        assert read(api, made["id"]) == "b"


@pytest.mark.parametrize("harm", ["freeze", "kill"])
def test_lost_replica_costs_only_time(app: Flask, api: Api, caught_up: StreamingPair, harm: str):
    made = api.create(subject="A")
    assert eventually(caught_up.is_caught_up)
    assert read(api, made["id"]) == "A"
    getattr(caught_up.replica, harm)()
    try:
        begun = time.monotonic()
        assert read(api, made["id"]) == "A"
        assert time.monotonic() - begun < SLOW_SECONDS
        begun = time.monotonic()
        assert api.create(subject="B")["subject"] == "B"
        assert api("GET", f"/activities/{made['id']}").status_code == 200
        assert time.monotonic() - begun < QUICK_SECONDS
        assert counted(app, REPLICA_FAILURES) > 0
    finally:
        caught_up.replica.thaw() if harm == "freeze" else caught_up.replica.start()
    before = counted(app, REPLICA_READS)
    assert eventually(lambda: read(api, made["id"]) == "A" and counted(app, REPLICA_READS) > before)


def test_one_dead_and_one_lagging_hide_nothing(
    make_app: Callable[..., Flask],
    caught_up: StreamingPair,
    other_replica: OwnServer,
    clock: Clock,
):
    app = _made(make_app, caught_up, other_replica.url)
    api = Api(app.test_client(), Home(TENANT_ID, app, clock).caller(1).key)
    made = api.create(subject="before")
    assert eventually(caught_up.is_caught_up)
    other_replica.kill()
    caught_up.pause()
    try:
        for number in range(ROUNDS):
            changed = api("PATCH", f"/activities/{made['id']}", json={"subject": f"{number}"})
            assert changed.status_code == 200
            assert read(api, made["id"]) == str(number)
        assert counted(app, REPLICA_FAILURES) > 0
        assert counted(app, REPLICA_STALE) > 0
        assert counted(app, REPLICA_READS) == 0
    finally:
        caught_up.resume()
    assert eventually(caught_up.is_caught_up)
    begun = time.monotonic()
    for _ in range(ROUNDS):
        assert read(api, made["id"]) == str(ROUNDS - 1)
    assert counted(app, REPLICA_READS) > ROUNDS
    assert time.monotonic() - begun < SLOW_SECONDS
