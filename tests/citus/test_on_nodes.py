"""What befalls the nodes of a cluster: one dies, shards move, a tenant moves out."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from flask import Flask
from support.achieveapex_api import Api
from support.callers import Home
from support.clock import Clock
from support.cluster_nodes import Place, WorkerNode, ask, eventually, place_of

from core.domain.model import Tenant
from core.storage.tenant_store import Tenants

SUBJECT = {"subject": "Call"}
PAUSE_SECONDS = 0.02
tenant_ids = itertools.count(5_000_001)
SERVED = {200, 201}
REFUSED = 503
DEADLINE_MS = 1000

MOVE = """
    SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, shard_transfer_mode => 'force_logical')"""
REBALANCE = """
    SELECT rebalance_table_shards(rebalance_strategy => 'by_shard_count',
        shard_transfer_mode => 'force_logical')"""
# Citus may not finish a split by logical replication while rows are updated: citusdata/citus, 6790.
ISOLATE = """
    SELECT isolate_tenant_to_new_shard('tenants', %s::BIGINT, 'CASCADE',
        shard_transfer_mode => 'block_writes')"""
COLOCATED_ALONE = """
    SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'tenants'::regclass
        AND shardminvalue = shardmaxvalue"""


@pytest.fixture
def two_places(app: Flask, database_url: str) -> dict[int, Place]:
    """Give two tenants that different nodes have."""
    tenants = Tenants(app.extensions["database"])
    found: dict[int, Place] = {}
    while len(found) < 2:
        tenant_id = next(tenant_ids)
        place = place_of(database_url, tenant_id)
        if place.port not in {known.port for known in found.values()}:
            tenants.create(Tenant(tenant_id, f"Tenant {tenant_id}", "UTC", "UTC"))
            found[tenant_id] = place
    return found


@pytest.fixture
def apis(app: Flask, two_places: dict[int, Place], clock: Clock) -> dict[int, Api]:
    """Give a caller of each of the two tenants."""
    return {
        tenant_id: Api(app.test_client(), Home(tenant_id, app, clock).caller().key)
        for tenant_id in two_places
    }


class Writer:
    """Creates one activity after another, and remembers which were acknowledged."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._end = Event()
        self.acknowledged: list[int] = []
        self.refused = 0

    def run(self) -> None:
        """Write until told to end; whatever is not served must be refused."""
        while not self._end.is_set():
            answer = self._api("POST", "/activities", json=SUBJECT)
            if answer.status_code in SERVED:
                self.acknowledged.append(answer.json["id"])
            else:
                assert answer.status_code == REFUSED, answer.text
                self.refused += 1
            time.sleep(PAUSE_SECONDS)

    def end(self) -> None:
        """Let it end after this write."""
        self._end.set()


@pytest.fixture
def writers(apis: dict[int, Api]) -> Iterator[dict[int, Writer]]:
    """Give writers that write until the test has ended; none may fail."""
    running = {tenant_id: Writer(api) for tenant_id, api in apis.items()}
    with ThreadPoolExecutor() as pool:
        results = [pool.submit(writer.run) for writer in running.values()]
        assert eventually(lambda: all(writer.acknowledged for writer in running.values()))
        yield running
        for writer in running.values():
            writer.end()
        for result in results:
            result.result()


def assert_nothing_is_lost(writers: dict[int, Writer], apis: dict[int, Api]) -> None:
    """Wait for more writes, end, and look for each that was acknowledged."""
    before = {tenant_id: len(writer.acknowledged) for tenant_id, writer in writers.items()}
    assert eventually(lambda: all(len(writers[one].acknowledged) > before[one] for one in writers))
    for tenant_id, writer in writers.items():
        writer.end()
        expected = set(writer.acknowledged)
        listed = apis[tenant_id]("GET", "/activities?$limit=1").json
        assert listed["total"] >= len(expected)
        found = {
            each["id"]
            for skip in range(0, listed["total"], 100)
            for each in apis[tenant_id]("GET", f"/activities?$limit=100&$skip={skip}").json["data"]
        }
        assert expected <= found


def test_dead_node_loses_only_its_tenants(
    database_url: str, apis: dict[int, Api], two_places: dict[int, Place]
):
    (lost_id, lost), (safe_id, _) = two_places.items()
    for api in apis.values():
        assert api("POST", "/activities", json=SUBJECT).status_code == 201
    node = WorkerNode(database_url, lost)
    node.kill()
    try:
        for method, body in (("GET", None), ("POST", SUBJECT)) * 3:
            answer = apis[lost_id](method, "/activities", json=body)
            assert (answer.status_code, answer.json["className"]) == (503, "unavailable")
            assert apis[safe_id](method, "/activities", json=body).status_code in SERVED
    finally:
        node.start()
    assert eventually(lambda: apis[lost_id]("GET", "/activities").status_code == 200)
    assert apis[lost_id]("POST", "/activities", json=SUBJECT).status_code == 201
    assert apis[lost_id]("GET", "/activities").json["total"] == 2


def test_moved_shards_lose_no_write(
    database_url: str,
    two_places: dict[int, Place],
    writers: dict[int, Writer],
    apis: dict[int, Api],
):
    (moved_id, source), (_, target) = two_places.items()
    ask(database_url, MOVE, source.shard_id, *source[:2], *target[:2])
    assert place_of(database_url, moved_id)[:2] == target[:2]
    ask(database_url, REBALANCE)
    assert_nothing_is_lost(writers, apis)
    assert not any(writer.refused for writer in writers.values())


def test_isolated_tenant_is_served_on(
    database_url: str,
    two_places: dict[int, Place],
    writers: dict[int, Writer],
    apis: dict[int, Api],
):
    isolated_id = next(iter(two_places))
    ask(database_url, ISOLATE, isolated_id)
    assert ask(database_url, COLOCATED_ALONE) == [(1,)]
    assert_nothing_is_lost(writers, apis)


def test_frozen_node_holds_up_only_its_tenants(
    database_url: str, make_app: Callable[..., Flask], clock: Clock, two_places: dict[int, Place]
):
    """What waits for it gives up at its deadline; the others' requests go on meanwhile."""
    (lost_id, lost), (safe_id, _) = two_places.items()
    app = make_app(statement_timeout_ms=DEADLINE_MS)
    keys = {one: Home(one, app, clock).caller().key for one in two_places}
    calls = (("GET", None), ("POST", SUBJECT)) * 2

    def slowest(tenant_id: int) -> tuple[set[int], float]:
        api = Api(app.test_client(), keys[tenant_id])
        statuses, took = set(), []
        for method, body in calls:
            began_at = time.monotonic()
            statuses.add(api(method, "/activities", json=body).status_code)
            took.append(time.monotonic() - began_at)
        return statuses, max(took)

    assert slowest(lost_id)[0] == SERVED
    with WorkerNode(database_url, lost).frozen(), ThreadPoolExecutor() as pool:
        waiting = pool.submit(slowest, lost_id)
        time.sleep(PAUSE_SECONDS)
        assert slowest(safe_id)[0] == SERVED
        statuses, took = waiting.result()
        assert statuses == {REFUSED}
        assert took < 3 * DEADLINE_MS / 1000
    assert eventually(lambda: slowest(lost_id)[0] == SERVED)
