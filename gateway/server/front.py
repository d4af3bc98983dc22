"""Front: what all connections of a worker share."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from structlog.typing import FilteringBoundLogger

from gateway.dialect_errors import owner_of
from gateway.server.bridge import CONSTANTS, Bridge
from gateway.server.connections import Connections
from gateway.server.environ import Environ, Network
from gateway.server.limits import Limits
from gateway.server.request_parser import Refusal
from gateway.server.responses import Writer

Count = Callable[[str, str, str, int, float], None]


class Front:
    """The bounds, the connections, the way to the application, and how they are told about."""

    def __init__(
        self,
        limits: Limits,
        bridge: Bridge,
        *,
        trusted_proxies: Sequence[Network],
        logger: FilteringBoundLogger,
        count: Count,
    ) -> None:
        """Begin without connections; `count` is called with each request that is refused."""
        self.limits = limits
        self.bridge = bridge
        self.trusted_proxies = trusted_proxies
        self.connections = Connections(limits)
        self.writer = Writer()
        self.is_stopping = False
        self.answered = 0
        self._logger = logger
        self._count = count

    def environ_of(self, transport: asyncio.BaseTransport) -> Environ:
        """Return what the environs of one connection's requests have in common."""
        here, there = (
            _address(transport.get_extra_info(name)) for name in ("sockname", "peername")
        )
        return CONSTANTS | {
            "SERVER_NAME": here[0],
            "SERVER_PORT": here[1],
            "REMOTE_ADDR": there[0],
            "REMOTE_PORT": there[1],
        }

    def tell_refusal(self, refusal: Refusal, *, path: str, request_id: str, client: str) -> None:
        """Log and count a request that the server refused."""
        dialect, _ = owner_of(path)
        self._count(dialect, "", "", refusal.status, 0.0)
        self._logger.warning(
            "request refused",
            status=refusal.status.value,
            reason=str(refusal),
            request_id=request_id,
            dialect=dialect or None,
            client=client,
        )

    def tell_eviction(self, reason: str, *, client: str) -> None:
        """Log a connection that was closed without an answer."""
        self._logger.warning("connection closed", reason=reason, client=client)

    def stop(self) -> None:
        """Answer what has begun, and let every response be its connection's last."""
        self.is_stopping = True
        for connection in self.connections:
            connection.stop()

    def tick(self) -> None:
        """Do what is due twice a second."""
        self.writer.set_date()
        self.connections.sweep()


def _address(name: Any) -> tuple[str, str]:
    """Return host and port of a socket's name; a Unix socket has neither."""
    return (str(name[0]), str(name[1])) if isinstance(name, tuple) else ("", "")
