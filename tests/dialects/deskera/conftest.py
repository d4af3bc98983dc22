"""What tests of Deskera's dialect share."""

import pytest
from flask.testing import FlaskClient
from support.callers import Home
from support.deskera_api import (
    USER,
    Api,
)


@pytest.fixture
def call(client: FlaskClient, tenant: Home) -> Api:
    """Give a caller of an empty tenant."""
    return Api(client, tenant.caller(USER).key)
