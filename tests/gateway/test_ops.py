"""Health, metrics and version, as operators see them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.callers import Home
from support.own_servers import OwnServer

from core.storage.database import Database
from gateway.observability import probes
from gateway.observability.metrics import Metrics
from gateway.observability.probes import Probe

BOTH_BOUNDED_SECONDS = 2.0


@pytest.fixture(autouse=True)
def no_fresh_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every probe check anew."""
    monkeypatch.setattr(probes, "FRESH_SECONDS", -1.0)


def readiness(client: FlaskClient) -> tuple[int, dict[str, Any], float]:
    """Return the status, the body and how long it took."""
    begun = time.monotonic()
    answer = client.get("/health/ready")
    assert answer.content_type == "application/health+json"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json, time.monotonic() - begun


def test_live_asks_nobody(make_app: Callable[..., Flask]):
    app = make_app(database_url="postgresql:///none?host=/nowhere", redis_url="redis://127.0.0.1:1")
    answer = app.test_client().get("/health/live")
    assert (answer.status_code, answer.json) == (200, {"status": "pass"})


def test_ready_shows_each_server(client: FlaskClient):
    status, body, _ = readiness(client)
    assert (status, body["status"]) == (200, "pass")
    assert set(body["checks"]) == {"postgresql", "redis"}
    for (check,) in body["checks"].values():
        assert check["status"] == "pass"
        assert 0 < check["latency_ms"] < check["deadline_ms"] == 1000
        assert check["age_ms"] < 1000


def test_without_redis_there_is_no_check(make_app: Callable[..., Flask]):
    status, body, _ = readiness(make_app(redis_url="none").test_client())
    assert (status, set(body["checks"])) == (200, {"postgresql"})


def test_dead_redis_is_a_warning(make_app: Callable[..., Flask], own_redis: OwnServer):
    client = make_app(redis_url=own_redis.url).test_client()
    assert readiness(client)[1]["status"] == "pass"
    own_redis.kill()
    status, body, _ = readiness(client)
    assert (status, body["status"]) == (200, "warn")
    assert body["checks"]["redis"][0]["output"]
    own_redis.start()
    assert readiness(client)[1]["status"] == "pass"


def test_dead_postgres_is_a_failure(make_app: Callable[..., Flask], own_postgres: OwnServer):
    client = make_app(database_url=own_postgres.url).test_client()
    assert readiness(client)[0] == 200
    own_postgres.stop()
    status, body, _ = readiness(client)
    assert (status, body["status"]) == (503, "fail")
    assert body["checks"]["redis"][0]["status"] == "pass"
    own_postgres.start()
    assert readiness(client)[0] == 200


def test_read_only_postgres_is_a_warning(make_app: Callable[..., Flask], own_postgres: OwnServer):
    client = make_app(database_url=own_postgres.url).test_client()
    with Database(own_postgres.url).open() as session:
        session.execute("ALTER DATABASE crm SET default_transaction_read_only = on")
    status, body, _ = readiness(client)
    assert (status, body["status"]) == (200, "warn")
    assert body["checks"]["postgresql"][0]["status"] == "warn"
    assert body["checks"]["postgresql"][0]["output"].startswith("read-only")


def test_never_reached_postgres_is_a_failure(make_app: Callable[..., Flask]):
    app = make_app(database_url="postgresql:///crm?host=/nowhere")
    status, body, took = readiness(app.test_client())
    assert (status, body["status"]) == (503, "fail")
    assert took < BOTH_BOUNDED_SECONDS


def test_frozen_servers_cost_two_seconds_at_most(
    make_app: Callable[..., Flask], own_postgres: OwnServer, own_redis: OwnServer
):
    app = make_app(database_url=own_postgres.url, redis_url=own_redis.url)
    client = app.test_client()
    assert readiness(client)[1]["status"] == "pass"
    own_postgres.freeze()
    own_redis.freeze()
    for _ in range(2):
        status, body, took = readiness(client)
        assert (status, body["status"]) == (503, "fail")
        assert took < BOTH_BOUNDED_SECONDS
    own_postgres.thaw()
    own_redis.thaw()
    time.sleep(0.2)
    assert readiness(client)[1]["status"] == "pass"


