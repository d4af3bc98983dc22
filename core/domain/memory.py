"""How much memory a value takes, for caches that are bounded in bytes."""

from datetime import date, datetime, time
from typing import Any

OBJECT_BYTES = 64
"""A number, an instant or an object of few fields, with the pointer to it."""
CHARACTER_BYTES = 2
MAX_KEY_BYTES = 2048
"""Whatever a client sends is part of a cache key only up to this size."""


_SIMPLE = frozenset({int, bool, float, type(None), datetime, date, time})


def memory_bytes(value: Any) -> int:
    """Return about how many bytes a text or number takes, or a tuple or condition of such."""
    if type(value) in _SIMPLE:
        return OBJECT_BYTES
    if isinstance(value, str | bytes):
        return OBJECT_BYTES + len(value) * CHARACTER_BYTES
    if isinstance(value, tuple):
        return OBJECT_BYTES + sum(map(memory_bytes, value))
    names = getattr(value, "__slots__", ())
    return OBJECT_BYTES + sum(memory_bytes(getattr(value, name)) for name in names)


def fits_key(value: Any) -> bool:
    """Return whether a value that a client sent is small enough to be part of a cache key."""
    return memory_bytes(value) <= MAX_KEY_BYTES
