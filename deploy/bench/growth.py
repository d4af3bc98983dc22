"""One tenant before and after it grew a hundredfold, and a page near its end.

The two sizes are two databases with a service each, so that they can be loaded in turn.
"""

import time
from collections.abc import Mapping
from statistics import median

import psycopg

from core.domain.model import Activity
from deploy.bench import load, workload
from deploy.bench.bench import Bench
from deploy.bench.caller import Caller
from deploy.bench.servers import Server

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
    compare_gets(bench, running, row="growth-get")
    if "large" in running:
        depth = int(bench.plan.large.activities * DEPTH)
        pages = _deep_page_ms(running["large"], depth, tenant_ids[0])
        statement = _plain_offset_ms(bench.database("large"), depth, tenant_ids[0])
        bench.record("deep", {"page_ms": pages, "plain_offset_ms": statement})
    for name in SIZES:
        bench.stop(name)


def compare_gets(
    bench: Bench, running: Mapping[str, Server], *, row: str, most: int = workload.MOST_IDS
) -> None:
    """Load single reads in turn; each size gets requests for its own ids, at most so many."""
    tenant_ids = bench.plan.small.tenant_ids
    written = {
        name: load.write_workload(
            workload.apex_gets(bench.database(name), tenant_ids, most=most),
            bench.scratch / f"{name}.gets",
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
        bench.record(f"{row}.{name}", load.median_of(found)._asdict())


def _deep_page_ms(server: Server, depth: int, tenant_id: int) -> float:
    """Return how long a page at this depth takes on a kept connection, the median of a few."""
    first = depth // workload.PAGE_SIZE
    paths = [
        workload.DESKERA_LIST.format(page=first - repeat, size=workload.PAGE_SIZE)
        for repeat in range(REPEATS + 1)
    ]
    with Caller(server, tenant_id) as caller:
        took = [caller.ms("GET", path) for path in paths]
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
