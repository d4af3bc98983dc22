"""What a cluster's further hop costs: the same tenant on one server, and on a Citus of three nodes.

Both databases are filled by the import of one file, which is timed too, and wait for no disk.
"""

import random
from collections.abc import Mapping

import psycopg

from core.storage.tables import metadata
from deploy.bench import hits, workload
from deploy.bench.bench import Bench
from deploy.bench.caller import Caller, percentiles
from deploy.bench.servers import Server

READS, CREATES, WARM_REQUESTS = 500, 200, 50
NEEDED_SECONDS = 60
TABLES = ("alembic_version", *metadata.tables)


def measure(bench: Bench) -> None:
    """Time pages, gets and creates of one caller, in turn on both; note why, where it cannot be."""
    cluster_url = bench.plan.cluster_url
    is_late = bench.seconds_left() < NEEDED_SECONDS
    reason = "the time is over" if is_late else _lack(cluster_url)
    if reason:
        bench.notes.append(f"Citus is left out: {reason}")
        return
    try:
        with bench.waiting_for_no_disk():
            _compare(bench, {"single": bench.empty_database("single"), "citus": cluster_url})
    finally:
        for name in ("single", "citus"):
            bench.stop(name)
        _drop_tables(cluster_url)


def _lack(cluster_url: str) -> str:
    if not cluster_url:
        return "neither --cluster nor CRM_TEST_DATABASE_URL names one"
    with psycopg.connect(cluster_url) as connection:
        found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchall()
        if not found:
            return "the database has no extension citus"
        if connection.execute("SELECT to_regclass('activities')").fetchone() != (None,):
            return "the database has tables already"
    return ""


def _compare(bench: Bench, urls: Mapping[str, str]) -> None:
    exported = bench.scratch / "hop.ndjson"
    activities = bench.plan.size.activities
    records = hits.export_records(bench.database(), exported, activities=activities)
    for name, url in urls.items():
        hits.command(url, "db", "upgrade")
        bench.show_progress(f"Citus: import of {records:,} records, {name}")
        _, seconds = hits.import_seconds(url, exported)
        bench.record(f"hop-import.{name}", {"per_second": records / seconds})
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM (ANALYZE) activities")
        bench.serve(name, url)
    tenant_ids = [hits.IMPORTED_TENANT]
    gets = workload.apex_gets(urls["single"], tenant_ids)
    pages = workload.deskera_pages(tenant_ids)
    running = bench.ready(tuple(urls), pages)
    requests = {
        "page": [("GET", path) for _, path in pages.paths],
        "get": [("GET", path) for _, path in gets.paths],
        "create": [("POST", "/v1/crm/activities")],
    }
    for kind, choices in requests.items():
        bench.show_progress(f"Citus: {kind}")
        _time(bench, running, kind, choices)


def _time(
    bench: Bench, running: Mapping[str, Server], kind: str, choices: list[tuple[str, str]]
) -> None:
    """Send the same random requests to each server in turn, one at a time."""
    drawn = random.Random(kind)
    callers = {name: Caller(server, hits.IMPORTED_TENANT) for name, server in running.items()}
    took: dict[str, list[float]] = {name: [] for name in callers}
    repeats = CREATES if kind == "create" else READS
    for number in range(-WARM_REQUESTS, repeats):
        method, path = drawn.choice(choices)
        body = {"name": f"Created {number}", "notes": ""} if method == "POST" else None
        for name, caller in callers.items():
            milliseconds = caller.ms(method, path, body)
            if number >= 0:
                took[name].append(milliseconds)
    for name, found in took.items():
        bench.record(f"hop-{kind}.{name}", percentiles(found))


def _drop_tables(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP TABLE IF EXISTS {', '.join(TABLES)} CASCADE")
