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
    owner_unsent_bytes: int = 4 * KIBIBYTE * KIBIBYTE
    """The same of one credential; while it is more, no further responses are made for it."""
    stuck_seconds: float = 3.0
    """After so long without any of it taken in, requests that wait for that are refused."""
    received_bytes: int = 16 * KIBIBYTE * KIBIBYTE
    """Of all requests together, what came of those that are not whole yet."""
    queued_bytes: int = 16 * KIBIBYTE * KIBIBYTE
    """Of the bodies of all requests that wait for a thread; half of it for one credential."""
    queued_seconds: float = 30.0
    """How long a request may wait for a thread."""
    stopping_seconds: float = 1.0
    """How long a worker that stops waits for the next request of a kept connection."""
