"""What is left of a rate limit, and how a client is told. The windows of all limits slide."""

import math
import time
from typing import NamedTuple

from limits import RateLimitItem
from limits.strategies import SlidingWindowCounterRateLimiter

from core.domain.errors import RateLimited

REFUSED = "Too many requests: at most {} for each {}. Try again in {} s."


class Usage(NamedTuple):
    """What is left of a limit, and in how many seconds all of it is back."""

    item: RateLimitItem
    subject: str
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers, in the names of its version 06."""
        return {
            "RateLimit-Limit": str(self.item.amount),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
            "RateLimit-Policy": f"{self.item.amount};w={self.item.get_expiry()}",
        }


def hit(
    limiter: SlidingWindowCounterRateLimiter,
    item: RateLimitItem,
    subject: str,
    names: tuple[str, ...],
) -> Usage:
    """Count one more of what `names` name; return what is left. Raises: RateLimited."""
    allowed = limiter.hit(item, *names)
    usage = usage_of(limiter, item, subject, names)
    if not allowed:
        raise refusal(usage, f"the limit of {subject} {names[-1]}")
    return usage


def usage_of(
    limiter: SlidingWindowCounterRateLimiter,
    item: RateLimitItem,
    subject: str,
    names: tuple[str, ...],
) -> Usage:
    """Return what is left of a limit."""
    window = limiter.get_window_stats(item, *names)
    seconds = max(1, math.ceil(window.reset_time - time.time()))
    return Usage(item, subject, max(0, window.remaining), seconds)


def refusal(usage: Usage, detail: str) -> RateLimited:
    """Return the error that tells a client of a limit that is used up."""
    text = REFUSED.format(usage.item, usage.subject, usage.reset_seconds)
    return RateLimited(
        text,
        detail=f"{detail} is used up",
        retry_after_seconds=usage.reset_seconds,
        headers=usage.headers,
    )
