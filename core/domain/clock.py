"""The present instant, and the type of whatever gives it: tests hand in a clock of their own."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant as an aware datetime in UTC."""


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class SharedClock:
    """The clock of another machine, which several read, so that all have the same present.

    Between readings it goes on by this machine's monotonic clock: whoever sets this machine's own
    clock does not move it. Before the first reading it is this machine's own.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Know nothing of the other clock yet."""
        self._monotonic = monotonic
        self._offset: float | None = None

    def __call__(self) -> datetime:
        """Return the present instant."""
        if self._offset is None:
            return utc_now()
        return datetime.fromtimestamp(self._monotonic() + self._offset, UTC)

    def learn(self, reading: float, *, sent_at: float, received_at: float) -> None:
        """Take in a reading in seconds since 1970, between two instants of the monotonic clock.

        It tells no more than that the other clock was read between the two. What is known stays as
        long as that allows, so that slow answers do not make the clock jump.
        """
        least, most = reading - received_at, reading - sent_at
        known = (least + most) / 2 if self._offset is None else self._offset
        self._offset = min(max(known, least), most)
