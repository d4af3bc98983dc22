"""Hostile crowds: what a client that behaves notices of 500 that do not, with default settings.

Each crowd connects once. The polite client is measured quiet before each crowd, so that a slow
minute of the machine passes for none, beside it, and again a few seconds after it left.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from threading import Event, Thread

from deploy.bench import load
from deploy.bench.bench import Bench
from deploy.bench.servers import HOST, Server
from deploy.bench.workload import deskera_pages, token

CROWD = 500
POLITE_CONNECTIONS = 8
DRIP_SECONDS = 3.0
SETTLE_SECONDS = 1.0
SLOW_CROWDS, LONGER = frozenset({"silent", "dripping"}), 3
"""The gateway gives these up after 10 s, all at once: that should fall into what is measured."""
AFTER_SECONDS = 5.0
SMALL_BUFFER_BYTES = 4096
LARGE_PAGE = "/v1/crm/activities?pageSize=360&page={page}"
GARBAGE_BYTES = 300

Opening = Callable[[int, str], bytes]


def _silent(_number: int, _key: str) -> bytes:
    return b""


def _dripping(number: int, key: str) -> bytes:
    """Return the beginning of a head, of a body, or of a body that is refused for its length."""
    heads = (
        "GET /activities HTTP/1.1\r\nHost: x\r\nX-",
        f"POST /activities HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: 500\r\n\r\n",
        "POST /activities HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n",
    )
    return heads[number % len(heads)].encode()


def _never_closing(_number: int, _key: str) -> bytes:
    return b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def _never_reading(number: int, key: str) -> bytes:
    path = LARGE_PAGE.format(page=1 + number % 50)
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nx-access-token: {key}\r\n\r\n".encode()


def _garbage(_number: int, _key: str) -> bytes:
    return os.urandom(GARBAGE_BYTES)


CROWDS: Mapping[str, Opening] = {
    "silent": _silent,
    "dripping": _dripping,
    "never-closing": _never_closing,
    "never-reading": _never_reading,
    "garbage": _garbage,
}


def measure(bench: Bench) -> None:
    """Measure the polite client beside each crowd."""
    polite = deskera_pages(bench.tenant_ids[:1])
    written = load.write_workload(polite, bench.scratch / "hostile.asks")
    server = bench.ready(["cached"], polite).get("cached")
    if server is None:
        return
    key = token(bench.tenant_ids[-1])

    def polite_client(name: str, seed: int) -> None:
        bench.show_progress(f"hostile: {name}")
        seconds = bench.plan.seconds * (LONGER if name in SLOW_CROWDS else 1)
        found = load.run(
            server, written, seconds=seconds, seed=seed, connections=POLITE_CONNECTIONS
        )
        memory = {"mib": server.worker_bytes() / 2**20}
        bench.record(f"hostile.{name}", found._asdict())
        bench.record(f"hostile-memory.{name}", memory)

    load.run(server, written, seconds=bench.plan.warm_seconds, seed=0)
    _warm(server, key)
    for seed, (name, opening) in enumerate(CROWDS.items(), start=1):
        polite_client(f"{name}-before", seed)
        with crowd(server, opening, key):
            polite_client(name, seed)
        time.sleep(AFTER_SECONDS)
        polite_client(f"{name}-after", seed)
    _record_worst(bench)


def _warm(server: Server, key: str) -> None:
    """Let the memory of the workers hold what the crowds ask for."""
    for page in range(1, 9):
        server.get(LARGE_PAGE.format(page=page), key)


def _record_worst(bench: Bench) -> None:
    numbers = bench.numbers
    rows = [(name, row) for name in CROWDS for row in (name, f"{name}-after")]
    memory = [numbers[f"hostile-memory.{row}.mib"] for _, row in rows]
    worst = {
        "p99_of_quiet": max(
            numbers[f"hostile.{row}.p99_ms"] / numbers[f"hostile.{name}-before.p99_ms"]
            for name, row in rows
        ),
        "errors": sum(numbers[f"hostile.{row}.errors"] for _, row in rows),
        "grown_mib": max(memory) - numbers[f"hostile-memory.{next(iter(CROWDS))}-before.mib"],
    }
    bench.record("hostile-worst", worst)


@contextmanager
def crowd(server: Server, opening: Opening, key: str) -> Iterator[None]:
    """Keep a crowd connected, and let it drip a byte now and then."""
    ended = Event()
    connections = [_connect(server.port) for _ in range(CROWD)]
    thread = Thread(target=_drip, args=(connections, ended), daemon=True)
    try:
        for number, connection in enumerate(connections):
            _send(connection, opening(number, key))
        if opening is _dripping:
            thread.start()
        time.sleep(SETTLE_SECONDS)
        yield
    finally:
        ended.set()
        for connection in connections:
            connection.close()


def _connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    connection.settimeout(DRIP_SECONDS)
    connection.connect((HOST, port))
    return connection


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:  # It was closed, as it should be.
        return


def _drip(connections: list[socket.socket], ended: Event) -> None:
    """Send a byte on each in turn, spread evenly: clients do not send at one moment."""
    for connection in cycle(connections):
        if ended.wait(DRIP_SECONDS / len(connections)):
            return
        _send(connection, b"x")
