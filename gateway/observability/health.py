"""What operators ask: /health/live, /health/ready, /health/startup, /metrics and /version."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import orjson
from flask import Blueprint, Flask, Response
from prometheus_client import CONTENT_TYPE_LATEST, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core.caching.redis_cache import FAILURES, RedisCache
from core.domain.errors import Unavailable
from core.storage import migrate
from core.storage.database import Database
from gateway.observability.metrics import Metrics
from gateway.observability.probes import Outcome, Probe

PACKAGE = "unified-crm-gateway"
HEALTH_TYPE = "application/health+json"
DEADLINE_SECONDS = 1.0
PASS, WARN, FAIL = "pass", "warn", "fail"
SERVING, NOT_SERVING = 200, 503


class Health(Collector):
    """The servers that the gateway depends on; `redis` is None where none is used."""

    def __init__(self, database: Database, redis: RedisCache | None) -> None:
        """Prepare the probes; `database` should be one that no request waits for."""
        self._probes = {
            "postgresql": Probe(
                lambda: database.read("SELECT 1", {}),
                failures=(Unavailable,),
                deadline_seconds=DEADLINE_SECONDS,
            )
        }
        if redis is not None:
            self._probes["redis"] = Probe(
                redis.ping, failures=FAILURES, deadline_seconds=DEADLINE_SECONDS
            )
        self._startup = Probe(
            lambda: _check_migrations(database),
            failures=(Unavailable, _NotUpgraded),
            deadline_seconds=DEADLINE_SECONDS,
        )

    def readiness(self) -> tuple[str, Mapping[str, Any]]:
        """Return whether requests can be served, and how each server does.

        Without PostgreSQL nothing can be served; without Redis everything can, only slower.
        """
        outcomes = self._outcomes()
        status = PASS
        if any(outcome.failure for outcome in outcomes.values()):
            status = FAIL if outcomes["postgresql"].failure else WARN
        return status, {name: [_check(outcome)] for name, outcome in outcomes.items()}

    def _outcomes(self) -> dict[str, Outcome]:
        attempts = {name: probe.begin() for name, probe in self._probes.items()}
        return {name: attempt.outcome() for name, attempt in attempts.items()}

    def collect(self) -> Iterator[Metric]:
        """Give what readiness says as metrics."""
        up = GaugeMetricFamily(
            "crm_gateway_server_up", "Whether a server answers in time.", labels=["server"]
        )
        latency = GaugeMetricFamily(
            "crm_gateway_server_latency_seconds", "Of its last sign of life.", labels=["server"]
        )
        for name, outcome in self._outcomes().items():
            up.add_metric([name], 0 if outcome.failure else 1)
            latency.add_metric([name], outcome.latency_seconds)
        yield from (up, latency)

    def startup(self) -> tuple[str, Mapping[str, Any]]:
        """Return whether the database has every migration that this program needs."""
        outcome = self._startup.begin().outcome()
        return FAIL if outcome.failure else PASS, {"migrations": [_check(outcome)]}


class _NotUpgraded(Exception):
    """The database lacks migrations."""


def _check_migrations(database: Database) -> None:
    if not migrate.is_current(database):
        raise _NotUpgraded("the database lacks migrations: run crm-gateway db upgrade")


def _check(outcome: Outcome) -> dict[str, Any]:
    check: dict[str, Any] = {
        "componentType": "datastore",
        "status": FAIL if outcome.failure else PASS,
        "latency_ms": round(outcome.latency_seconds * 1000, 3),
        "deadline_ms": round(DEADLINE_SECONDS * 1000),
        "age_ms": round(outcome.age_seconds * 1000),
    }
    return check | ({"output": outcome.failure} if outcome.failure else {})


def build_labels() -> dict[str, str]:
    """Return what runs: the package's version and Python's."""
    return {"version": version(PACKAGE), "python": platform.python_version()}


def install(app: Flask, health: Health, metrics: Metrics) -> None:
    """Add the operators' URLs."""
    blueprint = Blueprint("ops", __name__)
    build = build_labels()

    @blueprint.get("/health/live")
    def live() -> Response:
        return _health(PASS, {})

    @blueprint.get("/health/ready")
    def ready() -> Response:
        return _health(*health.readiness())

    @blueprint.get("/health/startup")
    def startup() -> Response:
        return _health(*health.startup())

    @blueprint.get("/metrics")
    def expose_metrics() -> Response:
        return Response(metrics.exposition(health), content_type=CONTENT_TYPE_LATEST)

    @blueprint.get("/version")
    def show_version() -> Response:
        body = {"name": PACKAGE, **build}
        return Response(orjson.dumps(body), content_type="application/json")

    app.register_blueprint(blueprint)


def _health(status: str, checks: Mapping[str, Any]) -> Response:
    body = {"status": status, **({"checks": checks} if checks else {})}
    code = NOT_SERVING if status == FAIL else SERVING
    response = Response(orjson.dumps(body), code, content_type=HEALTH_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
