"""Buffers: what all clients of a worker have it keep in memory, and who goes when it is too much.

Received are requests that are not whole yet; unsent are responses that were not taken in yet.
"""

import time
from collections.abc import Callable
from typing import Protocol

from gateway.server.job_owners import STRANGERS
from gateway.server.limits import Limits


class Receiver(Protocol):
    """A connection on which requests come."""

    def give_up(self) -> None:
        """Let go of what came of a request that is not whole, for the sake of others."""


class Sender(Protocol):
    """The half of a connection on which responses go."""

    owner: bytes
    """The credential for which the response was made."""
    progressed_at: float
    """When its client last took in a part of it."""

    @property
    def unsent_bytes(self) -> int:
        """How much of it the client has not taken in."""

    @property
    def evict(self) -> Callable[[], None]:
        """Close at once, for the sake of others."""


class Received:
    """The bytes of requests that are not whole, by connection, longest under way first."""

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        self._max_bytes = limits.received_bytes
        self._total = 0
        self._sizes: dict[Receiver, int] = {}

    def note(self, connection: Receiver, size: int) -> None:
        """Note how much came on a connection; if it is too much on all, the slowest give up.

        That is whoever is longest under way among those with at least the average. Never the last
        one: one alone is bounded by itself.
        """
        if not size:
            self.discard(connection)
            return
        self._total += size - self._sizes.get(connection, 0)
        self._sizes[connection] = size
        while self._total > self._max_bytes and len(self._sizes) > 1:
            average = self._total / len(self._sizes)
            slowest = next(one for one, size in self._sizes.items() if size >= average)
            self.discard(slowest)
            slowest.give_up()

    def discard(self, connection: Receiver) -> None:
        """Note that a request is whole, or given up."""
        self._total -= self._sizes.pop(connection, 0)


class Unsent:
    """The bytes of responses that were not taken in, by connection and by owner."""

    def __init__(self, limits: Limits) -> None:
        """Begin empty."""
        self._limits = limits
        self._sizes: dict[Sender, int] = {}
        self._by_owner: dict[bytes, int] = {}
        self._stuck_since: dict[bytes, float] = {}

    def is_behind(self, owner: bytes) -> bool:
        """Return whether an owner's clients have much to take in before more is made for them.

        That is for known credentials alone: strangers share an account, and would stop each other.
        Any thread may ask.
        """
        return self._by_owner.get(owner, 0) >= self._limits.owner_unsent_bytes

    def is_stuck(self, owner: bytes) -> bool:
        """Return whether an owner is behind, and its clients have taken in nothing for a while."""
        since = self._stuck_since.get(owner)
        return since is not None and time.monotonic() - since >= self._limits.stuck_seconds

    def add(self, connection: Sender) -> None:
        """Note that a client did not take in a response at once.

        When all such responses take too much memory, the clients that took in nothing for the
        longest go, but never the last one.
        """
        self._sizes[connection] = 0
        self.refresh()
        while sum(self._sizes.values()) > self._limits.unsent_bytes and len(self._sizes) > 1:
            slowest = min(self._sizes, key=lambda one: one.progressed_at)
            self.discard(slowest)
            slowest.evict()

    def discard(self, connection: Sender) -> None:
        """Note that a client has taken in its response, or went away."""
        if self._sizes.pop(connection, None) is not None:
            self._sum_up()

    def refresh(self) -> None:
        """Find out what was taken in meanwhile; to be called now and then."""
        if self._sizes:
            self._sizes = {connection: connection.unsent_bytes for connection in self._sizes}
            self._sum_up()

    def _sum_up(self) -> None:
        by_owner: dict[bytes, int] = {}
        for connection, size in self._sizes.items():
            if connection.owner != STRANGERS:
                by_owner[connection.owner] = by_owner.get(connection.owner, 0) + size
        before, self._by_owner = self._by_owner, by_owner
        now, since = time.monotonic(), self._stuck_since
        self._stuck_since = {
            owner: now if size < before.get(owner, 0) else since.get(owner, now)
            for owner, size in by_owner.items()
            if size >= self._limits.owner_unsent_bytes
        }
