"""A replica takes the place of its primary under load: nothing is lost, and it serves at once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fault_scene import Scene, scene_on
from support.fault_wire import BUSY
from support.health_watch import LIVE, READY
from support.own_servers import server_directory
from support.streaming_replica import StreamingPair, streaming_pair

from core.domain.errors import Unavailable
from core.storage.database import Database

LONELY_SECONDS = 2


@pytest.fixture
def pair() -> Iterator[StreamingPair]:
    with streaming_pair() as made:
        yield made


@pytest.fixture
def paired_scene(pair: StreamingPair, tmp_path: Path) -> Iterator[Scene]:
    """Give gateways that know both servers."""
    with (
        server_directory() as directory,
        scene_on(pair.primary, pair.url_of_both, directory, tmp_path) as made,
    ):
        yield made


def test_promoted_replica_has_everything(
    pair: StreamingPair, paired_scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    pair.replicate_at_once()
    with paired_scene.load() as load:
        load.hold(1)
        load.begin_fault()
        pair.primary.crash()
        load.hold(LONELY_SECONDS)
        pair.promote()
        load.end_fault()
        load.hold(4)
    outcome = load.outcome("failed over to a replica", pair.replica.url)
    record_property("fault", outcome.row)
    watch = outcome.watch
    assert outcome.verdict.is_clean
    assert set(outcome.failures) == {BUSY}
    assert outcome.longest_seconds <= 3
    assert outcome.recovery_seconds <= 5
    assert set(watch.statuses(LIVE, since=outcome.began_at, until=outcome.ended_at)) == {200}
    assert watch.seconds_until(READY, 503, since=outcome.fault_began_at) <= 2
    assert watch.seconds_until(READY, 200, since=outcome.fault_ended_at) <= 5


def test_hot_standby_refuses_writes(pair: StreamingPair) -> None:
    standby = Database(pair.replica.url)
    assert standby.read("SELECT pg_is_in_recovery()", {}) == [(True,)]
    with pytest.raises(Unavailable), standby.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE forbidden ()")
    standby.close()
