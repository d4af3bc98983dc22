"""Processors: each worker keeps to one of its own, where there are as many of both.

Workers that share one wait for each other until the kernel's next tick, some milliseconds, while
another processor may be idle. Whatever is not pinned makes room: the kernel moves it elsewhere.
"""

import os
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress

CAN_PIN = hasattr(os, "sched_setaffinity")  # Linux can.
ALL: Set[int] = os.sched_getaffinity(0) if CAN_PIN else frozenset(range(os.cpu_count() or 1))
"""Those that this program was allowed when it started."""


class Allotment:
    """Which worker has which processor; the master keeps it."""

    def __init__(self, processors: Set[int]) -> None:
        """Begin with all of them free."""
        self._processors = sorted(processors)
        self._by_age: dict[int, int] = {}

    def allot(self, age: int, *, workers: int) -> int | None:
        """Return the processor of a new worker, told by its age; None if it gets none.

        One that the fewest have: while gunicorn reloads, old and new workers live side by side.
        """
        if workers != len(self._processors):
            return None
        taken = Counter(self._by_age.values())
        self._by_age[age] = min(self._processors, key=taken.__getitem__)
        return self._by_age[age]

    def release(self, age: int) -> None:
        """Take a processor back from a worker that ended."""
        self._by_age.pop(age, None)

    def close(self) -> None:
        """Give nobody one from now on."""
        self._processors.clear()


allotment = Allotment(ALL if CAN_PIN else frozenset())
"""Of this program's workers."""


def pin(processor: int) -> None:
    """Keep the calling thread, and all that it starts, to one processor, if the system lets us."""
    with suppress(OSError):
        os.sched_setaffinity(0, {processor})


@contextmanager
def unpinned() -> Iterator[None]:
    """Let processes that this thread starts meanwhile run on all processors."""
    if not CAN_PIN:
        yield
        return
    mine = os.sched_getaffinity(0)
    with suppress(OSError):
        os.sched_setaffinity(0, ALL)
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, mine)
