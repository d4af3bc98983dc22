"""Assembly: a worker's fronts, put together from what the application brings along."""

import time
from asyncio import AbstractEventLoop
from collections import Counter as Tally
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from socket import socket
from typing import Any

from flask import Flask

from core.domain.counters import Counters
from gateway.dialect_errors import owner_of
from gateway.observability import logs, places
from gateway.observability.health import Health
from gateway.observability.log_lines import Lines
from gateway.observability.metrics import Metrics
from gateway.server.admins import Admins
from gateway.server.bridge import Bridge
from gateway.server.buffers import Received, Unsent
from gateway.server.connections import Activity
from gateway.server.environ import Environ
from gateway.server.file_work import FileWork
from gateway.server.front import Front
from gateway.server.health_routes import LIVE_PATH, READY_PATH, AskAdmin, HealthRoutes
from gateway.server.keeping import make_keeper
from gateway.server.limits import Limits
from gateway.server.thread_pool import ThreadPool
from gateway.server.uploads import Uploads, admit_nobody
from gateway.settings import Settings

OPS_PATHS = frozenset({"/health/live", "/health/ready", "/health/startup", "/metrics"})
LEVELS = {
    Activity.IDLE: places.CONNECTIONS_IDLE,
    Activity.READING: places.CONNECTIONS_READING,
    Activity.WAITING: places.CONNECTIONS_WAITING,
    Activity.WRITING: places.CONNECTIONS_WRITING,
}


@dataclass(slots=True)
class Fronts:
    """The front for clients, and where it has a port of its own the one for operators."""

    clients: Front
    operators: Front
    ops_port: int | None
    health: HealthRoutes | None
    counters: Counters
    tick_shared: Callable[[], None]
    flush_log: Callable[[], None]
    """Writes the log lines that are due; to be called ten times a second."""

    def of(self, sock: socket) -> Front:
        """Return the front of a listening socket."""
        name = sock.getsockname()
        is_ops = self.ops_port is not None and isinstance(name, tuple) and name[1] == self.ops_port
        return self.operators if is_ops else self.clients

    def count_connections(self) -> int:
        """Return how many connections the worker has."""
        return sum(len(front.connections) for front in self._all())

    def count_answered(self) -> int:
        """Return how many requests were answered."""
        return sum(front.answered for front in self._all())

    def tick(self) -> None:
        """Do what is due twice a second."""
        if self.health is not None:
            self.health.refresh()
        self.tick_shared()
        for front in self._all():
            front.tick()
        self._show_levels()

    def _show_levels(self) -> None:
        """Leave what the connections do where the metrics are."""
        connections = [front.connections for front in self._all()]
        doing = Tally(one.activity for each in connections for one in each)
        for activity, place in LEVELS.items():
            self.counters[place] = doing[activity]
        self.counters[places.REQUESTS_IN_FLIGHT] = doing[Activity.WAITING]

    def stop(self) -> None:
        """Answer what has begun, and close the rest."""
        for front in self._all():
            front.stop()

    def _all(self) -> set[Front]:
        return {self.clients, self.operators}


def assemble(app: Flask, loop: AbstractEventLoop) -> Fronts:
    """Return the fronts of an application, which need not be ours."""
    maker = _FrontMaker(app, loop)
    clients, health = maker.make(is_ops=False)
    operators, ops_port = clients, maker.settings.ops_port
    if ops_port is not None:
        operators, health = maker.make(is_ops=True)
    counters = maker.metrics.counters
    return Fronts(
        clients,
        operators,
        ops_port,
        health,
        counters,
        maker.tick,
        flush_log=partial(maker.lines.flush_on, loop),
    )


def _everybody(_environ: Environ, tell: Callable[[bool], None]) -> None:
    """Tell that a request is an administrator's: nobody else reaches the port of operators."""
    tell(True)


class _FrontMaker:
    """What the fronts of one application share."""

    def __init__(self, app: Flask, loop: AbstractEventLoop) -> None:
        parts: dict[str, Any] = app.extensions
        self.settings: Settings = parts.get("settings") or Settings()
        self.metrics: Metrics = parts.get("metrics") or Metrics()
        self._app = app
        self._loop = loop
        self._health: Health | None = parts.get("health")
        self.lines: Lines = parts.get("log_lines") or Lines()
        self._logger = logs.make_logger(self.lines, self.settings.log_level)
        self._files = FileWork(loop)
        self._uploads = Uploads(parts.get("admit_upload", admit_nobody))
        if "prepare_uploads" in parts:
            self._files.run(parts["prepare_uploads"], lambda _: None)
        self._limits = limits = Limits(
            max_body_bytes=self.settings.max_body_bytes,
            max_connections=self.settings.max_connections,
        )
        self._received, self._unsent = Received(limits), Unsent(limits)
        self._pool = ThreadPool(
            self.settings.threads,
            call_later=loop.call_later,
            max_bytes=limits.queued_bytes,
            is_behind=self._unsent.is_behind,
        )

    def tick(self) -> None:
        """Do what is due twice a second for all fronts."""
        self._unsent.refresh()
        before = time.monotonic() - self._limits.queued_seconds
        self._pool.refuse_hopeless(before, is_stuck=self._unsent.is_stuck)

    def make(self, *, is_ops: bool) -> tuple[Front, HealthRoutes | None]:
        """Return a front, with what answers probes there."""
        health = self._health_routes(is_ops=is_ops)
        bridge = Bridge(
            self._app,
            self._pool,
            self._loop,
            logger=self._logger,
            loop_routes={LIVE_PATH: health.live, READY_PATH: health.ready} if health else {},
            count_shed=self._count_shed,
            hidden_paths=OPS_PATHS if self.settings.ops_port and not is_ops else frozenset(),
            keeper=None if is_ops else make_keeper(self._app, self._loop, self.settings),
        )
        front = Front(
            self._limits,
            bridge,
            unsent=self._unsent,
            received=self._received,
            trusted_proxies=self.settings.trusted_proxies or (),
            logger=self._logger,
            metrics=self.metrics,
            files=self._files,
            uploads=None if is_ops else self._uploads,
        )
        return front, health

    def _health_routes(self, *, is_ops: bool) -> HealthRoutes | None:
        if self._health is None:
            return None
        return HealthRoutes(
            self._health,
            self._loop,
            count=self.metrics.count,
            logger=self._logger,
            ask_admin=_everybody if is_ops else self._ask_admin(),
        )

    def _ask_admin(self) -> AskAdmin:
        parts = self._app.extensions
        recall, verify = parts["recall"], parts["verify"]
        return Admins(self._pool, self._loop, recall=recall, verify=verify).ask

    def _count_shed(self, method: str, path: str) -> None:
        dialect, _ = owner_of(path)
        self.metrics.count(dialect, "", method, HTTPStatus.SERVICE_UNAVAILABLE, 0.0)
        self.metrics.counters[places.REQUESTS_SHED] += 1
