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
from core.storage.database import Database
from core.storage.database_identity import is_current
from gateway.observability.metrics import Metrics
from gateway.observability.probes import Outcome, Probe

PACKAGE = "unified-crm-gateway"
HEALTH_TYPE = "application/health+json"
DEADLINE_SECONDS = 1.0
PASS, WARN, FAIL = "pass", "warn", "fail"
READ_ONLY = "read-only: reads are answered, writes are refused"
SERVING, NOT_SERVING = 200, 503


Report = tuple[str, Mapping[str, Any]]
"""The status of all, and the checks by the names of the servers."""

LIVE: Report = (PASS, {})


class Health(Collector):
    """The servers that the gateway depends on; `redis` is None where none is used."""

    def __init__(self, database: Database, redis: RedisCache | None) -> None:
        """Prepare the probes; `database` should be one that no request waits for."""
        self._probes = {
            "postgresql": Probe(
                lambda: _check_writable(database),
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
            public=(_NotUpgraded,),
            deadline_seconds=DEADLINE_SECONDS,
        )

    def readiness(self) -> Report:
        """Return whether requests can be served, and how each server does.

        Without PostgreSQL nothing can be served; without Redis everything can, only slower. From a
        PostgreSQL that is read-only reads can, which is a warning.
        """
        return _report(self._outcomes())

    def peek(self, max_age_seconds: float, *, is_detailed: bool = False) -> Report | None:
        """Return the readiness as it was found not longer ago than that, without waiting.

        None means that it is being found out, which takes no longer than the deadline.
        """
        found = {name: probe.peek(max_age_seconds) for name, probe in self._probes.items()}
        outcomes = {name: outcome for name, outcome in found.items() if outcome is not None}
        return _report(outcomes, is_detailed=is_detailed) if len(outcomes) == len(found) else None

    def _outcomes(self) -> dict[str, Outcome]:
        attempts = {name: probe.begin() for name, probe in self._probes.items()}
        return {name: attempt.outcome() for name, attempt in attempts.items()}

    def collect(self) -> Iterator[Metric]:
        """Give what readiness says as metrics."""
        up = GaugeMetricFamily(
            "crm_gateway_server_up", "Whether a server answers in time.", labels=["server"]
        )
        latency = GaugeMetricFamily(
            "crm_gateway_server_latency_seconds", "Of its last heartbeat.", labels=["server"]
        )
        for name, outcome in self._outcomes().items():
            up.add_metric([name], 0 if outcome.failure else 1)
            latency.add_metric([name], outcome.latency_seconds)
        yield from (up, latency)

    def startup(self) -> Report:
        """Return whether the database has every migration that this program needs."""
        outcome = self._startup.begin().outcome()
        return FAIL if outcome.failure else PASS, {"migrations": [_check(outcome)]}


def _check_writable(database: Database) -> str | None:
    ((read_only,),) = database.read("SELECT current_setting('transaction_read_only')", {})
    return READ_ONLY if read_only == "on" else None


class _NotUpgraded(Exception):
    """The database lacks migrations."""


def _check_migrations(database: Database) -> None:
    if not is_current(database):
        raise _NotUpgraded("the database lacks migrations: run crm-gateway db upgrade")


def _report(outcomes: Mapping[str, Outcome], *, is_detailed: bool = False) -> Report:
    status = PASS
    if any(outcome.failure for outcome in outcomes.values()):
        status = FAIL if outcomes["postgresql"].failure else WARN
    elif any(outcome.warning for outcome in outcomes.values()):
        status = WARN
    checks = {name: [_check(one, is_detailed=is_detailed)] for name, one in outcomes.items()}
    return status, checks


def _check(outcome: Outcome, *, is_detailed: bool = False) -> dict[str, Any]:
    check: dict[str, Any] = {
        "componentType": "datastore",
        "status": FAIL if outcome.failure else WARN if outcome.warning else PASS,
        "latency_ms": round(outcome.latency_seconds * 1000, 3),
        "deadline_ms": round(DEADLINE_SECONDS * 1000),
        "age_ms": round(outcome.age_seconds * 1000),
    }
    output = (outcome.detail if is_detailed else outcome.failure) or outcome.warning
    return check | ({"output": output} if output else {})


def build_labels() -> dict[str, str]:
    """Return what runs: the package's version and Python's."""
    return {"version": version(PACKAGE), "python": platform.python_version()}


def install(app: Flask, health: Health, metrics: Metrics) -> None:
    """Add the operators' URLs."""
    blueprint = Blueprint("ops", __name__)
    build = build_labels()

    @blueprint.get("/health/live")
    def live() -> Response:
        return _response(LIVE)

    @blueprint.get("/health/ready")
    def ready() -> Response:
        return _response(health.readiness())

    @blueprint.get("/health/startup")
    def startup() -> Response:
        return _response(health.startup())

    @blueprint.get("/metrics")
    def expose_metrics() -> Response:
        return Response(metrics.exposition(health), content_type=CONTENT_TYPE_LATEST)

    @blueprint.get("/version")
    def show_version() -> Response:
        body = {"name": PACKAGE, **build}
        return Response(orjson.dumps(body), content_type="application/json")

    app.register_blueprint(blueprint)


def render(report: Report) -> tuple[int, dict[str, str], bytes]:
    """Return the status, the headers and the body of a report."""
    status, checks = report
    body = {"status": status, **({"checks": checks} if checks else {})}
    headers = {"Content-Type": HEALTH_TYPE, "Cache-Control": "no-store"}
    return NOT_SERVING if status == FAIL else SERVING, headers, orjson.dumps(body)


def _response(report: Report) -> Response:
    status, headers, body = render(report)
    return Response(body, status, headers)
