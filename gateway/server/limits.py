"""Limits: how long and how large anything that a client sends or is sent may be."""

from dataclasses import dataclass

KIBIBYTE = 2**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of every connection of one worker; all times are seconds."""

    max_body_bytes: int
    max_connections: int
    target_bytes: int = 8 * KIBIBYTE
    head_bytes: int = 64 * KIBIBYTE
    head_fields: int = 100
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 30.0
    """How long a client may take in nothing of its response."""
    idle_seconds: float = 75.0
    """Longer than a proxy's, so that it is never us who closes under a request."""
    linger_seconds: float = 2.0
    """How long input is read and dropped after a refusal, so that the client sees the response."""
    linger_bytes: int = 32 * KIBIBYTE * KIBIBYTE
    unsent_bytes: int = 16 * KIBIBYTE * KIBIBYTE
    """Of all responses together, what clients have not taken in yet."""
    stopping_seconds: float = 1.0
    """How long a worker that stops waits for the next request of a kept connection."""
