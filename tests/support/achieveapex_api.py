"""A client of AchieveApex's dialect, for tests of the whole service."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PLACE = "/activities"
USER = 45


class Api:
    """A client of one organization."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        """Send this key with every call."""
        self._client = client
        self.headers = {"x-api-key": key}

    def __call__(self, method: str, path: str = PLACE, **options: Any) -> TestResponse:
        """Make a call; `query` is a query string as it is."""
        headers = self.headers | options.pop("headers", {})
        query = options.pop("query", None)
        return self._client.open(
            path, method=method, headers=headers, query_string=query, **options
        )

    def total(self, query: str = "", **options: Any) -> int:
        """Return how many activities match."""
        page = self("GET", query=query, **options)
        assert page.status_code == 200, page.text
        return int(page.json["total"])

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an activity and return its record."""
        made = self("POST", json={"subject": "A call"} | fields)
        assert made.status_code == 201, made.text
        return dict(made.json)
