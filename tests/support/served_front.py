"""A front of the server on a port of this process, with any application behind it."""

import asyncio
import io
import socket
import ssl
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import Any

import uvloop

from gateway.observability.log_lines import Lines
from gateway.observability.logs import make_logger
from gateway.observability.metrics import Metrics
from gateway.server.bridge import Bridge
from gateway.server.buffers import Received, Unsent
from gateway.server.file_work import FileWork
from gateway.server.front import Front
from gateway.server.limits import Limits
from gateway.server.protocol import HttpProtocol
from gateway.server.thread_pool import ThreadPool
from gateway.server.tls import TlsConnection
from gateway.server.uploads import Uploads

SWEEP_SECONDS = 0.05
THREADS = 4
Application = Callable[..., Any]


class ServedFront(Thread):
    """A thread with an event loop that serves a front."""

    front: Front

    def __init__(
        self,
        application: Application,
        limits: Limits,
        uploads: Uploads | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Serve the application within these limits, once started, until `stop`."""
        super().__init__(daemon=True)
        self._application = application
        self._limits = limits
        self._uploads = uploads
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        self.loop = uvloop.new_event_loop()

    def run(self) -> None:
        """Serve."""
        self.loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self.front = front = self._make_front()
        self._ended = asyncio.Event()
        make_protocol: Callable[[], asyncio.Protocol] = partial(HttpProtocol, front)
        if self._tls is not None:
            make_protocol = partial(TlsConnection, self._tls, partial(HttpProtocol, front))
        server = await self.loop.create_server(make_protocol, sock=self._listener)
        while not self._ended.is_set():
            await asyncio.sleep(SWEEP_SECONDS)
            front.tick()
        server.close()

    def _make_front(self) -> Front:
        logger = make_logger(Lines(io.BytesIO()), "error")
        unsent = Unsent(self._limits)
        bridge = Bridge(
            self._application,
            ThreadPool(THREADS, call_later=self.loop.call_later, is_behind=unsent.is_behind),
            self.loop,
            logger=logger,
            loop_routes={},
            count_shed=lambda *_: None,
        )
        return Front(
            self._limits,
            bridge,
            unsent=unsent,
            received=Received(self._limits),
            trusted_proxies=(),
            logger=logger,
            metrics=Metrics(),
            files=FileWork(self.loop),
            uploads=self._uploads,
        )

    def stop(self) -> None:
        """End."""
        self.loop.call_soon_threadsafe(self._ended.set)
        self.join(5)
