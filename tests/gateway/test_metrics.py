"""The numbers behind /metrics: whose, how exact, and what stays of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from support.callers import Home
from support.own_servers import OwnServer

from core.domain import counters
from gateway.observability import families
from gateway.observability.families import LAYOUT, NumbersCollector
from gateway.observability.places import COUNTERS, SIZE
from gateway.observability.worker_files import Numbers

KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.observability.families import LAYOUT
from gateway.observability.places import COUNTERS, SIZE
from gateway.observability.worker_files import Numbers
numbers = Numbers(Path(sys.argv[1]), counters=COUNTERS, size=SIZE, layout=LAYOUT)
for _ in range(12_345):
    numbers.own[0] += 1
numbers.own[COUNTERS] = 7
os.kill(os.getpid(), signal.SIGKILL)
"""


def values(text: str) -> dict[tuple[str, ...], float]:
    """Return each sample of an exposition, by its name and its labels' values in their order."""
    return {
        (
            sample.name.removeprefix("crm_gateway_"),
            *(value for _, value in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """Return what /metrics shows."""
    return values(client.get("/metrics").text)


def numbers_in(directory: Path) -> Numbers:
    """Return the numbers of this process in a directory."""
    return Numbers(directory, counters=COUNTERS, size=SIZE, layout=LAYOUT)


@pytest.fixture
def eager_switches() -> Iterator[None]:
    """Let threads be switched as often as the interpreter can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("eager_switches")
def test_no_increment_is_lost_between_threads(tmp_path: Path):
    own = numbers_in(tmp_path).own

    def work() -> None:
        for _ in range(100_000):
            own[0] += 1

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert own[0] == 400_000


def test_killed_process_loses_nothing_counted(tmp_path: Path):
    for _ in range(2):
        died = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
        assert died.returncode == -signal.SIGKILL
    numbers = numbers_in(tmp_path)
    numbers.own[0] = 1
    for _ in range(2):
        numbers.archive()
        assert numbers.archived()[0] + sum(each[0] for each in numbers.of_workers()) == 24_691
    assert len(list(tmp_path.glob("*.bin"))) == 2


def test_levels_end_with_their_worker(tmp_path: Path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    numbers = numbers_in(tmp_path)
    numbers.own[COUNTERS] = 2
    numbers.archive()
    found = {
        sample.name: sample.value
        for metric in NumbersCollector(numbers).collect()
        for sample in metric.samples
    }
    assert found["crm_gateway_requests_in_flight"] == 2
    assert found["crm_gateway_workers"] == 1


def test_other_layouts_are_passed_over(tmp_path: Path):
    older = Numbers(tmp_path, counters=1, size=2, layout="older")
    older.own[0] = 99
    numbers = numbers_in(tmp_path)
    assert [each[0] for each in numbers.of_workers()] == [0]


def test_every_place_is_shown_once():
    places = [series.place for series in families.SERIES]
    assert sorted(places) == list(range(SIZE))
    assert counters.SIZE <= COUNTERS


def test_caches_and_statements_are_counted(client: FlaskClient, tenant: Home):
    headers = tenant.caller().headers
    before = scrape(client)
    for _ in range(4):
        assert client.get("/activities", headers=headers).status_code == 200
    after = scrape(client)
    moved = {key: after[key] - before[key] for key in after if key in before}
    assert moved["cache_lookups_total", "entities", "hit"] >= 3
    assert moved["statements_total", "read"] >= 4
    assert after["pool_connections", "open"] >= 1
    assert after["directory_check_age_seconds",] < 60


def test_pushed_records_are_counted(client: FlaskClient, tenant: Home):
    headers = tenant.caller(1, "directory").headers
    lines = b'{"kind": "company", "id": 1, "name": "A"}\n{"kind": "company", "id": 2, "name": "B"}'
    assert client.post("/directory", headers=headers, data=lines).json == {"records": 2}
    assert scrape(client)["imported_records_total",] == 2


def test_failures_of_redis_are_counted(
    make_app: Callable[..., Flask], own_redis: OwnServer, tenant: Home
):
    client = make_app(redis_url=own_redis.url).test_client()
    assert scrape(client)["server_up", "redis"] == 1
    own_redis.kill()
    headers = tenant.caller().headers
    body = b'{"subject": "x", "contact_id": 5}'
    assert client.post("/activities", headers=headers, data=body).status_code == 201
    assert client.get("/v1/crm/activities", headers=headers).status_code == 200
    found = scrape(client)
    assert found["redis_failures_total",] >= 1
    assert found["server_up", "postgresql"] == 1


def test_dead_redis_is_down_in_metrics(make_app: Callable[..., Flask]):
    found = scrape(make_app(redis_url="redis://127.0.0.1:1").test_client())
    assert (found["server_up", "redis"], found["server_up", "postgresql"]) == (0, 1)


def test_build_is_named(client: FlaskClient):
    version = client.get("/version").json
    assert scrape(client)["build_info", version["python"], version["version"]] == 1


def test_latency_buckets_fit_the_service(client: FlaskClient):
    client.get("/version")
    keys = [key for key in scrape(client) if key[0] == "request_seconds_bucket"]
    assert {"0.0005", "0.001", "0.01", "1.0", "10.0", "+Inf"} <= {key[2] for key in keys}


def test_own_numbers_are_in_the_file_at_once(tmp_path: Path):
    numbers = numbers_in(tmp_path)
    numbers.own[3] += 5
    raw = (tmp_path / f"numbers-{LAYOUT}_{os.getpid()}.bin").read_bytes()
    assert int.from_bytes(raw[24:32], sys.byteorder) == 5


def test_credential_failures_are_counted_by_reason(client: FlaskClient, tenant: Home):
    key = tenant.caller().key
    unknown = key[:-1] + ("a" if key[-1] == "b" else "b")
    for headers in ({}, {"x-api-key": "odd"}, {"x-api-key": unknown}):
        assert client.get("/activities", headers=headers).status_code == 401
    found = scrape(client)
    reasons = [key[1] for key in found if key[0] == "credential_failures_total"]
    assert sorted(reasons) == ["malformed", "missing", "unknown"]
