"""Requests that were asked before: single reads, many connections, many tenants; and imports."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from deploy.bench import equivalence, load, workload
from deploy.bench.bench import Bench
from deploy.bench.servers import ServerError

AGAIN_IDS = 200
MANY_WARMUP_FACTOR = 8
"""Each worker has to meet each tenant two or three times, and to read its directory once."""
CONNECTIONS = (1, 16, 64)
IMPORTED_TENANT = 1
IMPORT_SECONDS = 120


def measure(bench: Bench) -> None:
    """Measure single reads asked for again, and kept pages at several numbers of connections."""
    ids = workload.apex_gets(bench.database(), bench.tenant_ids)
    again = ids._replace(paths=ids.paths[:: max(1, len(ids.paths) // AGAIN_IDS)])
    names = ("cached", "usual", "feathers")
    equivalence.check_equivalence(bench, names, again)
    bench.compare("again", names, again)
    _vary_connections(bench)
    _many_tenants(bench)


def _vary_connections(bench: Bench) -> None:
    pages = workload.deskera_pages(bench.tenant_ids)
    written = load.write_workload(pages, bench.scratch / "hits.workload")
    server = bench.ready(("cached",), pages).get("cached")
    if server is None:
        return
    for connections in CONNECTIONS:
        bench.show_progress(f"hits: {connections} connections")
        rounds = [
            load.run(
                server, written, seconds=bench.plan.seconds, seed=seed, connections=connections
            )
            for seed in range(bench.plan.rounds + 1)
        ]
        bench.record(f"hits-{connections}.cached", load.median_of(rounds[1:])._asdict())


def _many_tenants(bench: Bench) -> None:
    """Load the first pages of very many tenants, each of them with a credential of its own."""
    tenant_ids = bench.plan.many.tenant_ids
    pages = workload.deskera_pages(tenant_ids, [1])
    bench.compare("many", ("many",), pages, warmup_factor=MANY_WARMUP_FACTOR)
    bench.stop("many")


def measure_import(bench: Bench) -> None:
    """Import what one tenant's export holds into an empty database: records a second."""
    exported = bench.scratch / "export.ndjson"
    with exported.open("wb") as output:
        _command(bench.database(), "export", "--tenant", str(IMPORTED_TENANT), output=output)
    records = sum(1 for _ in exported.open("rb"))
    url = bench.empty_database("imported")
    _command(url, "db", "upgrade")
    bench.show_progress(f"import: {records:,} records")
    _command(url, "import", os.devnull)  # The first start may compile what is installed.
    start_seconds, all_seconds = (
        _import_seconds(url, path) for path in (os.devnull, str(exported))
    )
    seconds = all_seconds - start_seconds
    with psycopg.connect(url) as connection:
        stored = connection.execute("SELECT count(*) FROM activities").fetchone()
    if stored is None or not stored[0]:
        raise ServerError("nothing was imported")
    bench.record("import", {"records_per_second": records / seconds})
    bench.record("import", {"with_start_of_program": records / all_seconds})


def _import_seconds(url: str, path: str) -> float:
    began_at = time.perf_counter()
    _command(url, "import", path)
    return time.perf_counter() - began_at


def _command(url: str, *words: str, output: object = subprocess.DEVNULL) -> None:
    subprocess.run(
        [sys.executable, "-m", "gateway", *words],
        env={**os.environ, "DATABASE_URL": url, "REDIS_URL": "none"},
        cwd=Path(__file__).parents[2],
        stdout=output,
        stderr=subprocess.DEVNULL,
        check=True,
        timeout=IMPORT_SECONDS,
    )
