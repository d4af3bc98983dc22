"""Imports that are killed leave nothing, exports are one snapshot, and memory is bounded."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson
import psycopg
import pytest
from support.fault_load import IS_LONG
from support.fault_scene import TENANTS, environment, fill
from support.gateway_process import ROOT
from support.newer_program import begin
from support.own_servers import OwnServer

from core.storage.database import Database
from core.transfer.exporter import export_lines
from core.transfer.importer import import_lines

TENANT = TENANTS["first"]
KNOWN = 2_000
SMALL, LARGE = (2_000, 100_000) if IS_LONG else (1_000, 12_000)
GROWTH_BYTES = 24 * 2**20
CLEAN_SECONDS = 5.0
EXPORTS = 50
STAGING = "SELECT count(*) FROM pg_class WHERE relname LIKE 'incoming%'"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
READING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE 'COPY incoming%' AND pid <> pg_backend_pid()"""
WRITING = READING.replace("incoming", "activities")
NEW_TENANT = max(TENANTS.values()) + 1
IMPORTING_SIZE = 20_000


def activities(count: int, subject: str, *, tenant_id: int = TENANT) -> Iterator[bytes]:
    for number in range(1, count + 1):
        record = {"kind": "activity", "tenant_id": tenant_id, "id": number, "subject": subject}
        yield orjson.dumps({**record, "notes": f"{number} " * 40, "contact_ids": [number]}) + b"\n"


def contacts(count: int, name: str) -> Iterator[bytes]:
    for number in range(1, count + 1):
        record = {"kind": "contact", "tenant_id": TENANT, "id": number, "name": name}
        yield orjson.dumps(record) + b"\n"


