"""Connections: all open connections of a worker, their deadlines, and who goes when it is full."""

import time
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from gateway.server.limits import Limits

SWEEP_SECONDS = 0.5
ENDED_AT_ONCE = 20
"""So many take a millisecond or two, for which all other connections wait."""


class Eviction(Enum):
    """Why a connection is closed without an answer."""

    SILENT = "no request came"
    UNREAD = "the response was not read"
    FULL = "too many connections"
    MEMORY = "too many unread responses"
    TLS = "it spoke no TLS"


class Activity(Enum):
    """What a connection does at a moment."""

    IDLE = "idle"
    READING = "reading"
    WAITING = "waiting"
    WRITING = "writing"


class Closable(Protocol):
    """What is known here of a connection."""

    deadline: float

    @property
    def activity(self) -> Activity:
        """What it does now."""

    def expire(self) -> None:
        """End what took too long."""

    def evict(self, reason: Eviction) -> None:
        """Close at once, for the sake of others."""

    def stop(self) -> None:
        """Answer what is under way, and nothing else."""


class Connections:
    """Connections in the order in which they last sent a whole request, oldest first."""

    def __init__(self, limits: Limits) -> None:
        """Begin without any."""
        self._limits = limits
        self._all: dict[Closable, None] = {}
        self._due: deque[Closable] = deque()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all)

    def __iter__(self) -> Iterator[Closable]:
        """Give those that are there now."""
        return iter(list(self._all))

    def add(self, connection: Closable) -> None:
        """Take one more; when full, the one that is longest without a whole request goes."""
        if len(self._all) >= self._limits.max_connections:
            for oldest in self._all:
                if oldest.activity is not Activity.WAITING:
                    oldest.evict(Eviction.FULL)
                    break
        self._all[connection] = None

    def discard(self, connection: Closable) -> None:
        """Forget a connection that is closed."""
        self._all.pop(connection, None)

    def touch(self, connection: Closable) -> None:
        """Note that a connection has sent a whole request."""
        del self._all[connection]
        self._all[connection] = None

    def sweep(self) -> bool:
        """End what has reached its deadline, some at a time; return whether there is more.

        Connections that came at once reach theirs at once.
        """
        now = time.monotonic()
        if not self._due:
            self._due.extend(one for one in self._all if one.deadline <= now)
        for _ in range(min(ENDED_AT_ONCE, len(self._due))):
            connection = self._due.popleft()
            if connection.deadline <= now and connection in self._all:
                connection.expire()
        return bool(self._due)
