"""What tests of the use cases share."""

import pytest
from flask import Flask
from support.callers import Home
from support.factories import make_principal

from core.activities import Activities
from core.domain.model import Principal


@pytest.fixture
def activities(app: Flask) -> Activities:
    found: Activities = app.extensions["activities"]
    return found


@pytest.fixture
def ann(tenant: Home) -> Principal:
    return make_principal(user_id=1, tenant_ids=(tenant.id,))


@pytest.fixture
def bob(tenant: Home) -> Principal:
    return make_principal(user_id=2, tenant_ids=(tenant.id,))


@pytest.fixture
def boss(tenant: Home) -> Principal:
    scopes = frozenset({"read", "write", "admin"})
    return make_principal(user_id=3, tenant_ids=(tenant.id,), scopes=scopes)
