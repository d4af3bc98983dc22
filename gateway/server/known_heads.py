"""KnownHeads: heads that need not be parsed again.

Clients that keep their connections send the same bytes again and again: of the Python that a kept
response takes, parsing its head is a third. What a head came to holds the client's credential, and
is therefore forgotten after a minute, whoever still sends it.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

MAX_HEADS = 1000
MAX_BYTES = 2048
"""A longer head is parsed each time."""
MAX_SEEN = 4 * MAX_HEADS
KNOWN_SECONDS = 60.0


class Head(NamedTuple):
    """What the head of a request without a body came to."""

    method: str
    version: str
    target: bytes
    is_last: bool
    says_close: bool
    environ: Mapping[str, str]
    """What it adds to the environ."""


class KnownHeads:
    """Heads that came twice, for all connections of an event loop."""

    def __init__(self) -> None:
        """Begin without any."""
        self._heads: dict[bytes, Head] = {}
        self._seen: set[int] = set()  # Hashes of heads that came once.
        self._began_at = time.monotonic()

    def __len__(self) -> int:
        """Return how many are known."""
        return len(self._heads)

    def find(self, raw: bytes) -> Head | None:
        """Return what a head came to, if it is known."""
        return self._heads.get(raw)

    def keep(self, raw: bytes, head: Head) -> None:
        """Know a head from now on, if it came before and is not too long."""
        if len(raw) > MAX_BYTES:
            return
        number = hash(raw)
        if number not in self._seen:
            if len(self._seen) >= MAX_SEEN:
                self._seen.clear()
            self._seen.add(number)
            return
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        self._heads[raw] = head

    def expire(self) -> None:
        """Forget all of them once a minute; to be called now and then."""
        if time.monotonic() - self._began_at >= KNOWN_SECONDS:
            self._heads.clear()
            self._seen.clear()
            self._began_at = time.monotonic()
