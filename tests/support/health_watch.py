"""What /health/live and /health/ready said over time, read beside a load."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

EVERY_SECONDS = 0.2
GIVE_UP_SECONDS = 5.0
LIVE, READY = "/health/live", "/health/ready"


@dataclass(frozen=True, slots=True)
class Seen:
    """One probe: its path, when it was sent, its status (0: no answer) and how soon it came."""

    path: str
    began_at: float
    status: int
    seconds: float


@dataclass
class HealthWatch:
    """Reads both paths of each gateway again and again, each on a new connection."""

    ports: Sequence[int]
    seen: list[Seen] = field(default_factory=list)

    async def run(self) -> None:
        """Read until this is cancelled."""
        while True:
            async with asyncio.TaskGroup() as group:
                for port in self.ports:
                    for path in (LIVE, READY):
                        group.create_task(self._probe(port, path))
            await asyncio.sleep(EVERY_SECONDS)

    async def _probe(self, port: int, path: str) -> None:
        began_at = time.monotonic()
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                status = await _status(port, path)
        except (OSError, EOFError, ValueError):  # A TimeoutError is an OSError.
            status = 0
        self.seen.append(Seen(path, began_at, status, time.monotonic() - began_at))

    def statuses(self, path: str, *, since: float, until: float) -> list[int]:
        """Return the statuses of the probes that were sent between two instants."""
        return [
            one.status for one in self.seen if one.path == path and since <= one.began_at < until
        ]

    def seconds_until(self, path: str, status: int, *, since: float) -> float:
        """Return how long after an instant a status came first; infinity: it never did."""
        came = [
            one.began_at + one.seconds - since
            for one in self.seen
            if one.path == path and one.status == status and one.began_at >= since
        ]
        return min(came, default=float("inf"))


async def _status(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        first = await reader.readline()
        return int(first.split(b" ", 2)[1])
    finally:
        writer.close()
