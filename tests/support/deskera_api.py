"""A client of Deskera's dialect, for tests of the whole service."""

from base64 import b64encode
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PLACE = "/v1/crm/activities"
USER = 46944


def base64(text: str) -> str:
    """Return text as this dialect takes notes."""
    return b64encode(text.encode()).decode()


class Api:
    """A client of one tenant."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        """Send this key with every call."""
        self._client = client
        self.headers = {"x-access-token": key}

    def __call__(self, method: str, path: str | int = PLACE, **options: Any) -> TestResponse:
        """Make a call; a number is an activity's, `query` is a query string as it is."""
        headers = self.headers | options.pop("headers", {})
        query = options.pop("query", None)
        place = f"{PLACE}/{path}" if isinstance(path, int) else path
        return self._client.open(
            place, method=method, headers=headers, query_string=query, **options
        )

    def create(self, **fields: Any) -> int:
        """Create an activity and return its id."""
        made = self("POST", json=fields)
        assert made.status_code == 201, made.text
        return int(made.json["id"])

    def read(self, activity_id: int) -> dict[str, Any]:
        """Return one activity."""
        answer = self("GET", activity_id)
        assert answer.status_code == 200, answer.text
        return dict(answer.json)

    def page(self, query: str = "") -> tuple[list[int], int]:
        """Return the ids on a page, and how many activities match."""
        answer = self("GET", query=query)
        assert answer.status_code == 200, answer.text
        ids = [activity["id"] for activity in answer.json["data"]]
        return ids, answer.json["paginationInfo"]["totalRecords"]


def refusal(
    status: int, name: str, message: str, *problems: tuple[str, str]
) -> tuple[int, dict[str, Any]]:
    """Return the status and the whole body of an error below /v1/crm."""
    body = {"code": status, "errorMessage": message, "debugMessage": message, "httpStatus": name}
    if problems:
        body["errors"] = [{"field": field, "error": reason} for field, reason in problems]
    return status, body


def refused(answer: TestResponse) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of an answer, whose keys must be in the order of errors."""
    body = dict(answer.json)
    keys = ["code", "errorMessage", "debugMessage", "httpStatus", "errors"]
    assert list(body) == keys[: len(body)], answer.text
    if answer.status_code in (401, 403):  # What is wrong with the credential is told here.
        assert "credential" in body["debugMessage"]
        body["debugMessage"] = body["errorMessage"]
    return answer.status_code, body


def fields_of(answer: TestResponse) -> tuple[int, list[str]]:
    """Return the status of an error and the fields that it names."""
    status, body = refused(answer)
    assert all(problem["error"] for problem in body["errors"])
    return status, [problem["field"] for problem in body["errors"]]


UNAUTHORIZED = refusal(401, "UNAUTHORIZED", "Could not validate the user")
FORBIDDEN = refusal(403, "FORBIDDEN", "Forbidden")
NOT_FOUND = refusal(404, "NOT_FOUND", "Activity not found.")
METHOD_NOT_ALLOWED = refusal(405, "METHOD_NOT_ALLOWED", "Method Not Allowed")
TOO_LARGE = refusal(413, "PAYLOAD_TOO_LARGE", "Request Entity Too Large")
KEY_REUSED = refusal(409, "CONFLICT", "This Idempotency-Key was used with another body.")
HAS_CHANGED = refusal(
    412,
    "PRECONDITION_FAILED",
    "The activity has changed since the version named in If-Match.",
)


BULK_UPDATE, BULK_DELETE = f"{PLACE}/bulkUpdate", f"{PLACE}/bulkDelete"
BEYOND = 2**53
OPERATIONS: list[tuple[str, str | int, Any]] = [
    ("GET", PLACE, None),
    ("GET", 1, None),
    ("POST", PLACE, {"name": "a"}),
    ("PUT", 1, {"name": "a"}),
    ("DELETE", 1, None),
    ("PATCH", BULK_UPDATE, {"ids": [1], "is_status": True}),
    ("POST", BULK_DELETE, [1]),
]
READS, CHANGES = OPERATIONS[:2], OPERATIONS[2:]
