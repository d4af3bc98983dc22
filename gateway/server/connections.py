"""Connections: all open connections of a worker, their deadlines, and who goes when it is full."""

import time
from collections.abc import Iterator
from enum import Enum
from typing import Protocol

from gateway.server.limits import Limits

SWEEP_SECONDS = 0.5


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
    progressed_at: float
    """When its client last took in a part of a response."""

    @property
    def activity(self) -> Activity:
        """What it does now."""

    @property
    def unsent_bytes(self) -> int:
        """How much of a response its client has not taken in."""

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
        self._sending: dict[Closable, None] = {}

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
        self._sending.pop(connection, None)

    def touch(self, connection: Closable) -> None:
        """Note that a connection has sent a whole request."""
        del self._all[connection]
        self._all[connection] = None

    def begin_sending(self, connection: Closable) -> None:
        """Note that a client did not take in a response at once.

        When all such responses take too much memory, the clients that took in nothing for the
        longest go, but never the last one.
        """
        self._sending[connection] = None
        unsent = sum(one.unsent_bytes for one in self._sending)
        while unsent > self._limits.unsent_bytes and len(self._sending) > 1:
            slowest = min(self._sending, key=lambda one: one.progressed_at)
            unsent -= slowest.unsent_bytes
            self.end_sending(slowest)
            slowest.evict(Eviction.MEMORY)

    def end_sending(self, connection: Closable) -> None:
        """Note that a client has taken in its response."""
        self._sending.pop(connection, None)

    def sweep(self) -> None:
        """End whatever has reached its deadline."""
        now = time.monotonic()
        for connection in [one for one in self._all if one.deadline <= now]:
            connection.expire()
