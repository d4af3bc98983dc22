"""Outbox: what a connection sends, and whether its client takes it in."""

import asyncio
import time
from collections.abc import Callable, Sequence

from gateway.server.buffers import Unsent
from gateway.server.job_owners import STRANGERS

PROGRESS_SECONDS = 1.0


class Outbox:
    """The sending half of a connection."""

    def __init__(
        self, transport: asyncio.Transport, unsent: Unsent, *, evict: Callable[[], None]
    ) -> None:
        """Send nothing yet; `evict` closes the connection because too much is not read."""
        transport.set_write_buffer_limits(high=0)  # To hear of all that is not sent at once.
        self._transport = transport
        self._unsent = unsent
        self._is_full = False
        self._bytes_before = 0
        self.evict = evict
        self.owner = STRANGERS
        self.progressed_at = 0.0

    def write(self, pieces: Sequence[bytes]) -> bool:
        """Send; return whether the client took in all of it at once."""
        self._transport.writelines(pieces)
        if not self._is_full:
            return True
        self.progressed_at = time.monotonic()
        self._bytes_before = self.unsent_bytes
        self._unsent.add(self)
        return False

    def pause(self) -> None:
        """Take note that the client does not take in everything at once."""
        self._is_full = True

    def resume(self) -> None:
        """Take note that the client has taken in everything, or is gone."""
        self._is_full = False
        self._unsent.discard(self)

    def stalled_seconds(self) -> float:
        """Return for how long the client took in nothing; to be asked now and then."""
        now, unsent = time.monotonic(), self.unsent_bytes
        if unsent < self._bytes_before:
            self.progressed_at = now
        self._bytes_before = unsent
        return now - self.progressed_at

    @property
    def unsent_bytes(self) -> int:
        """How much the client has not taken in."""
        return self._transport.get_write_buffer_size()
