"""When a replica that failed is tried again."""

from support.clock import Clock

from core.storage.database import Database
from core.storage.replica_reader import FIRST_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS, Replica

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"


def failing_replica(clock: Clock) -> Replica:
    replica = Replica(Database(NOWHERE), lambda: clock().timestamp())
    replica.failed()
    return replica


def test_failed_replica_is_tried_by_one(clock: Clock):
    replica = failing_replica(clock)
    assert not replica.may_be_read()
    clock.advance(seconds=FIRST_BACKOFF_SECONDS)
    assert [replica.may_be_read() for _ in range(3)] == [True, False, False]
    replica.succeeded()
    assert [replica.may_be_read() for _ in range(3)] == [True, True, True]


def test_backoff_grows_up_to_a_limit(clock: Clock):
    replica = failing_replica(clock)
    replica.failed()
    clock.advance(seconds=FIRST_BACKOFF_SECONDS)
    assert not replica.may_be_read()
    for _ in range(20):
        replica.failed()
    clock.advance(seconds=MAX_BACKOFF_SECONDS)
    assert replica.may_be_read()
