"""KeptResponses: whole responses that may be sent again while the tenant's versions stand.

A response is kept only where that pays: when it was asked for twice under the same versions, and
while most of what is kept for its tenant is asked for again. Where it does not pay, a response
costs one look-up. Used by one event loop alone.
"""

from typing import NamedTuple

from cachetools import LRUCache

from core.domain.model import Principal, Versions
from gateway.server.responses import Response

MAX_KNOWN_KEYS = 20_000
HIT_WINDOW = 64
"""Kept responses of one tenant after which its past counts half."""
MIN_HIT_RATE = 0.5
"""Hits for each kept response, on average, below which a tenant is bypassed."""
MIN_KEPT = 16
"""Kept responses of one tenant before which it is not bypassed."""
QUIET_REQUESTS = 32
"""Requests in a row at the same versions after which a bypassed tenant is considered again."""
ENTRY_BYTES = 1536
"""What an entry takes beside its body and headers: key, versions, objects."""


class Shown(NamedTuple):
    """What a response shows, to whom, and under which route it is counted and logged."""

    tenant_id: int
    versions: Versions
    principal: Principal
    dialect: str
    route: str


class KeptResponse(NamedTuple):
    """A response, and what it shows."""

    response: Response
    shown: Shown

    @property
    def size(self) -> int:
        """The bytes that it takes, about."""
        headers = sum(len(name) + len(value) for name, value in self.response.headers)
        return len(self.response.body) + headers + ENTRY_BYTES


class HitRate:
    """How often the kept responses of one tenant were used."""

    __slots__ = ("_in_a_row", "hits", "kept", "versions")

    def __init__(self) -> None:
        """Begin without a past."""
        self.kept = 0.0
        self.hits = 0.0
        self.versions = Versions(0, 0)  # Those that were met last.
        self._in_a_row = 0

    def pays(self, versions: Versions) -> bool:
        """Note a response at these versions; return whether keeping may pay for the tenant now."""
        if versions == self.versions:
            self._in_a_row += 1
        else:
            self.versions, self._in_a_row = versions, 0
        is_poor = self.kept >= MIN_KEPT and self.hits < MIN_HIT_RATE * self.kept
        return not is_poor or self._in_a_row >= QUIET_REQUESTS

    def count_kept(self) -> None:
        """Note that a response was kept."""
        if self.kept >= HIT_WINDOW:
            self.kept, self.hits = self.kept / 2, self.hits / 2
        self.kept += 1

    def count_hit(self) -> None:
        """Note that a kept response was used.

        No more than was kept: a page asked for a thousand times an hour ago says nothing of now.
        """
        self.hits = min(self.hits + 1, self.kept)


class KeptResponses:
    """At most `max_bytes` of responses by the digests of their requests; 0 keeps none."""

    def __init__(self, *, max_bytes: int) -> None:
        """Begin empty."""
        self._max_bytes = max_bytes
        self._responses: LRUCache[bytes, KeptResponse] = LRUCache(
            max(1, max_bytes), getsizeof=lambda kept: kept.size
        )
        self._last_versions: dict[bytes, Versions] = {}
        self._hit_rates: dict[int, HitRate] = {}

    @property
    def size(self) -> int:
        """The bytes of all that is kept."""
        return int(self._responses.currsize)

    def __len__(self) -> int:
        """Return how many responses are kept."""
        return len(self._responses)

    def find(self, key: bytes) -> KeptResponse | None:
        """Return what is kept under a key; whether it is still right is another question."""
        return self._responses.get(key)

    def count_hit(self, kept: KeptResponse) -> None:
        """Note that a kept response was sent again."""
        self._hit_rate(kept.shown.tenant_id).count_hit()

    def discard(self, key: bytes) -> None:
        """Let go of a response that is not right any more."""
        self._responses.pop(key, None)

    def admits(self, key: bytes, tenant_id: int, versions: Versions) -> bool:
        """Return whether to keep a response: it met these versions before, and that pays."""
        rate = self._hit_rate(tenant_id)
        if not rate.pays(versions):
            return False
        if self._last_versions.get(key) == versions:
            return True
        if len(self._last_versions) >= MAX_KNOWN_KEYS:
            self._last_versions.clear()
        self._last_versions[key] = rate.versions  # Equal, and one object for very many keys.
        return False

    def keep(self, key: bytes, kept: KeptResponse) -> None:
        """Keep a response that was admitted."""
        if kept.size <= self._max_bytes:
            self._hit_rate(kept.shown.tenant_id).count_kept()
            # A copy, because the bytes that orjson returns occupy 8 KiB, however few they are.
            body = bytes(memoryview(kept.response.body))
            self._responses[key] = KeptResponse(kept.response._replace(body=body), kept.shown)

    def _hit_rate(self, tenant_id: int) -> HitRate:
        rate = self._hit_rates.get(tenant_id)
        if rate is None:
            if len(self._hit_rates) >= MAX_KNOWN_KEYS:
                self._hit_rates.clear()
            rate = self._hit_rates[tenant_id] = HitRate()
        return rate
