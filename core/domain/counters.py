"""Counters: whole numbers that hot paths increment, for whoever operates the service.

`counters[RESPONSE_HITS] += 1` costs a tenth of a microsecond, and no other thread runs between its
read and its write: the interpreter switches threads only at calls and at the ends of loops. The
numbers may lie in memory that outlives the process, so that a killed one loses none of them.
"""

from typing import Protocol


class Counters(Protocol):
    """One number for each of the places below, and perhaps more."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, number: int, /) -> None: ...


(
    READ_STATEMENTS,
    TRANSACTION_STATEMENTS,
    DATABASE_FAILURES,
    POOL_WAITS,
    POOL_WAIT_MICROSECONDS,
    POOL_TIMEOUTS,
    RESPONSE_HITS,
    RESPONSE_MISSES,
    RESPONSE_STALE,
    ENTITY_HITS,
    ENTITY_MISSES,
    REDIS_HITS,
    REDIS_MISSES,
    REDIS_FAILURES,
    COUNT_HITS,
    COUNT_MISSES,
    SNAPSHOT_REFRESHES,
    IMPORTED_RECORDS,
    REPLICA_READS,
    REPLICA_STALE,
    REPLICA_FAILURES,
) = range(SIZE := 21)


def new_counters() -> Counters:
    """Return counters of this process alone, all 0."""
    return [0] * SIZE
