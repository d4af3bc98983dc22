"""One tenant of ten million activities, beside the same one of ten thousand.

The rows are made by SQL and their indexes afterwards. All of it is bounded in time, and left out,
with the reason, where the disk or the memory would not do.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psycopg

from deploy.bench import growth, hits, workload
from deploy.bench.bench import Bench
from deploy.bench.caller import Caller, percentiles
from deploy.bench.dataset import BASE
from deploy.bench.servers import Server, ServerError

SIZES = ("small", "huge")
MEASURING_SECONDS = 480
"""What is left of the time for all that follows the loading."""
IMPORT_SECONDS = 180
"""What an import may take with the export before it."""
BYTES_A_RECORD = 2_500
"""Of the disk: rows, indexes, what sorting them takes, and the write-ahead log."""
MEMORY_BYTES = 4 * 2**30
REPEATS, FREQUENT_REPEATS = 7, 3
CREATES = 300
IMPORTED_ACTIVITIES = 1_000_000
DEPTH = 0.9
PERSONS_FROM = 2
"""Numbers of users who are assigned activities begin here; see `activities.sql`."""
CREATE_PATH = "/v1/crm/activities"
NEWEST = "/activities?$limit=10&$sort[updated_at]=-1"
Requests = Mapping[str, Callable[[int], str]]


def measure(bench: Bench) -> None:
    """Load both sizes in turn, time what no load tool sends, and import a million records."""
    reason = _lack(bench) or _fill(bench)
    if reason:
        bench.notes.append(f"scale is left out: {reason}")
        return
    tenant_ids = bench.plan.small.tenant_ids
    first = workload.deskera_pages(tenant_ids, [1])
    running = bench.ready(SIZES, first)
    growth.compare_gets(bench, running, row="scale-get", most=bench.plan.small.activities)
    for row, requests in {"page": first, "total": workload.totals(tenant_ids)}.items():
        bench.compare(f"scale-{row}", tuple(running), requests)
    _time_reads(bench, running)
    _time_creates(bench, running)
    for name, server in running.items():
        bench.record(f"scale-memory.{name}", {"mib": server.worker_bytes() / 2**20})
        bench.stop(name)
    _import(bench)


def _import(bench: Bench) -> None:
    """Import a million of the records, if there is the time; else note why not."""
    activities = min(IMPORTED_ACTIVITIES, bench.plan.huge.activities)
    if bench.seconds_left() < IMPORT_SECONDS:
        bench.notes.append(f"scale-import is left out: less than {IMPORT_SECONDS} s are left")
        return
    try:
        hits.import_records(bench, "scale-import", bench.database("huge"), activities=activities)
    except ServerError as error:
        bench.notes.append(f"scale-import is left out: {error}")


def _lack(bench: Bench) -> str:
    """Return what this machine has too little of, or nothing."""
    needed = bench.plan.huge.activities * BYTES_A_RECORD
    free = shutil.disk_usage(bench.scratch).free
    if free < needed:
        return f"{needed / 2**30:.0f} GiB of disk are needed, {free / 2**30:.0f} are free"
    meminfo = Path("/proc/meminfo").read_text().splitlines()
    available = {line.split()[0]: int(line.split()[1]) * 1024 for line in meminfo}["MemAvailable:"]
    if available < MEMORY_BYTES:
        return f"{MEMORY_BYTES >> 30} GiB of memory are needed, {available / 2**30:.1f} are free"
    return ""


def _fill(bench: Bench) -> str:
    """Fill the large database within the time; return why that was not possible, or nothing."""
    limit = bench.seconds_left() - MEASURING_SECONDS
    left_before = bench.seconds_left()
    try:
        url = bench.database("huge", limit_seconds=max(1, limit))
    except psycopg.errors.QueryCanceled:
        return f"loading took longer than {limit:.0f} s"
    with psycopg.connect(url) as connection:
        ((size,),) = connection.execute("SELECT pg_database_size(current_database())").fetchall()
    numbers = {"seconds": left_before - bench.seconds_left()}
    numbers["bytes_a_record"] = size / bench.plan.huge.activities
    bench.record("scale-load.huge", numbers)
    return ""


def _reads(activities: int, tenant_id: int) -> Requests:
    """Return the paths of each kind of read, by the number of the repeat: none comes twice.

    Deep pages go backwards, because a page after the last one is found from there.
    """
    deep = int(activities * DEPTH) // workload.PAGE_SIZE

    def assignee(repeat: int) -> str:
        return f"{NEWEST}&assigned_to_user_id={tenant_id * BASE + PERSONS_FROM + repeat}"

    def search(repeat: int) -> str:
        return f"{NEWEST}&subject[$iLike]=%25%20{activities - 10 - repeat}%25"

    def frequent(repeat: int) -> str:
        return f"{NEWEST}&subject[$iLike]=%25the%20{('renewal', 'offer', 'invoice')[repeat]}%25"

    def page(repeat: int) -> str:
        return workload.DESKERA_LIST.format(page=deep - repeat, size=workload.PAGE_SIZE)

    return {"assignee": assignee, "search": search, "frequent": frequent, "deep": page}


def _time_reads(bench: Bench, running: Mapping[str, Server]) -> None:
    """Time each read when it comes first, and again: then its total has been counted."""
    tenant_id = bench.plan.small.tenant_ids[0]
    for name, server in running.items():
        activities = getattr(bench.plan, name).activities
        with Caller(server, tenant_id) as caller:
            for kind, path in _reads(activities, tenant_id).items():
                bench.show_progress(f"scale: {kind}, {name}")
                repeats = FREQUENT_REPEATS if kind == "frequent" else REPEATS
                paths = [path(repeat) for repeat in range(repeats)]
                try:
                    bench.record(f"scale-{kind}.{name}", _twice(caller, paths))
                except RuntimeError as error:
                    bench.notes.append(f"scale-{kind} of {name} failed: {error}")


def _twice(caller: Caller, paths: Sequence[str]) -> dict[str, float]:
    pairs = [(caller.ms("GET", path), caller.ms("GET", path)) for path in paths]
    first, again = (percentiles(list(took))["p50_ms"] for took in zip(*pairs, strict=True))
    return {"first_ms": first, "again_ms": again}


def _time_creates(bench: Bench, running: Mapping[str, Server]) -> None:
    """Create in turn on both sizes, one caller each."""
    tenant_id = bench.plan.small.tenant_ids[0]
    callers = {name: Caller(server, tenant_id) for name, server in running.items()}
    took: dict[str, list[float]] = {name: [] for name in callers}
    bench.show_progress("scale: create")
    for number in range(CREATES):
        for name, caller in callers.items():
            body = {"name": f"Created {number}", "notes": ""}
            took[name].append(caller.ms("POST", CREATE_PATH, body))
    for name, found in took.items():
        bench.record(f"scale-create.{name}", percentiles(found))
