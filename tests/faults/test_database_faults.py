"""PostgreSQL breaks under load: every call is right or a prompt 503, and nothing is lost."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from support.connection_hog import ConnectionHog
from support.fault_load import IS_LONG, Outcome
from support.fault_scene import Scene
from support.fault_wire import BUSY
from support.health_watch import LIVE, READY
from support.own_servers import server_directory
from support.short_disk import short_disk

Record = Callable[[str, object], None]
OUTAGE_SECONDS = 20 if IS_LONG else 4
QUIET_SECONDS = 3 if IS_LONG else 1
RECOVERY_SECONDS = 6 if IS_LONG else 3.5
KNOWN_SECONDS = 3
"""A fault is known at the latest by then; from then on a 503 comes at once."""


@pytest.fixture
def hold(shared_scene: Scene, record_property: Record) -> Callable[..., Outcome]:
    """Give what holds a load before, during and after a fault; returns what came of it."""

    def play(fault: str, begin: Callable[[], None], end: Callable[[], None]) -> Outcome:
        with shared_scene.load() as load:
            load.hold(QUIET_SECONDS)
            load.begin_fault()
            begin()
            load.hold_until_refused()
            load.hold(OUTAGE_SECONDS)
            end()
            load.end_fault()
            load.hold(RECOVERY_SECONDS)
        outcome = load.outcome(fault, shared_scene.postgres.url)
        record_property("fault", outcome.row)
        return outcome

    return play


def assert_prompt(outcome: Outcome) -> None:
    """Nothing is lost; somebody was refused, was told so in time, and only while it lasted."""
    assert outcome.verdict.is_clean
    assert set(outcome.failures) == {BUSY}
    assert outcome.longest_seconds <= 3
    assert outcome.refusal_seconds(after=KNOWN_SECONDS) <= 0.1
    assert outcome.recovery_seconds <= 5


def assert_health_is_true(outcome: Outcome) -> None:
    watch = outcome.watch
    assert set(watch.statuses(LIVE, since=outcome.began_at, until=outcome.ended_at)) == {200}
    assert watch.seconds_until(READY, 503, since=outcome.fault_began_at) <= 2
    assert watch.seconds_until(READY, 200, since=outcome.fault_ended_at) <= 5


def test_crashed_database_loses_nothing(shared_scene: Scene, hold: Callable[..., Outcome]) -> None:
    server = shared_scene.postgres
    outcome = hold("PostgreSQL crashed", server.crash, server.start)
    assert_prompt(outcome)
    assert_health_is_true(outcome)


def test_frozen_database_is_told_at_once(shared_scene: Scene, hold: Callable[..., Outcome]) -> None:
    server = shared_scene.postgres
    outcome = hold("PostgreSQL frozen", server.freeze, server.thaw)
    assert_prompt(outcome)
    assert_health_is_true(outcome)


def test_read_only_database_is_read(shared_scene: Scene, hold: Callable[..., Outcome]) -> None:
    def switch(to: str) -> None:
        with psycopg.connect(shared_scene.postgres.url, autocommit=True) as session:
            session.execute(f"ALTER SYSTEM SET default_transaction_read_only = {to}")
            session.execute("SELECT pg_reload_conf()")

    outcome = hold("PostgreSQL read-only", lambda: switch("on"), lambda: switch("off"))
    assert_prompt(outcome)
    assert not [one for one in outcome.sent if one.failure and not one.is_write]


def test_out_of_connections_is_prompt(shared_scene: Scene, hold: Callable[..., Outcome]) -> None:
    hog = ConnectionHog(shared_scene.postgres.url)
    assert_prompt(hold("out of connections", hog.begin, hog.end))


def test_full_disk_refuses_writes_alone(shared_scene: Scene, hold: Callable[..., Outcome]) -> None:
    with psycopg.connect(shared_scene.postgres.url) as session:
        files = Path(session.execute("SHOW data_directory").fetchall()[0][0])
    with (
        server_directory() as directory,
        short_disk(directory / "disk", neighbour=files) as disk,
    ):
        if disk.reason:
            pytest.skip(f"no file system can be made here: {disk.reason}")
        directory.chmod(0o755)
        move(shared_scene, disk.place)
        outcome = hold("disk full", disk.fill_up, disk.make_room)
        move(shared_scene, None)
    assert_prompt(outcome)
    assert not [one for one in outcome.sent if one.failure and not one.is_write]


def move(scene: Scene, place: Path | None) -> None:
    """Keep activities on the file system at a place, or again where all else is.

    They have little room within their own pages there: a vacuum of what earlier faults left behind
    would else have made some, and writes would not notice the full disk for long.
    """
    with psycopg.connect(scene.postgres.url, autocommit=True) as session:
        if place is None:
            session.execute("ALTER TABLE activities SET TABLESPACE pg_default")
            session.execute("DROP TABLESPACE short")
        else:
            session.execute(f"CREATE TABLESPACE short LOCATION '{place}'")
            session.execute("ALTER TABLE activities SET TABLESPACE short")
            session.execute("VACUUM (FULL) activities")
