"""The shared cache on a real cluster of three nodes, and on what is left of it."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from support.callers import Demo
from support.redis_cluster import Node, redis_cluster

from core.caching.redis_cache import RedisCache


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    """Give the nodes of a cluster."""
    with redis_cluster() as found:
        yield found


@pytest.fixture
def cache(nodes: list[Node]) -> RedisCache:
    return RedisCache(f"redis://127.0.0.1:{nodes[0].port}", deadline_ms=500, is_cluster=True)


def test_keys_of_one_tenant_share_a_slot(cache: RedisCache) -> None:
    for tenant_id in range(20):
        keys = [f"crm:{{x:{tenant_id}}}:user:{number}" for number in range(20)]
        cache.set_many(dict.fromkeys(keys, str(tenant_id).encode()))
        assert cache.get_many(keys) == [str(tenant_id).encode()] * 20


def test_lost_node_loses_only_entries(cache: RedisCache, nodes: list[Node]) -> None:
    nodes[2].process.kill()
    for tenant_id in range(6):
        key = f"crm:{{x:{tenant_id}}}:user:1"
        cache.set_many({key: b"1"})
        assert cache.get_many([key]) in ([b"1"], [None])


def test_cluster_that_never_was_is_a_miss() -> None:
    cache = RedisCache("redis://127.0.0.1:1", is_cluster=True)
    cache.set_many({"a": b"1"})
    assert cache.get_many(["a"]) == [None]


def test_gateway_serves_from_a_cluster(
    make_app: Callable[..., Flask], nodes: list[Node], demo: Demo
) -> None:
    pages = []
    for _ in range(2):
        app = make_app(redis_url=f"redis://127.0.0.1:{nodes[0].port}", redis_cluster=True)
        pages.append(app.test_client().get("/v1/crm/activities", headers=demo.deskera.headers))
    assert pages[0].json == pages[1].json
    assert len(pages[0].json["data"]) == 3
    assert sum(len(node.client.keys("crm:*")) for node in nodes) > 0
