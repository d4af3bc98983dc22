"""20 writes a second and tenant beside the reads: do cached responses pay, are they never stale?

Each tenant has one writer, the only one to change its totals. It creates and removes activities in
turn, and reads the first page at once after each acknowledged write, on several connections, so
that both workers answer.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Event
from typing import Any, NamedTuple

from deploy.bench import load
from deploy.bench.bench import Bench
from deploy.bench.servers import HOST, Server
from deploy.bench.workload import DESKERA_LIST, PAGE_SIZE, deskera_pages, token

RATE = 20
CONNECTIONS = 4
PATH = "/v1/crm/activities"
FIRST_PAGE = DESKERA_LIST.format(page=1, size=PAGE_SIZE)


class Outcome(NamedTuple):
    """What one writer did."""

    writes: int
    wrong: int
    late: int


class Writer:
    """Writes to one tenant at a steady rate, and checks every answer after it."""

    def __init__(self, server: Server, tenant_id: int) -> None:
        """Connect."""
        self._headers = {"x-access-token": token(tenant_id), "Content-Type": "application/json"}
        self._tenant_id = tenant_id
        self._connections = [
            http.client.HTTPConnection(HOST, server.port, timeout=30) for _ in range(CONNECTIONS)
        ]
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
        connection = self._connections[self._turn]
        encoded = None if body is None else json.dumps(body)
        connection.request(method, path, encoded, self._headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return json.loads(answer) if answer else None

    def _wait(self, due: float) -> bool:
        """Wait until a moment; return whether it was over already."""
        left = due - time.monotonic()
        time.sleep(max(0.0, left))
        return left < 0


def measure(bench: Bench) -> None:
    """Load the cached and the uncached build in turn, both with writers beside them."""
    workload = deskera_pages(bench.tenant_ids)
    written = load.write_workload(workload, bench.scratch / "writes.workload")
    running = bench.ready(("cached", "uncached"), workload)
    found: dict[str, list[load.Sample]] = {name: [] for name in running}
    outcomes: dict[str, list[Outcome]] = {name: [] for name in running}
    for seed in range(bench.plan.rounds):
        for name, server in running.items():
            bench.show_progress(f"writes: {name}, round {seed + 1} of {bench.plan.rounds}")
            stop = Event()
            with ThreadPoolExecutor(len(bench.tenant_ids)) as pool:
                writers = [Writer(server, tenant_id) for tenant_id in bench.tenant_ids]
                working = [pool.submit(writer.run, stop) for writer in writers]
                try:
                    sample = load.run(server, written, seconds=bench.plan.seconds, seed=seed)
                finally:
                    stop.set()
                outcomes[name] += [work.result() for work in working]
            found[name].append(sample)
    for name, samples in found.items():
        bench.record(f"writes.{name}", load.median_of(samples)._asdict())
        bench.record(f"writes.{name}", _summary(outcomes[name], bench))


def _summary(outcomes: list[Outcome], bench: Bench) -> dict[str, float]:
    rate = median(outcome.writes for outcome in outcomes) / bench.plan.seconds
    wrong = sum(outcome.wrong for outcome in outcomes)
    return {"writes_per_tenant": rate, "wrong": wrong, "late": sum(o.late for o in outcomes)}
