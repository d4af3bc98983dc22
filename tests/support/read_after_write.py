"""Writers and readers on several gateways: no read may show less than was acknowledged before it.

Each record's subject counts its writes. A reader notes what was acknowledged, sends its request,
and compares.
"""

import json
import random
import re
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

RECORDS = 5
WRITTEN_PART = 30
"""At least one write for so many of the reads that were asked for."""
COUNT = re.compile(rb'"(?:subject|name)":"n([0-9]+)"')
PATHS = ("/activities?$sort[id]=1", "/v1/crm/activities?sortBy=id&sortDir=asc")


class Client:
    """One kept connection to a gateway of this machine."""

    def __init__(self, port: int, key: str) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._head = f"Host: 127.0.0.1\r\nx-access-token: {key}\r\n"

    def call(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the body of a response."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\n{self._head}{length}\r\n"
        self._socket.sendall(head.encode() + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        told, _, content = received.partition(b"\r\n\r\n")
        size = re.search(rb"Content-Length: ([0-9]+)", told)
        missing = int(size[1]) - len(content) if size else 0
        while missing > 0:
            piece = self._receive()
            content += piece
            missing -= len(piece)
        return int(told.split(b" ", 2)[1]), content

    def _receive(self) -> bytes:
        piece = self._socket.recv(2**18)
        if not piece:
            raise ConnectionError("the gateway closed the connection")
        return piece

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


@dataclass
class History:
    """What was acknowledged, and what was seen."""

    acknowledged: list[int] = field(default_factory=lambda: [0] * RECORDS)
    reads: int = 0
    writes: int = 0
    stale: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False


def create_records(port: int, key: str) -> list[int]:
    """Return the ids of new records whose subjects count from 0."""
    client = Client(port, key)
    made = [client.call("POST", "/activities", b'{"subject": "n0"}') for _ in range(RECORDS)]
    client.close()
    return [json.loads(body)["id"] for _, body in made]


def _write(
    history: History, place: int, ids: Sequence[int], ports: Sequence[int], key: str
) -> None:
    """Count one record up, through one gateway after the other."""
    clients = [Client(port, key) for port in ports]
    count = 0
    while not history.is_over:
        count += 1
        body = json.dumps({"subject": f"n{count}"}).encode()
        status, _ = random.choice(clients).call("PATCH", f"/activities/{ids[place]}", body)
        if status != 200:
            history.failures.append(f"PATCH {status}")
        history.acknowledged[place] = count
        history.writes += 1
        # Now and then a record rests for long enough that responses are kept.
        time.sleep(random.choice((0.002, 0.02, 0.2)))
    for client in clients:
        client.close()


def _read(history: History, ids: Sequence[int], ports: Sequence[int], key: str) -> None:
    clients = [Client(port, key) for port in ports]
    choose = random.Random(threading.get_ident()).choice
    while not history.is_over:
        place = choose(range(RECORDS))
        single = choose((f"/activities/{ids[place]}", f"/v1/crm/activities/{ids[place]}"))
        path = choose((*PATHS, single))
        known = list(history.acknowledged)
        status, body = choose(clients).call("GET", path)
        shown = [int(count) for count in COUNT.findall(body)]
        expected = [known[place]] if path == single else known
        history.reads += 1
        if status != 200 or len(shown) != len(expected):
            history.failures.append(f"GET {path} {status} {shown}")
        elif any(count < least for count, least in zip(shown, expected, strict=True)):
            history.stale.append(f"{path}: {shown} after {expected}")
    for client in clients:
        client.close()


def play(
    ports: Sequence[int], key: str, *, reads: int, readers: int = 6, seconds: float = 120
) -> History:
    """Let writers and readers work until there were so many reads, or the time is over."""
    ids = create_records(ports[0], key)
    history = History()
    threads = [
        threading.Thread(target=_write, args=(history, place, ids, ports, key))
        for place in range(RECORDS)
    ]
    threads += [
        threading.Thread(target=_read, args=(history, ids, ports, key)) for _ in range(readers)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if history.reads >= reads and history.writes >= reads // WRITTEN_PART:
            break
        time.sleep(0.05)
    history.is_over = True
    for thread in threads:
        thread.join()
    client = Client(ports[0], key)
    for number in ids:
        client.call("DELETE", f"/activities/{number}")
    client.close()
    return history