def told(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as session:
        row = session.execute(statement).fetchone()
        return int(row[0]) if row else 0


def exported(url: str) -> list[bytes]:
    database = Database(url)
    try:
        return list(export_lines(database))
    finally:
        database.close()


def wait_for(condition: Callable[[], object], *, seconds: float = 60.0) -> float:
    """Wait until a condition holds; return how long that took."""
    began_at = time.monotonic()
    while not condition():
        assert time.monotonic() < began_at + seconds
        time.sleep(0.02)
    return time.monotonic() - began_at


@pytest.fixture
def filled(own_postgres: OwnServer) -> Mapping[str, str]:
    """Give the environment of a gateway, and a tenant with activities and contacts."""
    fill(own_postgres.url)
    database = Database(own_postgres.url)
    import_lines(database, [*activities(KNOWN, "old"), *contacts(KNOWN, "old")])
    database.close()
    return environment(own_postgres.url, "none")


def check_killed(
    environ: Mapping[str, str], importing: "subprocess.Popen[str]", before: list[bytes]
) -> None:
    """Kill an import; check that nothing of it is there a moment later."""
    url = environ["DATABASE_URL"]
    importing.send_signal(signal.SIGKILL)
    importing.communicate()
    wait_for(lambda: told(url, STAGING) == 0, seconds=CLEAN_SECONDS)
    assert exported(url) == before


def test_import_killed_while_reading_leaves_nothing(filled: Mapping[str, str]) -> None:
    """It has staged what came through its pipe, and waits for more."""
    url, before = filled["DATABASE_URL"], exported(filled["DATABASE_URL"])
    importing = begin(filled, "import", "-", stdin=subprocess.PIPE)
    assert importing.stdin is not None
    importing.stdin.write(b"".join(activities(KNOWN * 2, "new")).decode())
    importing.stdin.flush()
    wait_for(lambda: told(url, READING))
    check_killed(filled, importing, before)


def test_import_killed_while_writing_leaves_nothing(
    filled: Mapping[str, str], tmp_path: Path
) -> None:
    """It has written its activities when it comes to the tenant's directory, which is locked."""
    file, url, before = tmp_path / "data", filled["DATABASE_URL"], exported(filled["DATABASE_URL"])
    lines = [*activities(KNOWN * 2, "new"), *contacts(KNOWN * 2, "new")]
    file.write_bytes(b"".join(lines))
    with psycopg.connect(url) as writer:
        writer.execute("SELECT 1 FROM tenants WHERE tenant_id = %s FOR UPDATE", [TENANT])
        importing = begin(filled, "import", str(file))
        wait_for(lambda: told(url, WAITING))
        check_killed(filled, importing, before)
    again = begin(filled, "import", str(file))
    assert again.communicate(timeout=60)[1].count("2,000 created, 2,000 replaced") == 2
    assert again.returncode == 0


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_import_ended_while_it_does_both_leaves_nothing(
    filled: Mapping[str, str], sent: signal.Signals
) -> None:
    """It writes activities of a tenant of its own file while more lines come."""
    url, before = filled["DATABASE_URL"], exported(filled["DATABASE_URL"])
    importing = begin(filled, "import", "-", stdin=subprocess.PIPE)
    assert importing.stdin is not None
    importing.stdin.write(f'{{"kind": "tenant", "id": {NEW_TENANT}, "name": "New"}}\n')
    lines = activities(IMPORTING_SIZE, "new", tenant_id=NEW_TENANT)
    importing.stdin.write(b"".join(lines).decode())
    importing.stdin.flush()
    wait_for(lambda: told(url, WRITING))
    importing.send_signal(sent)
    _, errors = importing.communicate(timeout=CLEAN_SECONDS)
    assert importing.returncode in (-signal.SIGKILL, 1)
    assert "Traceback" not in errors
    wait_for(lambda: told(url, STAGING) == 0, seconds=CLEAN_SECONDS)
    assert exported(url) == before


def test_import_that_waits_for_a_table_can_be_interrupted(filled: Mapping[str, str]) -> None:
    url, before = filled["DATABASE_URL"], exported(filled["DATABASE_URL"])
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE activities IN EXCLUSIVE MODE")
        importing = begin(filled, "import", "-", stdin=subprocess.PIPE)
        assert importing.stdin is not None
        importing.stdin.write(f'{{"kind": "tenant", "id": {NEW_TENANT}, "name": "New"}}\n')
        lines = activities(IMPORTING_SIZE // 4, "new", tenant_id=NEW_TENANT)
        importing.stdin.write(b"".join(lines).decode())
        importing.stdin.flush()
        wait_for(lambda: told(url, WAITING), seconds=CLEAN_SECONDS)
        importing.send_signal(signal.SIGINT)
        _, errors = importing.communicate(timeout=CLEAN_SECONDS)
    assert (importing.returncode, "Traceback" in errors) == (1, False)
    assert exported(url) == before


def test_export_under_writes_is_one_snapshot(filled: Mapping[str, str]) -> None:
    """What is changed, made and renamed while the lines are read is not in them."""
    url = filled["DATABASE_URL"]
    before, database, writing = exported(url), Database(url), Database(url)
    exporting = export_lines(database)
    lines = [next(exporting)]
    for subject in ("new", "newer"):
        changes = [*activities(KNOWN + 100, subject), *contacts(KNOWN + 100, subject)]
        import_lines(writing, changes)
        lines += [next(exporting) for _ in range(KNOWN // 2)]
    lines += exporting
    assert lines == before
    assert exported(url) != before
    database.close()
    writing.close()


def test_exports_never_show_half_a_write(filled: Mapping[str, str]) -> None:
    """Files change all records of both kinds at once, one after the other, while exports run."""
    database, is_seen = Database(filled["DATABASE_URL"]), threading.Event()

    def write() -> None:
        for name in itertools.cycle(("even", "odd")):
            import_lines(database, [*activities(KNOWN, name), *contacts(KNOWN, name)])
            if is_seen.is_set():
                return

    writing = threading.Thread(target=write)
    writing.start()
    seen: list[frozenset[str]] = []
    while len(set(seen)) < 2 and len(seen) < EXPORTS:
        records = [orjson.loads(line) for line in exported(filled["DATABASE_URL"])]
        ours = [one for one in records if one["kind"] in ("activity", "contact")]
        seen.append(frozenset(one.get("subject") or one.get("name") for one in ours))
    is_seen.set()
    writing.join()
    database.close()
    assert [len(each) for each in seen] == [1] * len(seen)
    assert len(set(seen)) > 1


def most_bytes(environ: Mapping[str, str], file: Path) -> int:
    """Import a file; return the most memory that its process had."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "import", str(file)],
        cwd=ROOT,
        env={**os.environ, **environ},
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_imports_take_bounded_memory(own_postgres: OwnServer, tmp_path: Path) -> None:
    fill(own_postgres.url)
    environ = environment(own_postgres.url, "none")
    file = tmp_path / "data"
    most = []
    for count in (SMALL, LARGE):
        with file.open("wb") as output:
            output.writelines(activities(count, "large"))
            output.writelines(contacts(count // 10, "large"))
        most.append(most_bytes(environ, file))
    assert told(own_postgres.url, "SELECT count(*) FROM activities") == LARGE
    assert most[1] - most[0] < GROWTH_BYTES
