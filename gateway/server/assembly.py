"""Assembly: a worker's fronts, put together from what the application brings along."""

from asyncio import AbstractEventLoop
from collections import Counter as Tally
from dataclasses import dataclass
from http import HTTPStatus
from socket import socket
from typing import Any

from flask import Flask

from core.domain.counters import Counters
from gateway.dialect_errors import owner_of
from gateway.observability import logs, places
from gateway.observability.metrics import Metrics
from gateway.server.bridge import Bridge
from gateway.server.connections import Activity
from gateway.server.front import Front
from gateway.server.health_routes import LIVE_PATH, READY_PATH, HealthRoutes
from gateway.server.limits import Limits
from gateway.server.thread_pool import ThreadPool
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
    parts: dict[str, Any] = app.extensions
    settings: Settings = parts.get("settings") or Settings()
    metrics: Metrics = parts.get("metrics") or Metrics()
    lines: logs.Lines = parts.get("log_lines") or logs.Lines()
    logger = logs.make_logger(lines, settings.log_level)
    pool = ThreadPool(settings.threads, call_later=loop.call_later)
    limits = Limits(
        max_body_bytes=settings.max_body_bytes, max_connections=settings.max_connections
    )

    def front(*, is_ops: bool) -> tuple[Front, HealthRoutes | None]:
        health = health_routes(is_ops)
        routes = {LIVE_PATH: health.live, READY_PATH: health.ready} if health else {}
        hidden = OPS_PATHS if settings.ops_port and not is_ops else frozenset[str]()
        bridge = Bridge(
            app,
            pool,
            loop,
            logger=logger,
            loop_routes=routes,
            count_shed=count_shed,
            hidden_paths=hidden,
        )
        made = Front(
            limits,
            bridge,
            trusted_proxies=settings.trusted_proxies or (),
            logger=logger,
            metrics=metrics,
        )
        return made, health

    def count_shed(method: str, path: str) -> None:
        dialect, _ = owner_of(path)
        metrics.count(dialect, "", method, HTTPStatus.SERVICE_UNAVAILABLE, 0.0)
        metrics.counters[places.REQUESTS_SHED] += 1

    def health_routes(is_ops: bool) -> HealthRoutes | None:
        if "health" not in parts:
            return None
        return HealthRoutes(
            parts["health"], loop, count=metrics.count, logger=logger, is_detailed=is_ops
        )

    clients, health = front(is_ops=False)
    if settings.ops_port is None:
        return Fronts(clients, clients, None, health, metrics.counters)
    operators, health = front(is_ops=True)
    return Fronts(clients, operators, settings.ops_port, health, metrics.counters)
