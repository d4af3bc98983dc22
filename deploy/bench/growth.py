"""One tenant before and after it grew a hundredfold, and a page near its end.

The two sizes are two databases with a service each, so that they can be loaded in turn.
"""

import http.client
import time
from collections.abc import Mapping
from statistics import median

import psycopg

from core.domain.model import Activity
from deploy.bench import load, workload
from deploy.bench.bench import Bench
from deploy.bench.servers import HOST, Server

SIZES = ("small", "large")
DEPTH = 0.9
REPEATS = 7


def measure(bench: Bench) -> None:
    """Load first page, get and total of both sizes in turn; then time pages at 90 % depth."""
    tenant_ids = bench.plan.small.tenant_ids
    first = workload.deskera_pages(tenant_ids, [1])
    workloads = {"page": first, "total": workload.totals(tenant_ids)}
    running = bench.ready(SIZES, first)
    for row, requests in workloads.items():
        bench.compare(f"growth-{row}", tuple(running), requests)
    _compare_gets(bench, running)
    if "large" in running:
        depth = int(bench.plan.large.activities * DEPTH)
        pages = _deep_page_ms(running["large"], depth, tenant_ids[0])
        statement = _plain_offset_ms(bench.database("large"), depth, tenant_ids[0])
        bench.record("deep", {"page_ms": pages, "plain_offset_ms": statement})
    for name in SIZES:
        bench.stop(name)


def _compare_gets(bench: Bench, running: Mapping[str, Server]) -> None:
    """Load single reads in turn; each size gets requests for its own ids."""
    tenant_ids = bench.plan.small.tenant_ids
    written = {
        name: load.write_workload(
            workload.apex_gets(bench.database(name), tenant_ids), bench.scratch / f"{name}.gets"
        )
        for name in running
    }
    samples: dict[str, list[load.Sample]] = {name: [] for name in running}
    for seed in range(bench.plan.rounds + 1):  # The first round only warms.
        for name, server in running.items():
            sample = load.run(server, written[name], seconds=bench.plan.seconds, seed=seed)
            if seed:
                samples[name].append(sample)
    for name, found in samples.items():
        bench.record(f"growth-get.{name}", load.median_of(found)._asdict())


def _deep_page_ms(server: Server, depth: int, tenant_id: int) -> float:
    """Return how long a page at this depth takes on a kept connection, the median of a few."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
    headers = {"x-access-token": workload.token(tenant_id)}
    took = []
    for repeat in range(REPEATS + 1):
        page = depth // workload.PAGE_SIZE + repeat
        path = workload.DESKERA_LIST.format(page=page, size=workload.PAGE_SIZE)
        started = time.perf_counter()
        connection.request("GET", path, headers=headers)
        connection.getresponse().read()
        took.append((time.perf_counter() - started) * 1000)
    connection.close()
    return median(took[1:])


def _plain_offset_ms(url: str, depth: int, tenant_id: int) -> float:
    """Return how long the same page takes as the obvious statement, in PostgreSQL alone."""
    statement = (
        f"SELECT {', '.join(Activity._fields)} FROM activities"
        " WHERE tenant_id = %s AND deleted_at IS NULL"
        " ORDER BY updated_at DESC, id DESC LIMIT 10 OFFSET %s"
    )
    took = []
    with psycopg.connect(url, autocommit=True) as connection:
        for repeat in range(REPEATS + 1):
            started = time.perf_counter()
            connection.execute(statement, [tenant_id, depth + repeat * 10]).fetchall()
            took.append((time.perf_counter() - started) * 1000)
    return median(took[1:])
