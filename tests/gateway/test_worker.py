"""Connections are shared out among gunicorn's workers, whoever wakes up first."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.gateway_process import ROOT, served

WORKERS, CONNECTIONS = 2, 16
MOST_ON_ONE = 10
BOOT_SECONDS, CLOSING_SECONDS = 20, 0.3
PROCESSES = Path("/proc")
ESTABLISHED = "01"

pytestmark = pytest.mark.skipif(
    not (PROCESSES / "net" / "tcp").exists(), reason="only Linux tells who has a connection"
)


@pytest.fixture
def port(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[int]:
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    with served(environ, log=tmp_path / "log") as port:
        yield port


def sockets(port: int) -> set[str]:
    """Return the accepted connections of a port, as they are named under /proc/*/fd."""
    found = set()
    for line in (PROCESSES / "net" / "tcp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == port and words[3] == ESTABLISHED:
            found.add(f"socket:[{words[9]}]")
    return found


def owners(port: int) -> Counter[int]:
    """Return how many accepted connections each process has."""
    wanted, found = sockets(port), Counter[int]()
    for process in PROCESSES.glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (process / "fd").iterdir()]
        except OSError:  # It ended meanwhile.
            continue
        found.update({int(process.name): len(wanted.intersection(links))})
    return +found


def connected(stack: ExitStack, port: int) -> Counter[int]:
    """Open connections and ask once on each; return who has them."""
    for _ in range(CONNECTIONS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        stack.callback(connection.close)
        connection.connect()
        connection.request("GET", "/health/live")
        assert connection.getresponse().read()
    return owners(port)


def shared_out(port: int) -> Counter[int]:
    """Return who has the connections once both workers take some."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        with ExitStack() as stack:
            if len(connected(stack, port)) == WORKERS:
                break
        time.sleep(CLOSING_SECONDS)
    time.sleep(CLOSING_SECONDS)
    with ExitStack() as stack:
        return connected(stack, port)


def test_connections_are_shared_out_evenly(port: int) -> None:
    assert max(shared_out(port).values()) <= MOST_ON_ONE


def test_connections_of_a_dead_worker_do_not_count(port: int) -> None:
    with ExitStack() as stack:
        victim = next(iter(connected(stack, port)))
        os.kill(victim, signal.SIGKILL)
    time.sleep(CLOSING_SECONDS)
    after = shared_out(port)
    assert victim not in after
    assert len(after) == WORKERS
    assert max(after.values()) <= MOST_ON_ONE


def test_answers_of_one_connection_stay_apart(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    for path in ("/version", "/docs/assets/swagger-ui.css", "/activities", "/nowhere") * 3:
        lengths = []
        for method in ("GET", "HEAD"):
            connection.request(method, path)
            answer = connection.getresponse()
            lengths.append(int(answer.getheader("Content-Length") or 0))
            assert len(answer.read()) == (lengths[0] if method == "GET" else 0)
        assert lengths[0] == lengths[1] > 0
    connection.close()


def test_master_leaves_counting_to_workers():
    """prometheus_client counts in files only if nobody imported it before they had a directory."""
    configuration = ROOT / "gateway/server/gunicorn_conf.py"
    lines = configuration.read_text().splitlines()
    imports = [line for line in lines if line.startswith(("from ", "import "))]
    ending = ["import gateway.server.worker", "sys.exit('prometheus_client' in sys.modules)"]
    code = "\n".join(["import sys", *imports, *ending])
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
