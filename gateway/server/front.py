"""Front: what all connections of a worker share."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from structlog.typing import FilteringBoundLogger

from gateway.dialect_errors import owner_of
from gateway.observability import places
from gateway.server.bridge import CONSTANTS, Bridge
from gateway.server.buffers import Received, Unsent
from gateway.server.connections import Closable, Connections, Eviction
from gateway.server.environ import Environ, Network
from gateway.server.file_work import FileWork
from gateway.server.known_heads import KnownHeads
from gateway.server.limits import Limits
from gateway.server.refusals import Refusal, refusal_response
from gateway.server.responses import Response, Writer
from gateway.server.uploads import Uploads

if TYPE_CHECKING:  # See `worker`: it would import prometheus_client into the master.
    from gateway.observability.metrics import Metrics

CLOSED = {
    Eviction.SILENT: places.CLOSED_SILENT,
    Eviction.UNREAD: places.CLOSED_UNREAD,
    Eviction.FULL: places.CLOSED_FULL,
    Eviction.MEMORY: places.CLOSED_MEMORY,
    Eviction.TLS: places.CLOSED_TLS,
}


SWEEP_ON_SECONDS = 0.005


class Front:
    """The bounds, the connections, the way to the application, and how they are told about."""

    def __init__(
        self,
        limits: Limits,
        bridge: Bridge,
        *,
        unsent: Unsent,
        received: Received,
        trusted_proxies: Sequence[Network],
        logger: FilteringBoundLogger,
        metrics: "Metrics",
        files: FileWork,
        uploads: Uploads | None = None,
    ) -> None:
        """Begin without connections; without `uploads` every body is taken into memory.

        All fronts of a worker share `unsent` and `received`.
        """
        self.limits = limits
        self.bridge = bridge
        self.trusted_proxies = trusted_proxies
        self.connections = Connections(limits)
        self.unsent = unsent
        self.received = received
        self.writer = Writer()
        self.known_heads = KnownHeads()
        self.files = files
        self.uploads = uploads or Uploads()
        self.is_stopping = False
        self.answered = 0
        self._logger = logger
        self._metrics = metrics

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
            "wsgi.url_scheme": "https" if transport.get_extra_info("ssl_object") else "http",
        }

    def welcome(self, connection: Closable) -> None:
        """Take and count one more connection."""
        self._metrics.counters[places.CONNECTIONS_OPENED] += 1
        self.connections.add(connection)

    def refuse(self, refusal: Refusal, target: bytes, *, number: str, client: str) -> Response:
        """Return the response to a request that the server refuses, logged and counted."""
        path = target.partition(b"?")[0].decode("utf-8", "replace")
        dialect, _ = owner_of(path)
        self._metrics.count(dialect, "", "", refusal.status, 0.0)
        self._metrics.counters[places.REQUESTS_REFUSED] += 1
        self._logger.warning(
            "request refused",
            status=refusal.status.value,
            reason=str(refusal),
            request_id=number,
            dialect=dialect or None,
            client=client,
        )
        return refusal_response(refusal.status, str(refusal), path=path, request_id=number)

    def tell_eviction(self, reason: Eviction, *, client: str) -> None:
        """Log and count a connection that was closed without an answer."""
        self._metrics.counters[CLOSED[reason]] += 1
        self._logger.warning("connection closed", reason=reason.value, client=client)

    def stop(self) -> None:
        """Answer what has begun, and let every response be its connection's last."""
        self.is_stopping = True
        for connection in self.connections:
            connection.stop()

    def tick(self) -> None:
        """Do what is due twice a second."""
        self.writer.set_date()
        self.known_heads.expire()
        self._sweep()

    def _sweep(self) -> None:
        if self.connections.sweep():
            asyncio.get_running_loop().call_later(SWEEP_ON_SECONDS, self._sweep)


def _address(name: Any) -> tuple[str, str]:
    """Return host and port of a socket's name; a Unix socket has neither."""
    return (str(name[0]), str(name[1])) if isinstance(name, tuple) else ("", "")
