"""What Deskera's dialect refuses through the whole service: every status, in one body's shape."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from support.deskera_api import (
    FORBIDDEN,
    HAS_CHANGED,
    KEY_REUSED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PLACE,
    TOO_LARGE,
    UNAUTHORIZED,
    USER,
    Api,
    base64,
    fields_of,
    refusal,
    refused,
)
from support.stage import Clock, Home
from werkzeug.test import TestResponse

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
METHODS = {
    PLACE: (["PUT", "PATCH", "DELETE", "TRACE", "FOO"], {"GET", "HEAD", "OPTIONS", "POST"}),
    f"{PLACE}/1": (["POST", "PATCH"], {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}),
    BULK_UPDATE: (["GET", "HEAD", "POST", "PUT", "DELETE"], {"OPTIONS", "PATCH"}),
    BULK_DELETE: (["GET", "PATCH", "PUT", "DELETE"], {"OPTIONS", "POST"}),
}
"""Of every path, methods that are refused and those that are allowed."""

BY_ID = ["GET", "PUT", "DELETE"]

IMPOSSIBLE_IDS = [
    *("0", "-1", "+1", "1.0", "1e0", "0x1", "abc", "%20", "1%00", "1;x", "%D9%A1"),
    *("9" * 16, f"{BEYOND}", "9" * 400),
]
WRONG_IDS = [5, "1", {}, True, [0], [-1], ["1"], [1.0], [True], [None], [[1]], [BEYOND], [1] * 1001]
WRONG_FLAGS = ["true", "", 0, 1, 1.0, [], {}]
WRONG_TEXTS = [5, 1.5, True, [], {}]
WRONG_NUMBERS = ["1227", -1, 1.0, 1.5, True, [], {}, BEYOND, -BEYOND, 10**400]
WRONG_STAMPS = [
    *(1628121600, True, [], {}, "", "now", "2021-08-05", "2021-08-05T13:15:49"),
    *("2021-08-05 13:15:49Z", "2021-08-05T13:15Z", "2021-08-05T13:15:49+0530"),
    *("2021-02-29T00:00:00Z", "2021-13-05T00:00:00Z", "2021-08-05T24:00:00Z"),
    *("2021-08-05T13:15:60Z", "2021-08-05T13:15:49.Z", "2021-08-05T13:15:49.1234567890Z"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z"),
    "٢٠٢١-08-05T13:15:49Z",
]
WRONG = {
    "name": WRONG_TEXTS,
    "activity_type": [*WRONG_TEXTS, "party", "Call", " call"],
    "duration": [
        *(-1, 1.0, 1.5, True, [], {}, BEYOND),
        *("1:30", "h", "1h21", "-1h 5m", "1.5h", "9" * 20),
    ],
    "notes": [
        *WRONG_TEXTS,
        *("not base64!", "VGVzdA=", "VGVz dA==", base64("\0"), "_-8=", "/w==", "é"),
    ],
    "visibility_type": [*WRONG_TEXTS, "", "secret", "Team"],
    "is_availability": WRONG_FLAGS,
    "is_send_invitation": WRONG_FLAGS,
    "is_send_contacts_invitation": WRONG_FLAGS,
    "assignee_ids": WRONG_IDS,
    "contact_ids": WRONG_IDS,
    "organization_ids": WRONG_IDS,
    "linked_to": WRONG_NUMBERS,
    "owner_id": WRONG_NUMBERS,
    "is_status": WRONG_FLAGS,
    "source": WRONG_TEXTS,
    "source_id": WRONG_TEXTS,
    "user_timezone": [*WRONG_TEXTS, "Mars/Base", "+05:30", "asia/kolkata", "../etc/passwd", "UTC "],
    "start": WRONG_STAMPS,
    "end": WRONG_STAMPS,
}
UNREADABLE = {
    "empty": b"",
    "blank": b" \r\n\t",
    "half": b'{"name":"a"',
    "two": b'{"name":"a"}{}',
    "a comment": b'{"name":"a"} // b',
    "a trailing comma": b'{"name":"a",}',
    "single quotes": b"{'name':'a'}",
    "a form": b"name=a&is_status=true",
    "not UTF-8": b'{"name":"\xff"}',
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name":"a"}',
    "a raw NUL": b'{"name":"a\x00"}',
    "NaN": b'{"linked_to":NaN}',
    "infinity": b'{"linked_to":-Infinity}',
    "5,000 digits": b'{"linked_to":' + b"9" * 5000 + b"}",
    "100,000 brackets": b"[" * 100_000,
    "100,000 braces": b'{"a":' * 100_000,
    "the documented broken sample": b'{"ids": [246, 107], "visibility_type: "private"}',
}
IMPOSSIBLE_TEXTS = {
    b'{"name":"a\\u0000"}': "name",
    b'{"name":"a\\ud800"}': "name",
    b'{"name":"\\udc00\\ud800"}': "name",
    b'{"source":"\\ud83d"}': "source",
    b'{"notes":"\\ud800"}': "notes",
    b'{"unknown":["a",{"b":"\\u0000"}]}': "unknown[1].b",
    b'{"\\u0000":1}': "body",
    b'{"linked_to":1e400}': "linked_to",
}
WRONG_BULKS: list[tuple[dict[str, Any], list[str]]] = [
    ({"is_status": True}, ["ids"]),
    ({"ids": [1], "is_status": "true"}, ["is_status"]),
    ({"ids": [1], "visibility_type": "secret"}, ["visibility_type"]),
    ({"ids": [], "is_status": 1, "visibility_type": 5}, ["ids", "is_status", "visibility_type"]),
    *(({"ids": wrong, "is_status": True}, ["ids"]) for wrong in [None, [], *WRONG_IDS]),
]


@pytest.fixture
def call(client: FlaskClient, tenant: Home) -> Api:
    """Give a caller of an empty tenant."""
    return Api(client, tenant.caller(USER).key)


def sent(call: Api, operation: tuple[str, str | int, Any], **options: Any) -> TestResponse:
    """Make a call of the table, with its body if it has one."""
    method, path, body = operation
    return call(method, path, **({} if body is None else {"json": body}), **options)


def test_bad_credential_is_unauthorized(client: FlaskClient):
    for key in ("", " ", "nonsense", "sampleaccesstoken!", "Bearer x", "é"):
        for operation in OPERATIONS:
            answer = sent(Api(client, key), operation)
            assert refused(answer) == UNAUTHORIZED
            assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize(("scope", "refusing"), [("read", CHANGES), ("write", READS)])
def test_missing_scope_is_forbidden(
    call: Api, client: FlaskClient, tenant: Home, scope: str, refusing: list
):
    call.create(name="kept")
    limited = Api(client, tenant.caller(USER, scope).key)
    for operation in refusing:
        assert refused(sent(limited, operation)) == FORBIDDEN
    assert call.read(1)["name"] == "kept"


def test_impossible_id_is_not_found(call: Api):
    call.create()
    for raw in IMPOSSIBLE_IDS:
        for method in BY_ID:
            answer = call(method, f"{PLACE}/{raw}", json={"name": "a"})
            assert refused(answer) == NOT_FOUND, raw


def test_hidden_activities_are_not_found(call: Api, client: FlaskClient, tenant: Home):
    other = Api(client, tenant.caller(USER + 1).key)
    private = other.create(visibility_type="private")
    deleted = call.create()
    call("DELETE", deleted)
    for hidden in (private, deleted, 999, BEYOND - 1):
        for method in BY_ID:
            assert refused(call(method, hidden, json={"name": "a"})) == NOT_FOUND
    assert other.read(private)["name"] == ""


def test_unknown_paths_are_not_found(call: Api):
    for path in (f"{PLACE}/1/notes", f"{PLACE}//1", "/v1/crm/contacts", "/v1/crm"):
        assert refused(call("GET", path)) == refusal(404, "NOT_FOUND", "Not Found"), path


def test_wrong_method_names_allowed_ones(call: Api):
    for path, (methods, allowed) in METHODS.items():
        for method in methods:
            answer = call(method, path, json={})
            assert method == "HEAD" or refused(answer) == METHOD_NOT_ALLOWED
            assert (answer.status_code, {*answer.headers["Allow"].split(", ")}) == (405, allowed)


@pytest.mark.parametrize("key", WRONG)
def test_wrong_value_names_its_key(call: Api, key: str):
    before = call.read(call.create())
    for wrong in WRONG[key]:
        for method, path in (("POST", PLACE), ("PUT", 1)):
            assert fields_of(call(method, path, json={key: wrong})) == (400, [key]), wrong
    assert call.page() == ([1], 1)
    assert call.read(1) == before


def test_all_wrong_keys_are_named(call: Api):
    body = {key: wrong[0] for key, wrong in WRONG.items()}
    status, error = refused(call("POST", json=body))
    assert (status, error["httpStatus"]) == (400, "BAD_REQUEST")
    assert [problem["field"] for problem in error["errors"]] == [*WRONG]
    assert error["errorMessage"] == "; ".join(
        f"{problem['field']}: {problem['error']}" for problem in error["errors"]
    )


def test_end_before_start_is_refused(call: Api):
    start, end, reason = "2021-08-05T13:00:00Z", "2021-08-05T18:29:59+05:30", "is before start"
    expected = refusal(400, "BAD_REQUEST", f"end: {reason}", ("end", reason))
    assert refused(call("POST", json={"start": start, "end": end})) == expected
    call.create(start=start)
    assert refused(call("PUT", 1, json={"end": end})) == expected
    assert call("PUT", 1, json={"end": "2021-08-05T18:30:00+05:30"}).status_code == 200


def test_duration_beyond_calendar_is_refused(call: Api):
    body = {"start": "9999-01-01T00:00:00Z", "duration": BEYOND - 1}
    assert fields_of(call("POST", json=body)) == (400, ["duration"])


def test_unreadable_body_is_refused(call: Api):
    call.create()
    for name, data in UNREADABLE.items():
        for method, path, body in CHANGES:
            if body is not None:
                assert fields_of(call(method, path, data=data)) == (400, ["body"]), name
    assert call.page() == ([1], 1)


def test_body_must_be_an_object(call: Api):
    call.create()
    reason = "must be a JSON object"
    expected = refusal(400, "BAD_REQUEST", f"body: {reason}", ("body", reason))
    for data in (b"null", b"5", b'"name"', b"true", b"[]", b'[{"name":"a"}]'):
        for method, path in (("POST", PLACE), ("PUT", 1), ("PATCH", BULK_UPDATE)):
            assert refused(call(method, path, data=data)) == expected, data


def test_impossible_text_is_refused(call: Api):
    call.create()
    for data, place in IMPOSSIBLE_TEXTS.items():
        for method, path in (("POST", PLACE), ("PUT", 1)):
            assert fields_of(call(method, path, data=data)) == (400, [place]), data
    assert call.page() == ([1], 1)


def test_wrong_bulk_update_is_refused(call: Api):
    call.create()
    for body, names in WRONG_BULKS:
        status, fields = fields_of(call("PATCH", BULK_UPDATE, json=body))
        assert (status, sorted(fields)) == (400, names), body
    assert call.read(1)["is_status"] is False


def test_wrong_bulk_delete_is_refused(call: Api):
    call.create()
    assert fields_of(call("POST", BULK_DELETE, data=b"null")) == (400, ["ids"])
    for body in ([], {"ids": [1]}, *WRONG_IDS):
        assert fields_of(call("POST", BULK_DELETE, json=body)) == (400, ["ids"]), body
    assert call.page() == ([1], 1)


def test_odd_idempotency_key_is_refused(call: Api):
    for key in ("", "k" * 256):
        answer = call("POST", json={}, headers={"Idempotency-Key": key})
        assert fields_of(answer) == (400, ["Idempotency-Key"])
    assert call.page() == ([], 0)


def test_reused_key_is_a_conflict(call: Api):
    headers = {"Idempotency-Key": "k" * 255}
    assert call("POST", json={"name": "a"}, headers=headers).status_code == 201
    for other in ({"name": "b"}, {}, {"name": "a", "unknown": None}):
        assert refused(call("POST", json=other, headers=headers)) == KEY_REUSED
    assert call.page() == ([1], 1)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_changed_activity_is_not_touched(call: Api, method: str):
    call.create()
    headers = {"If-Match": call("GET", 1).headers["ETag"]}
    call("PUT", 1, json={"name": "between"})
    assert refused(call(method, 1, json={"name": "after"}, headers=headers)) == HAS_CHANGED
    assert call.read(1)["name"] == "between"


def test_large_body_is_refused(call: Api):
    call.create()
    for method, path, body in CHANGES:
        if body is not None:
            assert refused(call(method, path, data=b" " * (2**20 + 1))) == TOO_LARGE


def test_unexpected_error_tells_nothing(make_app: Callable[..., Flask], tenant: Home):
    app = make_app()

    @app.before_request
    def fail() -> None:
        raise ZeroDivisionError("the inside")

    call = Api(app.test_client(), tenant.caller(USER).key)
    for operation in OPERATIONS:
        expected = refusal(500, "INTERNAL_SERVER_ERROR", "Internal Server Error")
        assert refused(sent(call, operation)) == expected


def test_lost_database_is_unavailable(make_app: Callable[..., Flask], tenant: Home):
    app = make_app(database_url="postgresql://nobody@127.0.0.1:1/none", redis_url="none")
    text = "The service is unavailable for the moment. Try again later."
    for credential in (tenant.caller(USER).key, tenant.token(USER)):
        answer = Api(app.test_client(), credential)("GET")
        assert refused(answer) == refusal(503, "SERVICE_UNAVAILABLE", text)


def test_every_answer_has_its_headers(call: Api, client: FlaskClient, clock: Clock):
    call.create()
    etag = call("GET", 1).headers["ETag"]
    answers = {
        200: call("GET", headers={"X-Request-Id": "mine"}),
        201: call("POST", json={}, headers={"X-Request-Id": "mine"}),
        304: call("GET", 1, headers={"X-Request-Id": "mine", "If-None-Match": etag}),
        400: call("POST", data=b"{", headers={"X-Request-Id": "mine"}),
        401: client.get(PLACE, headers={"X-Request-Id": "mine"}),
        404: call("GET", 9, headers={"X-Request-Id": "mine"}),
        405: call("PATCH", headers={"X-Request-Id": "mine"}),
        412: call("PUT", 1, json={}, headers={"X-Request-Id": "mine", "If-Match": '"0-0"'}),
        413: call("POST", data=b" " * 2**21, headers={"X-Request-Id": "mine"}),
        204: call("DELETE", 1, headers={"X-Request-Id": "mine"}),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Vary"] == "x-access-token, x-api-key, Authorization"
        assert answer.headers["X-Request-Id"] == "mine"
        assert status in (204, 304) or answer.content_type.startswith("application/json")


def test_unusable_request_id_is_replaced(call: Api):
    for given in ("x" * 129, "a\tb", "é", ""):
        shown = call("GET", headers={"X-Request-Id": given}).headers["X-Request-Id"]
        assert (len(shown), shown.isalnum(), shown == given) == (32, True, False)


def test_other_paths_get_edge_errors(call: Api):
    for path in ("/", "/swagger.json", "/v1/iam/users/1", "/v1/crms", "/v2/crm", "/activitiesx"):
        for method in ("GET", "POST", "DELETE"):
            answer = call(method, path, json={})
            body = {"status": "error", "code": 404, "message": "Not Found", "requestPath": path}
            assert (answer.status_code, list(answer.json.items())) == (404, list(body.items()))
        assert (call("HEAD", path).status_code, call("HEAD", path).get_data()) == (404, b"")
