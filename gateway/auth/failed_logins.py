"""How many bad credentials an address may send before it may try no other.

Each worker counts for itself: no secret could be guessed, it is the cost of trying that is bounded.
Credentials that were good a moment ago are not held up by their neighbours behind one address. Who
has an address of IPv6 has 2^64 of them, so that there a whole network counts as one.
"""

from ipaddress import IPv6Address, ip_address, ip_network

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from gateway.auth.rate_usage import refusal, usage_of

PREFIX_BITS = 64


class FailedLogins:
    """Counts the bad credentials of each address."""

    def __init__(self, rate: str) -> None:
        """Let so many of them pass, as "300/minute"."""
        self._item = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def check(self, address: str) -> None:
        """Raise RateLimited, if the address has used up its failures."""
        client = client_of(address)
        if not self._limiter.test(self._item, client):
            usage = usage_of(self._limiter, self._item, "address", (client,))
            raise refusal(usage, f"failed logins of {client}")

    def count(self, address: str) -> None:
        """Note a failure."""
        self._limiter.hit(self._item, client_of(address))


def client_of(address: str) -> str:
    """Return what stands for all addresses of a client: of IPv6 its network, else the address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # Of a socket of this machine, which has none.
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), PREFIX_BITS), strict=False))
