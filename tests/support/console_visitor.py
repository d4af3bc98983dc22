"""A person's browser without a screen: keeps the console's cookie and sends its forms."""

import re
from html import unescape
from typing import Any

from flask import Flask
from support.callers import Home
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ADMIN = ("read", "write", "directory", "admin")


class Visitor:
    """One person at the console of an application."""

    def __init__(self, app: Flask) -> None:
        """Come without a session."""
        self.client = app.test_client()

    def log_in(self, key: str, **options: Any) -> TestResponse:
        """Fill the login form in and send it."""
        return self.submit("/console/login", form="/console/login", key=key, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **options)

    def token(self, form: str) -> str:
        """Return the token against forgery in the forms of a page."""
        return unescape(TOKEN.findall(self.get(form).text)[-1])

    def submit(
        self, path: str, *, form: str = "/console/", headers: Any = None, **fields: Any
    ) -> TestResponse:
        """Send a form as it stands on the page `form`, with these fields."""
        given = {"csrf_token": self.token(form), **fields}
        return self.client.post(path, data=given, headers=headers)


def admin_of(app: Flask, tenant: Home, *, user_id: int = 1) -> Visitor:
    """Return a visitor who is logged in by a new admin key of a tenant."""
    visitor = Visitor(app)
    assert visitor.log_in(tenant.caller(user_id, *ADMIN).key).status_code == 303
    return visitor
