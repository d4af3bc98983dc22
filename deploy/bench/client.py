"""A load client for machines without wrk: one thread, kept connections, random requests.

`python -m deploy.bench.client WORKLOAD PORT CONNECTIONS SECONDS SEED` prints one line of JSON, as
`wrk.lua` does. It knows only what the bench needs of HTTP: GET, Content-Length, chunks.
"""

import json
import random
import selectors
import socket
import sys
import time
from pathlib import Path

HEADERS_END = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"
READ_BYTES = 1 << 20
WAIT_SECONDS = 0.05
ERROR_STATUS = b"4"
HOST = "127.0.0.1"
GET = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nx-access-token: {token}"
)


def read_workload(path: Path) -> list[bytes]:
    """Return the requests of a file: first the tokens, then lines of "number path"."""
    tokens: list[str] = []
    requests = []
    for line in path.read_text().splitlines():
        number, _, target = line.partition(" ")
        if not target:
            tokens.append(line)
            continue
        token = tokens[int(number)]
        request = f"{GET}\r\nAuthorization: Bearer {{token}}\r\n\r\n"
        requests.append(request.format(path=target, token=token).encode())
    return requests


class Connection:
    """One connection, and the request that is under way on it."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.started = 0.0
        self._received = b""
        self._expected = 0

    def send(self, request: bytes, now: float) -> None:
        """Begin a request."""
        self.started = now
        self._received = b""
        self._expected = 0
        self.socket.sendall(request)

    def receive(self) -> tuple[bool, bool]:
        """Read what is there; return whether the answer is complete, and whether it is an error."""
        read = self.socket.recv(READ_BYTES)
        if not read:
            return True, not self._is_complete()
        self._received = self._received + read if self._received else read
        return self._is_complete(), self._received[9:10] >= ERROR_STATUS

    def _is_complete(self) -> bool:
        if not self._expected:
            end = self._received.find(HEADERS_END)
            if end < 0:
                return False
            head = self._received[:end].lower()
            at = head.find(b"content-length:")
            if at < 0:
                return self._received.endswith(LAST_CHUNK)
            length = int(head[at + 15 :].split(b"\r", 1)[0])
            self._expected = end + len(HEADERS_END) + length
        return len(self._received) >= self._expected

    def will_close(self) -> bool:
        """Return whether the server ends the connection after this answer."""
        return b"connection: close" in self._received[:600].lower()


class Load:
    """Requests on several connections until the time is over."""

    def __init__(self, requests: list[bytes], *, port: int, seed: int) -> None:
        """Count nothing yet."""
        self.errors = 0
        self.latencies: list[float] = []
        self._requests = requests
        self._port = port
        self._random = random.Random(seed)
        self._poll = selectors.DefaultSelector()

    def run(self, connections: int, seconds: float) -> float:
        """Send requests for this many seconds; return how many it took."""
        started = time.perf_counter()
        for _ in range(connections):
            self._begin()
        while time.perf_counter() - started < seconds:
            for key, _ in self._poll.select(WAIT_SECONDS):
                self._answered(key.data)
        return time.perf_counter() - started

    def _begin(self) -> None:
        connection = Connection(self._port)
        self._poll.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(self._choose(), time.perf_counter())

    def _choose(self) -> bytes:
        return self._requests[int(self._random.random() * len(self._requests))]

    def _answered(self, connection: Connection) -> None:
        is_complete, is_error = connection.receive()
        if not is_complete:
            return
        now = time.perf_counter()
        self.latencies.append(now - connection.started)
        self.errors += is_error
        if connection.will_close():
            self._poll.unregister(connection.socket)
            connection.socket.close()
            self._begin()
        else:
            connection.send(self._choose(), now)


def main(workload_file: str, port: str, connections: str, seconds: str, seed: str) -> None:
    """Run, and print the result."""
    load = Load(read_workload(Path(workload_file)), port=int(port), seed=int(seed))
    took = load.run(int(connections), float(seconds))
    ordered = sorted(load.latencies) or [0.0]
    result = {
        "requests": len(load.latencies),
        "seconds": took,
        "p50_ms": ordered[len(ordered) // 2] * 1000,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1000,
        "errors": load.errors,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
