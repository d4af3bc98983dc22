"""The database is upgraded while the old version serves: expand first, contract later."""

import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.fault_load import IS_LONG
from support.fault_scene import Scene, environment, fill
from support.gateway_process import running
from support.newer_program import NewerProgram, begin, newest_revision
from support.own_servers import OwnServer

Record = Callable[[str, object], None]
EXPAND = (
    "ALTER TABLE activities ADD COLUMN priority SMALLINT NOT NULL DEFAULT 0",
    "CREATE INDEX activities_by_priority ON activities (tenant_id, priority, id)",
    "ALTER TABLE tenants ADD COLUMN colour TEXT",
    "ALTER TABLE entities ADD COLUMN seen_at TIMESTAMP WITH TIME ZONE",
    "CREATE TABLE labels (tenant_id BIGINT, id BIGINT, PRIMARY KEY (tenant_id, id))",
)
CONTRACT = ("ALTER TABLE entities DROP COLUMN seen_at", "DROP INDEX activities_by_priority")
SLEEP = "SELECT pg_sleep(30)"
SLEEPING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"""
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
EXPORT_SECONDS = 4.0
LONGEST_SECONDS = 2.0 if IS_LONG else 3.0
"""Less than an export: nobody waits for an upgrade that waits for an export."""


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit status of a command, and what it wrote on standard error."""
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def told(url: str, statement: str) -> Any:
    with psycopg.connect(url, autocommit=True) as session:
        row = session.execute(statement).fetchone()
        return row[0] if row else None


def wait_until(url: str, statement: str) -> None:
    """Wait, for a minute at most, until something is told that is not zero."""
    deadline = time.monotonic() + 60
    while not told(url, statement):
        assert time.monotonic() < deadline, statement
        time.sleep(0.05)


def startup(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/startup") as answer:
        return int(answer.status)


def revision(url: str) -> str:
    return str(told(url, "SELECT version_num FROM alembic_version"))


def has_column(url: str, name: str) -> bool:
    return bool(told(url, f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attname = '{name}')"))


def test_upgrade_goes_unnoticed_by_callers(
    scene: Scene, tmp_path: Path, record_property: Record
) -> None:
    """Two upgrades at once, beside an export that keeps its tables open while they want them."""
    url = scene.postgres.url
    newer = NewerProgram.make(tmp_path / "newer", EXPAND)
    newest = NewerProgram.make(tmp_path / "newest", EXPAND, CONTRACT)
    with scene.load() as load:
        load.hold(1.5)
        load.begin_fault()
        with psycopg.connect(url) as exporting:
            exporting.execute("SELECT count(*) FROM activities")
            upgrades = [newer.begin(scene.environ, "db", "upgrade") for _ in range(2)]
            wait_until(url, WAITING)
            load.hold(EXPORT_SECONDS)
        assert [ended(upgrade)[0] for upgrade in upgrades] == [0, 0]
        assert revision(url) == newer.head
        load.end_fault()
        with (
            running(scene.environ, log=tmp_path / "old", workers=1) as old,
            running(scene.environ, log=tmp_path / "new", workers=1, root=newer.root) as new,
        ):
            assert [startup(gateway.port) for gateway in (old, new)] == [200, 200]
            load.wire.ports += [old.port, new.port]
            load.hold(1)
            assert ended(newest.begin(scene.environ, "db", "upgrade"))[0] == 0
            load.hold(1)
            del load.wire.ports[-2:]
            load.hold(0.5)
    outcome = load.outcome("db upgrade, twice at once, beside an export", url)
    record_property("fault", outcome.row)
    assert outcome.verdict.is_clean
    assert not outcome.failures
    assert outcome.longest_seconds < LONGEST_SECONDS
    assert revision(url) == newest.head


@pytest.fixture
def filled(own_postgres: OwnServer) -> Mapping[str, str]:
    """Give the environment of a gateway, with a database that this program has upgraded."""
    fill(own_postgres.url)
    return environment(own_postgres.url, "none")


def test_database_behind_is_refused_in_one_line(filled: Mapping[str, str], tmp_path: Path) -> None:
    newer = NewerProgram.make(tmp_path / "newer", EXPAND)
    status, errors = ended(newer.begin(filled, "serve", "--port", "1"))
    assert status == 1
    [_, line] = errors.splitlines()
    assert line == "Error: the database lacks migrations: run crm-gateway db upgrade"


def test_database_ahead_is_left_alone(filled: Mapping[str, str], tmp_path: Path) -> None:
    newer = NewerProgram.make(tmp_path / "newer", EXPAND)
    assert ended(newer.begin(filled, "db", "upgrade"))[0] == 0
    status, errors = ended(begin(filled, "db", "upgrade"))
    assert status == 0
    assert "ahead of this program, and stays as it is" in errors
    assert revision(filled["DATABASE_URL"]) == newer.head


def test_killed_upgrade_leaves_nothing(filled: Mapping[str, str], tmp_path: Path) -> None:
    url, before = filled["DATABASE_URL"], newest_revision()
    slow = NewerProgram.make(tmp_path / "slow", EXPAND, (SLEEP,))
    upgrade = slow.begin(filled, "db", "upgrade")
    wait_until(url, SLEEPING)
    upgrade.send_signal(signal.SIGKILL)
    upgrade.communicate()
    killed_at = time.monotonic()
    newer = NewerProgram.make(tmp_path / "newer", EXPAND)
    assert (revision(url), has_column(url, "priority")) == (before, False)
    assert ended(newer.begin(filled, "db", "upgrade"))[0] == 0
    assert time.monotonic() - killed_at < 10
    assert (revision(url), has_column(url, "priority")) == (newer.head, True)