def test_startup_waits_for_migrations(make_app: Callable[..., Flask], own_postgres: OwnServer):
    answer = make_app(database_url=own_postgres.url).test_client().get("/health/startup")
    assert (answer.status_code, answer.json["status"]) == (503, "fail")
    assert "crm-gateway db upgrade" in answer.json["checks"]["migrations"][0]["output"]


def test_startup_passes_when_upgraded(client: FlaskClient):
    answer = client.get("/health/startup")
    assert (answer.status_code, answer.json["status"]) == (200, "pass")


def test_version_is_the_packages(client: FlaskClient):
    body = client.get("/version").json
    assert (body["name"], body["version"]) == (
        "unified-crm-gateway",
        version("unified-crm-gateway"),
    )


def test_requests_are_counted(client: FlaskClient, tenant: Home):
    headers = tenant.caller().headers
    for _ in range(3):
        client.get("/activities", headers=headers)
    client.get("/activities/nope", headers=headers)
    client.get("/nowhere")
    client.open("/nowhere", method="INVENTED")
    text = client.get("/metrics").text
    labels = 'dialect="achieveapex",method="GET",route="/activities"'
    assert f'crm_gateway_requests_total{{{labels},status="200"}} 3.0' in text
    assert f"crm_gateway_request_seconds_count{{{labels}}} 3.0" in text
    assert 'route="/activities/<path:activity_id>",status="404"} 1.0' in text
    assert 'dialect="",method="GET",route="",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert "INVENTED" not in text


WORKER = """
import sys
from pathlib import Path
from gateway.observability.metrics import Metrics
metrics = Metrics(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.count("deskera", "/x", "GET", 200, 0.003)
if sys.argv[3:]:
    sys.stdout.buffer.write(metrics.exposition())
"""


def work(directory: Path, count: int, *show: str) -> str:
    """Let a worker of its own process count, and end."""
    command = [sys.executable, "-c", WORKER, str(directory), str(count), *show]
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout


def test_numbers_of_ended_workers_stay(tmp_path: Path):
    work(tmp_path, 3)
    work(tmp_path, 4)
    for total in ("8.0", "9.0"):
        text = work(tmp_path, 1, "show")
        assert f'route="/x",status="200"}} {total}' in text
        assert f'le="+Inf",method="GET",route="/x"}} {total}' in text
    names = sorted(path.name.partition("_")[2] for path in tmp_path.glob("counter_*.db"))
    assert (len(names), names[-1]) == (2, "archive.db")


def test_broken_file_of_a_killed_worker_is_passed_over(tmp_path: Path):
    (tmp_path / "counter_999999999.db").write_bytes(b"")
    (tmp_path / "histogram_999999999.db").write_bytes(b"\xff" * 100)
    assert "1.0" in work(tmp_path, 1, "show")


def test_single_process_needs_no_directory():
    metrics = Metrics()
    metrics.count("deskera", "/x", "GET", 200, 0.1)
    assert b'status="200"} 1.0' in metrics.exposition()


def test_probe_never_asks_twice_at_once():
    checks = []

    def ask() -> None:
        checks.append(time.sleep(0.3))

    probe = Probe(ask, failures=(), deadline_seconds=0.1)
    assert probe.begin().outcome().failure == "no answer in time"
    assert probe.begin() is probe.begin()
    time.sleep(0.3)
    assert probe.begin().outcome().failure == "no answer in time"
    assert len(checks) == 1


def test_fresh_outcome_is_given_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probes, "FRESH_SECONDS", 60.0)
    checks = []
    probe = Probe(lambda: checks.append(1), failures=(), deadline_seconds=1.0)
    assert [probe.begin().outcome().failure for _ in range(3)] == [None] * 3
    assert checks == [1]


def test_strangers_are_told_no_detail():
    def ask() -> None:
        raise OSError("gone\nand much more")

    probe = Probe(ask, failures=(OSError,), deadline_seconds=1.0)
    outcome = probe.begin().outcome()
    assert (outcome.failure, outcome.detail) == ("unreachable", "gone")
