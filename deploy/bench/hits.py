"""Requests that were asked before: single reads, many connections, many tenants; and imports."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
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
IMPORT_SECONDS = 240
ACTIVITY = b'{"kind":"activity"'


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
    activities = bench.plan.size.activities
    import_records(bench, "import", bench.database(), activities=activities)


def import_records(bench: Bench, name: str, source_url: str, *, activities: int) -> None:
    """Import at most so many activities, with their directory, into an empty database."""
    exported = bench.scratch / f"{name}.ndjson"
    records = export_records(source_url, exported, activities=activities)
    url = bench.empty_database(name.replace("-", "_"))
    command(url, "db", "upgrade")
    bench.show_progress(f"{name}: {records:,} records")
    start_seconds, seconds = import_seconds(url, exported)
    bench.record(name, {"records_per_second": records / seconds})
    bench.record(name, {"with_start_of_program": records / (start_seconds + seconds)})
    exported.unlink()


def export_records(url: str, path: Path, *, activities: int) -> int:
    """Write a tenant's directory and its first activities to a file; return how many records."""
    words = ["export", "--tenant", str(IMPORTED_TENANT)]
    with _started(url, words, stdout=subprocess.PIPE) as exporting, path.open("wb") as output:
        assert exporting.stdout is not None
        written, left = 0, activities
        for line in exporting.stdout:
            left -= line.startswith(ACTIVITY)
            if left < 0:
                exporting.terminate()
                break
            output.write(line)
            written += 1
    return written


def import_seconds(url: str, path: Path) -> tuple[float, float]:
    """Import a file; return how long the program took to start, and how long the import.

    Raises: ServerError, if nothing is there then.
    """
    moments = [time.perf_counter()]
    for each in (os.devnull, str(path)):
        command(url, "import", each)
        moments.append(time.perf_counter())
    start_seconds = moments[1] - moments[0]
    seconds = moments[2] - moments[1] - start_seconds
    with psycopg.connect(url) as connection:
        stored = connection.execute("SELECT count(*) FROM activities").fetchone()
    if stored is None or not stored[0]:
        raise ServerError("nothing was imported")
    return start_seconds, seconds


def command(url: str, *words: str) -> None:
    """Run a command of the project on a database."""
    with _started(url, words, stdout=subprocess.DEVNULL) as process:
        try:
            status = process.wait(IMPORT_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServerError(f"crm-gateway {words[0]} took over {IMPORT_SECONDS} s") from None
        finally:
            process.kill()
    if status:
        raise ServerError(f"crm-gateway {words[0]} ended with {status}")


def _started(url: str, words: Sequence[str], *, stdout: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", *words],
        env={**os.environ, "DATABASE_URL": url, "REDIS_URL": "none"},
        cwd=Path(__file__).parents[2],
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )
