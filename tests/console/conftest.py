"""What the console's tests share: an application with the console, and who is logged in there."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser
from support.browser import chromium
from support.callers import Home
from support.clock import Clock
from support.console_visitor import ADMIN, Visitor, admin_of
from support.gateway_process import served

from core.domain.model import Tenant
from core.storage.credential_store import Credentials
from core.storage.database import Database
from core.storage.tenant_store import Tenants

_tenant_ids = itertools.count(2_000_001)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """Give an application with the console."""
    return make_app(console=True)


@pytest.fixture
def stranger(app: Flask) -> Visitor:
    """Give a visitor who is not logged in."""
    return Visitor(app)


@pytest.fixture
def admin(app: Flask, tenant: Home) -> Visitor:
    """Give a visitor who is logged in by an admin key of the test's own tenant."""
    return admin_of(app, tenant)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a Chromium without a window; skips where there is none.

    Its driver keeps an event loop running, beside which no other test could run one: it ends with
    the module.
    """
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def console_url(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give the address of a gateway of two workers that has the console."""
    environ = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "GATEWAY_CONSOLE": "true"}
    with served(environ, log=tmp_path_factory.mktemp("console") / "log") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def admin_key(database_url: str) -> str:
    """Give an admin key of a new tenant, for a gateway that runs."""
    database = Database(database_url)
    tenant_id = next(_tenant_ids)
    Tenants(database).create(Tenant(tenant_id, f"Browsed {tenant_id}", "UTC", "UTC"))
    key = Credentials(database).create(tenant_id=tenant_id, user_id=1, scopes=ADMIN)
    database.close()
    return key


@pytest.fixture
def neighbour(app: Flask, database: Database, tenant: Home, clock: Clock) -> Home:
    """Give another tenant, which the admin has nothing to do with."""
    home = Home(tenant.id + 900_000, app, clock)
    Tenants(database).create(Tenant(home.id, "Neighbour", "UTC", "UTC"))
    return home
