"""20 writes a second and tenant beside the reads: do cached responses pay, are they never stale?

Each tenant has one writer, the only one to change its totals. It creates and removes activities in
turn, and reads the first page at once after each acknowledged write, on several connections, so
that both workers answer. What the reads reach without writers is measured in turn with it: the
speed of a machine changes within minutes.
"""

import json
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Event
from typing import Any, NamedTuple

from deploy.bench import load
from deploy.bench.bench import Bench
from deploy.bench.servers import HOST, Server
from deploy.bench.workload import DESKERA_LIST, PAGE_SIZE, deskera_pages, token

RATE = 20
TURNS = 2
"""Each round is so many shorter ones: three samples tell little where each may be a fifth off."""
CONNECTIONS = 4
TIMEOUT_SECONDS = 30
PATH = "/v1/crm/activities"
FIRST_PAGE = DESKERA_LIST.format(page=1, size=PAGE_SIZE)


class Outcome(NamedTuple):
    """What one writer did."""

    writes: int
    wrong: int
    late: int


class Wire:
    """One kept connection. It costs a tenth of what http.client's does: writers share the machine.

    It knows what the gateway's answers have: a status, Content-Length and no chunks.
    """

    def __init__(self, server: Server, headers: Mapping[str, str]) -> None:
        """Connect; the `headers` go with every request."""
        self._socket = socket.create_connection((HOST, server.port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = self._socket.makefile("rb")
        named = {"Host": HOST, **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in named.items())

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Return the status and the body of the answer to a request."""
        content, framing = b"", ""
        if body is not None:  # A type without a body would cost the connection.
            content = json.dumps(body).encode()
            framing = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}{framing}\r\n"
        self._socket.sendall(head.encode() + content)
        status = int(self._received.readline().split()[1])
        length = 0
        while line := self._received.readline().rstrip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, self._received.read(length)

    def close(self) -> None:
        """Disconnect."""
        self._received.close()
        self._socket.close()


class Writer:
    """Writes to one tenant at a steady rate, and checks every answer after it."""

    def __init__(self, server: Server, tenant_id: int) -> None:
        """Connect."""
        headers = {"x-access-token": token(tenant_id)}
        self._tenant_id = tenant_id
        self._connections = [Wire(server, headers) for _ in range(CONNECTIONS)]
        self._turn = 0

    def run(self, stop: Event) -> Outcome:
        """Write until told to stop."""
        writes = wrong = late = 0
        total, _ = self._first_page()
        due = time.monotonic()
        while not stop.is_set():
            created = self._call("POST", PATH, {"name": f"Bench {writes}", "notes": ""})["id"]
            wrong += self._first_page() != (total + 1, created)
            late += self._wait(due := due + 1 / RATE)
            self._call("DELETE", f"{PATH}/{created}")
            now, first = self._first_page()
            wrong += now != total or first == created
            late += self._wait(due := due + 1 / RATE)
            writes += 2
        for connection in self._connections:
            connection.close()
        return Outcome(writes, wrong, late)

    def _first_page(self) -> tuple[int, int]:
        """Return the total, and the id of the activity that was changed last."""
        page = self._call("GET", FIRST_PAGE)
        return page["paginationInfo"]["totalRecords"], page["data"][0]["id"]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        self._turn = (self._turn + 1) % CONNECTIONS
        status, answer = self._connections[self._turn].call(method, path, body)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer[:200]!r}")
        return json.loads(answer) if answer else None

    def _wait(self, due: float) -> bool:
        """Wait until a moment; return whether it was over already."""
        left = due - time.monotonic()
        time.sleep(max(0.0, left))
        return left < 0


def measure(bench: Bench) -> None:
    """Load the uncached build, quiet and with writers beside it, and the cached one with them."""
    workload = deskera_pages(bench.tenant_ids)
    written = load.write_workload(workload, bench.scratch / "writes.workload")
    running = bench.ready(("cached", "uncached"), workload)
    quiet: list[load.Sample] = []
    found: dict[str, list[load.Sample]] = {name: [] for name in running}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in running}
    turns, seconds = TURNS * bench.plan.rounds, bench.plan.seconds / TURNS
    for seed in range(turns):
        bench.show_progress(f"writes: turn {seed + 1} of {turns}")
        quiet.append(load.run(running["uncached"], written, seconds=seconds, seed=seed))
        for name, server in running.items():
            stop = Event()
            with ThreadPoolExecutor(len(bench.tenant_ids)) as pool:
                writers = [Writer(server, tenant_id) for tenant_id in bench.tenant_ids]
                working = [pool.submit(writer.run, stop) for writer in writers]
                try:
                    sample = load.run(server, written, seconds=seconds, seed=seed)
                finally:
                    stop.set()
                outcomes[name] += [work.result() for work in working]
            found[name].append(sample)
    bench.record("writes.quiet", load.median_of(quiet)._asdict())
    for name, samples in found.items():
        bench.record(f"writes.{name}", load.median_of(samples)._asdict())
        bench.record(f"writes.{name}", _summary(outcomes[name], seconds))


def _summary(outcomes: list[Outcome], seconds: float) -> dict[str, float]:
    rate = median(outcome.writes for outcome in outcomes) / seconds
    wrong = sum(outcome.wrong for outcome in outcomes)
    return {"writes_per_tenant": rate, "wrong": wrong, "late": sum(o.late for o in outcomes)}
