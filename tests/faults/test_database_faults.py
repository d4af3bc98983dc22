"""PostgreSQL breaks under load: every call is right or a prompt 503, and nothing is lost."""

from collections.abc import Callable

from support.fault_scene import IS_LONG, Scene
from support.health_watch import LIVE, READY

Record = Callable[[str, object], None]
OUTAGE_SECONDS = 20 if IS_LONG else 4


def test_quiet_service_fails_nobody(shared_scene: Scene, record_property: Record) -> None:
    with shared_scene.load() as load:
        load.hold(3)
    outcome = load.outcome("none", shared_scene.postgres.url)
    record_property("fault", outcome.row)
    assert outcome.verdict.is_clean
    assert not outcome.failures


def test_crashed_database_loses_nothing(shared_scene: Scene, record_property: Record) -> None:
    with shared_scene.load() as load:
        load.hold(1.5)
        load.begin_fault()
        shared_scene.postgres.crash()
        load.hold(OUTAGE_SECONDS)
        shared_scene.postgres.start()
        load.end_fault()
        load.hold(5)
    outcome = load.outcome("PostgreSQL crashed", shared_scene.postgres.url)
    record_property("fault", outcome.row)
    assert outcome.verdict.is_clean
    watch = outcome.watch
    assert set(watch.statuses(LIVE, since=outcome.began_at, until=outcome.ended_at)) == {200}
    assert watch.seconds_until(READY, 503, since=outcome.fault_began_at) <= 2
    assert watch.seconds_until(READY, 200, since=outcome.fault_ended_at) <= 5
