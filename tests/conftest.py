"""What tests share: real servers, one migrated database a run, a clock that can be set.

The network is closed to everything but this machine. Each test gets an application of its own, so
that nothing remembered by one reaches another.
"""

import itertools
import json
import os
import signal
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from support import tenant_guard
from support.callers import JWT_SECRET, Caller, Demo, Home
from support.citus import CLUSTER_URL, own_database
from support.clock import Clock
from support.cluster_tests import MARK, ClusterTests
from support.own_servers import OwnServer, server_directory
from support.own_tables import empty_tables
from support.secrets_in_logs import secrets_in
from support.shard_check import OneShardCheck

from core.domain.model import Tenant
from core.storage import migrate
from core.storage.credential_store import DEMO_TENANT_ID, DEMO_TOKEN
from core.storage.database import Database
from core.storage.tenant_store import Tenants
from core.transfer.demo import APEX_TENANT_ID, APEX_USER_ID, DESKERA_USER_ID, load_demo
from gateway.app import create_app
from gateway.embedded import last_run
from gateway.embedded.engines import start_postgres, start_redis
from gateway.settings import Settings

FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")
LAST_RUN = pytest.StashKey[Path | None]()
_tenant_ids = itertools.count(1_000_001)
# Shells start jobs in the background with SIGINT ignored, and what tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis_settings.register_profile("default", deadline=None, max_examples=100)
hypothesis_settings.register_profile(
    "long", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("short", deadline=None, max_examples=10)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class NetworkIsClosedError(Exception):
    """A test tried to reach another machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make golden` say that golden documents are to be written."""
    parser.addoption("--rewrite-golden", action="store_true", help="write our golden documents")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test if a secret was written anywhere, or a statement had no tenant, meanwhile."""
    report = yield
    leaked = secrets_in("".join(text for _, text in report.sections))
    if leaked and report.passed:
        report.outcome = "failed"
        report.longrepr = f"{' and '.join(leaked)} was written; see what was captured"
    if tenant_guard.violations:
        report.outcome = "failed"
        report.longrepr = "\n".join(tenant_guard.violations)
        tenant_guard.violations.clear()
    return report


def pytest_configure(config: pytest.Config) -> None:
    """Close the network, and note where the developer's own service last ran: tests run some.

    On a cluster, run what is about it, and look at every statement.
    """
    config.addinivalue_line("markers", MARK)
    cluster_url = os.environ.get(CLUSTER_URL)
    if cluster_url:
        config.pluginmanager.register(ClusterTests())
        config.pluginmanager.register(OneShardCheck(cluster_url))
    if not hasattr(config, "workerinput"):
        config.stash[LAST_RUN] = last_run.data_directory()
    tenant_guard.install()
    really_connect = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not _is_here(address[0]):
            raise NetworkIsClosedError(address)
        really_connect(self, address)

    socket.socket.connect = connect


def pytest_unconfigure(config: pytest.Config) -> None:
    """Bring back the note of the developer's own service."""
    noted = config.stash.get(LAST_RUN, None)
    if noted is not None:
        last_run.record(noted)


def _is_here(host: str) -> bool:
    return host == "localhost" or ip_address(host).is_loopback


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """Give the directory of the servers that all tests share."""
    with server_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def database_url(servers_directory: Path) -> Iterator[str]:
    """Give a PostgreSQL with every migration and no data; a Citus cluster where one is named."""
    with _postgres(servers_directory / "postgres") as url:
        database = Database(url)
        migrate.upgrade(database)
        database.close()
        yield url


@contextmanager
def _postgres(directory: Path) -> Iterator[str]:
    cluster_url = os.environ.get(CLUSTER_URL)
    if cluster_url:
        with own_database(cluster_url, f"crm_test_{os.getpid()}") as found:
            found.join_nodes()
            yield found.url
        return
    engine = start_postgres(directory, FAST)
    yield engine.url
    engine.stop()


@pytest.fixture(scope="session")
def redis_url(servers_directory: Path) -> Iterator[str]:
    """Give a Redis that no test may harm."""
    engine = start_redis(servers_directory / "redis")
    yield engine.url
    engine.stop()


@pytest.fixture
def own_redis() -> Iterator[OwnServer]:
    """Give a Redis that the test may do anything to."""
    with server_directory() as directory:
        server = OwnServer(lambda: start_redis(directory))
        yield server
        server.kill()


@pytest.fixture
def own_postgres() -> Iterator[OwnServer]:
    """Give a PostgreSQL that the test may do anything to, without any table."""
    with server_directory() as directory:
        server = OwnServer(lambda: start_postgres(directory, FAST))
        yield server
        server.thaw()
        server.stop()


@pytest.fixture
def assert_golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Give the comparison of a document with a golden file, named by its path below `golden/`.

    Only for documents of our own making: those of the vendors' pages are evidence, and stay.
    """

    def compare(name: str, document: Any) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--rewrite-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        assert document == json.loads(path.read_text())

    return compare


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the application; it stands until it is told to move."""
    return Clock()


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """Give settings with every server and a JWT secret."""
    return Settings(database_url=database_url, redis_url=redis_url, jwt_secret=JWT_SECRET)


@pytest.fixture
def make_app(settings: Settings, clock: Clock) -> Iterator[Callable[..., Flask]]:
    """Give a maker of applications; it takes settings that differ, as in `redis_url="none"`."""
    made: list[Flask] = []

    def make(**differing: Any) -> Flask:
        app = create_app(replace(settings, **differing), clock=clock)
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["last_uses"].close()
        app.extensions["database"].close()
        app.extensions["probed_database"].close()
        for replica in app.extensions["replicas"]:
            replica.close()


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Give an application that remembers nothing yet."""
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a client without credentials."""
    return app.test_client()


@pytest.fixture
def database(app: Flask) -> Database:
    """Give the application's own database."""
    found: Database = app.extensions["database"]
    return found


@pytest.fixture
def statements(database: Database) -> list[str]:
    """Give the list that every SQL statement of the application is added to from now on."""
    seen: list[str] = []
    database.observers.append(lambda sql, _parameters: seen.append(sql))
    return seen


@pytest.fixture
def tenant(app: Flask, database: Database, clock: Clock) -> Home:
    """Give a tenant that no other test knows, in UTC."""
    home = Home(next(_tenant_ids), app, clock)
    Tenants(database).create(Tenant(home.id, f"Tenant {home.id}", "UTC", "UTC"))
    return home


@pytest.fixture
def demo(app: Flask, database: Database, clock: Clock) -> Demo:
    """Give the demo data, alone in the database."""
    empty_tables(database)
    load_demo(database, clock=clock)
    apex_key = app.extensions["credentials"].create(tenant_id=APEX_TENANT_ID, user_id=APEX_USER_ID)
    return Demo(
        Caller(DEMO_TENANT_ID, DESKERA_USER_ID, DEMO_TOKEN),
        Caller(APEX_TENANT_ID, APEX_USER_ID, apex_key),
    )
