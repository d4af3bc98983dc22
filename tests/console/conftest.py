"""What the console's tests share: an application with the console, and who is logged in there."""

from collections.abc import Callable

import pytest
from flask import Flask
from support.callers import Home
from support.console_visitor import Visitor, admin_of


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
