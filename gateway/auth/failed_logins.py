"""How many bad credentials an address may send before it may try no other.

Each worker counts for itself: no secret could be guessed, it is the cost of trying that is bounded.
Credentials that were good a moment ago are not held up by their neighbours behind one address.
"""

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.auth.rate_usage import refusal, usage_of


class FailedLogins:
    """Counts the bad credentials of each address."""

    def __init__(self, rate: str) -> None:
        """Let so many of them pass, as "300/minute"."""
        self._item = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def check(self, address: str) -> None:
        """Raise RateLimited, if the address has used up its failures."""
        if not self._limiter.test(self._item, address):
            usage = usage_of(self._limiter, self._item, "address", (address,))
            raise refusal(usage, f"failed logins of {address}")

    def count(self, address: str) -> None:
        """Note a failure."""
        self._limiter.hit(self._item, address)
