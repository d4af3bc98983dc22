"""The clock of another machine, read now and then."""

from datetime import UTC, datetime, timedelta

from core.domain import clock as clocks
from core.domain.clock import SharedClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Monotonic:
    """A monotonic clock that a test moves."""

    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_own_clock_counts_before_a_reading():
    assert abs(SharedClock()() - clocks.utc_now()) < timedelta(seconds=5)


def test_reading_counts_and_time_goes_on():
    monotonic = Monotonic()
    shared = SharedClock(monotonic)
    shared.learn(NOON.timestamp(), sent_at=99.5, received_at=100.5)
    assert shared() == NOON
    monotonic.seconds += 60
    assert shared() == NOON + timedelta(seconds=60)


def test_slow_answer_moves_nothing():
    shared = SharedClock(Monotonic())
    shared.learn(NOON.timestamp(), sent_at=99.9, received_at=100.1)
    shared.learn(NOON.timestamp(), sent_at=99.0, received_at=100.2)
    assert shared() == NOON


def test_stepped_clock_is_followed_as_far_as_is_known():
    shared = SharedClock(Monotonic())
    shared.learn(NOON.timestamp(), sent_at=100.0, received_at=100.0)
    later = NOON + timedelta(days=1)
    shared.learn(later.timestamp(), sent_at=99.5, received_at=100.5)
    assert shared() == later - timedelta(seconds=0.5)
