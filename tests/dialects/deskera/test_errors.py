"""Every error in Deskera's two bodies."""

import orjson
import pytest
from flask import Flask, Response
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestURITooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
)

from adapters.deskera import schemas
from adapters.deskera.errors import edge_error, on_core_error, on_http_error
from core.domain.errors import (
    ActivityNotFound,
    CoreError,
    Forbidden,
    ForeignTenant,
    IdempotencyConflict,
    InvalidActivity,
    NotAuthenticated,
    Unavailable,
    VersionMismatch,
)

APP = Flask("errors")


def body_of(response: Response) -> dict[str, object]:
    """Return an error's body, checked against its schema."""
    body: dict[str, object] = orjson.loads(response.get_data())
    assert schemas.ErrorBody().validate(body) == {}
    assert response.content_type.startswith("application/json")
    assert body["code"] == response.status_code
    assert body["debugMessage"] == body["errorMessage"] or "credential" in str(body["debugMessage"])
    return body


@pytest.mark.parametrize(
    ("error", "status", "name", "message"),
    [
        (NotAuthenticated(), 401, "UNAUTHORIZED", "Could not validate the user"),
        (Forbidden(), 403, "FORBIDDEN", "Forbidden"),
        (ForeignTenant(), 403, "FORBIDDEN", "Forbidden"),
        (ActivityNotFound(7), 404, "NOT_FOUND", "Activity not found."),
        (IdempotencyConflict(), 409, "CONFLICT", IdempotencyConflict.public_message),
        (VersionMismatch(), 412, "PRECONDITION_FAILED", VersionMismatch.public_message),
        (Unavailable(detail="SQL 08006"), 503, "SERVICE_UNAVAILABLE", Unavailable.public_message),
        (CoreError(detail="secret"), 500, "INTERNAL_SERVER_ERROR", CoreError.public_message),
    ],
)
def test_core_error_has_its_text(error: CoreError, status: int, name: str, message: str):
    body = body_of(on_core_error(error))
    assert body == {
        "code": status,
        "errorMessage": message,
        "debugMessage": body["debugMessage"],
        "httpStatus": name,
    }


def test_invalid_input_names_its_fields():
    body = body_of(on_core_error(InvalidActivity("notes", "is odd", ("end", "is early"))))
    assert (body["code"], body["httpStatus"]) == (400, "BAD_REQUEST")
    assert body["errors"] == [
        {"field": "notes", "error": "is odd"},
        {"field": "end", "error": "is early"},
    ]


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (BadRequest("inner words"), "BAD_REQUEST"),
        (Unauthorized(), "UNAUTHORIZED"),
        (NotFound(), "NOT_FOUND"),
        (RequestEntityTooLarge(), "PAYLOAD_TOO_LARGE"),
        (RequestURITooLarge(), "URI_TOO_LONG"),
        (UnsupportedMediaType(), "UNSUPPORTED_MEDIA_TYPE"),
        (TooManyRequests(), "TOO_MANY_REQUESTS"),
        (InternalServerError("inner words"), "INTERNAL_SERVER_ERROR"),
    ],
)
def test_http_error_has_same_shape(error: HTTPException, name: str):
    with APP.test_request_context("/v1/crm/activities"):
        body = body_of(on_http_error(error))
    assert body["httpStatus"] == name
    assert "inner" not in str(body)


def test_wrong_method_keeps_allow():
    with APP.test_request_context("/v1/crm/activities"):
        response = on_http_error(MethodNotAllowed(valid_methods=["GET", "POST"]))
    assert body_of(response)["httpStatus"] == "METHOD_NOT_ALLOWED"
    assert response.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/crm/activities/abc", "Activity not found."),
        ("/v1/crm/activities/-1/", "Activity not found."),
        ("/v1/crm/activities/1/notes", "Not Found"),
        ("/v1/crm/contacts", "Not Found"),
    ],
)
def test_unmatched_id_is_not_found(path: str, message: str):
    with APP.test_request_context(path):
        assert body_of(on_http_error(NotFound()))["errorMessage"] == message


def test_edge_error_names_its_path():
    response = edge_error(404, "Not Found", "/swagger.json")
    body = orjson.loads(response.get_data())
    assert schemas.EdgeErrorBody().validate(body) == {}
    assert (response.status_code, list(body.values())) == (
        404,
        ["error", 404, "Not Found", "/swagger.json"],
    )


@pytest.mark.parametrize(
    ("error", "debug"),
    [
        (NotAuthenticated(reason="missing"), "There is no credential in the request."),
        (NotAuthenticated(reason="malformed"), "The credential in the request is malformed."),
        (NotAuthenticated(), "The credential in the request is unknown."),
        (Forbidden(missing_scope="write"), "The credential lacks the scope write."),
        (Forbidden(), "Forbidden"),
        (ForeignTenant(), "Forbidden"),
    ],
)
def test_refused_credential_is_explained(error: CoreError, debug: str):
    assert body_of(on_core_error(error))["debugMessage"] == debug
