"""What tests of both dialects share."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.both_api import USER, Both
from support.callers import Home
from support.clock import Clock

from core.domain.model import Tenant
from core.storage.database import Database
from core.storage.tenant_store import Tenants


@pytest.fixture
def other(app: Flask, database: Database, clock: Clock, tenant: Home) -> Home:
    """Give a second tenant."""
    home = Home(tenant.id + 600_000, app, clock)
    Tenants(database).create(Tenant(home.id, "Another", "UTC", "UTC"))
    return home


@pytest.fixture
def both(client: FlaskClient, tenant: Home) -> Both:
    """Give a user of an empty tenant."""
    return Both(client, tenant.caller(USER).key)
