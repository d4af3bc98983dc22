"""The present instant, and the type of whatever gives it: tests hand in a clock of their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present instant as an aware datetime in UTC."""


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)
