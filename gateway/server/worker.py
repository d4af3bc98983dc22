"""gunicorn's worker: uvicorn's, with our own server in it.

uvicorn brings the event loop, the signals and the life of a process; connections, their protocol
and the way to Flask are ours.
"""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from socket import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from gunicorn.arbiter import Arbiter
from uvicorn_worker import UvicornWorker

from gateway.server import certificate
from gateway.server.connections import SWEEP_SECONDS
from gateway.server.listener import Listener
from gateway.server.protocol import HttpProtocol
from gateway.server.tls import TlsConnection

if TYPE_CHECKING:
    from gateway.server.assembly import Fronts

# Imported by a worker alone: it brings prometheus_client along, which looks for the directory that
# workers share when it is imported, and that is named to the workers and not to their master.
ASSEMBLY = "gateway.server.assembly"
NOTIFY_SECONDS = 1
STOPPING_TICK_SECONDS = 0.05
SPARE_SECONDS = 2
"""How long before the master would kill it a worker that stops gives its requests up."""


class Worker(UvicornWorker):
    """Serves a WSGI application from one event loop and a pool of threads."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": HttpProtocol,
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "proxy_headers": False,
        "timeout_notify": NOTIFY_SECONDS,
    }

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Prepare, in the master; uvicorn tells much that nobody needs."""
        super().__init__(*arguments, **options)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        # The master has read them, and the listeners use them.
        for name in ("ssl_certfile", "ssl_keyfile"):
            setattr(self.config, name, None)

    def init_signals(self) -> None:
        """Let SIGTERM, which uvicorn raises once more when it has stopped, end nothing early."""
        super().init_signals()
        signal.signal(signal.SIGTERM, self.handle_exit)
        signal.signal(signal.SIGINT, self.handle_exit)

    async def _serve(self) -> None:
        self.config.app = self.wsgi
        server = Server(self.config, self)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGQUIT, server.handle_exit, signal.SIGINT, None)
        await server.serve(sockets=self.sockets)
        if not server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)


class Server(uvicorn.Server):
    """What one worker does with gunicorn's listening sockets."""

    def __init__(self, config: uvicorn.Config, worker: Worker) -> None:
        """Prepare; nothing is accepted before `startup`."""
        super().__init__(config)
        self._worker = worker
        self._fronts: Fronts
        self._listeners: list[Listener] = []
        self._swept_at = 0.0

    async def startup(self, sockets: Sequence[socket] | None = None) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        self._fronts = import_module(ASSEMBLY).assemble(self._worker.wsgi, loop)
        for sock in sockets or ():
            listener = Listener(
                sock,
                self._protocol_maker(sock),
                age=self._worker.age,
                count=self._fronts.count_connections,
            )
            self._listeners.append(listener)
            listener.start()
        self.started = True

    def _protocol_maker(self, sock: socket) -> Callable[[], asyncio.Protocol]:
        """Return what makes the protocols of a listening socket's connections.

        The operators' own port speaks plain HTTP: nothing there is secret, and probes ask there.
        """
        front, context = self._fronts.of(sock), certificate.current()
        make_protocol = partial(HttpProtocol, front)
        if context is None or front is not self._fronts.clients:
            return make_protocol
        return partial(TlsConnection, context, make_protocol)

    async def on_tick(self, counter: int) -> bool:
        """Do what is due, ten times a second; return whether it is time to stop."""
        self._fronts.flush_log()
        self._tick()
        self.server_state.total_requests = self._fronts.count_answered()
        is_orphan = os.getppid() != self._worker.ppid
        has_been_told = not self._worker.alive  # By a signal that came while it booted.
        return await super().on_tick(counter) or is_orphan or has_been_told

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self._fronts.tick()
            for listener in self._listeners:
                listener.show_count()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Answer what is under way or on its way, and close everything."""
        self._fronts.stop()
        for listener in self._listeners:
            await listener.stop()
        give_up_at = time.monotonic() + self._worker.cfg.graceful_timeout - SPARE_SECONDS
        while self._fronts.count_connections() and time.monotonic() < give_up_at:
            if self.force_exit:
                return
            await asyncio.sleep(STOPPING_TICK_SECONDS)
            self._fronts.tick()
            self._worker.notify()
