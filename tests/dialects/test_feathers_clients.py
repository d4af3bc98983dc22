"""Genuine Feathers clients at work against the running gateway; the suites are in `clients/`.

CLIENTS_SEED and CLIENTS_RUNS in the environment make the differential test ask other queries, or
more of them; the same seed asks the same ones.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.callers import JWT_SECRET
from support.gateway_process import command, make_keys, served
from support.node_suites import ORGANIZATIONS, USER, Report, installed, records, run_suite

SEED = int(os.environ.get("CLIENTS_SEED", "20250415"))
RUNS = int(os.environ.get("CLIENTS_RUNS", "2100"))
ADAPTER_TESTS = 105  # 1 of ours; 43 + .id over two transports; 6 + .id; 8 + .id.
DAY_TESTS = 56  # 14 for each of two transports with two kinds of credential.
REFUSAL_TESTS = 128  # 28 calls for each of those, 8 callers for each transport.
DIFFERENTIAL_TESTS = 30

Run = Callable[..., Report]


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config) -> Path:
    """Give the folder of the installed clients."""
    cache = pytestconfig.cache
    return installed(Path(cache.mkdir("clients")) if cache else None)


@pytest.fixture(scope="module")
def config(
    folder: Path, database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Give what the suites are told: where the gateway is, and who may ask it."""
    environ = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "GATEWAY_JWT_SECRET": JWT_SECRET,
        "GATEWAY_LOG_LEVEL": "warning",
    }
    command(environ, "import", "-", given=records(folder, seed=SEED))
    with served(environ, log=tmp_path_factory.mktemp("clients") / "log") as port:
        yield {
            "url": f"http://127.0.0.1:{port}",
            "secret": JWT_SECRET,
            "postgres": database_url,
            "seed": SEED,
            "runs": RUNS,
            "organizations": make_keys(database_url, user_id=USER, **ORGANIZATIONS),
        }


@pytest.fixture
def run(folder: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> Run:
    """Give a runner of suites that shows their own closing lines."""

    def run_and_show(name: str, *, seconds: float) -> Report:
        report = run_suite(folder, name, config, seconds=seconds)
        with capsys.disabled():
            print(f"\n{name}: {report.closing}", end=" ")
        return report

    return run_and_show


def test_rest_client_does_day(run: Run):
    assert_all_passed(run("day", seconds=60), DAY_TESTS)


def test_rest_client_throws_feathers_errors(run: Run):
    assert_all_passed(run("refusals", seconds=60), REFUSAL_TESTS)


def test_adapter_suite_passes(run: Run):
    assert_all_passed(run("adapter", seconds=60), ADAPTER_TESTS)


def test_queries_equal_stock_service(run: Run):
    report = run("differential", seconds=150)
    assert_all_passed(report, DIFFERENTIAL_TESTS)
    assert report.compared["queries"] >= RUNS
    assert report.compared["nonEmpty"] > report.compared["pages"] / 4


def assert_all_passed(report: Report, tests: int) -> None:
    """Check the suite's own counts: a suite that shrinks unnoticed proves less."""
    others = dict.fromkeys(("fail", "cancelled", "skipped", "todo"), 0)
    assert report.counts == {"tests": tests, "pass": tests, **others}
