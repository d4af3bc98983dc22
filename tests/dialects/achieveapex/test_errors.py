"""Feathers' error objects, compared as text: their key order is part of the wire."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestURITooLarge,
    ServiceUnavailable,
    UnsupportedMediaType,
)

from adapters.achieveapex.errors import (
    NAMES,
    FeathersError,
    on_core_error,
    on_feathers_error,
    on_http_error,
)
from adapters.error_status import STATUS
from core.domain.errors import (
    ActivityNotFound,
    CoreError,
    Forbidden,
    ForeignTenant,
    IdempotencyConflict,
    InvalidActivity,
    InvalidQuery,
    NotAuthenticated,
    TokenExpired,
    TokenNotActive,
    Unavailable,
    VersionMismatch,
)

MOMENT = datetime(2025, 4, 1, 12, 0, 0, 5999, tzinfo=UTC)
NOT_AUTHENTICATED = '"code":401,"className":"not-authenticated"'
UNKNOWN = '"reason":"unknown","explanation":"The credential in the request is unknown."'
JWT_DATA = f'{NOT_AUTHENTICATED},"data":{{"name":"JsonWebTokenError",{UNKNOWN}}}}}'


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            ActivityNotFound("568225fbfe21222432e836ff"),
            '{"name":"NotFound","message":"No record found for id \'568225fbfe21222432e836ff\'",'
            '"code":404,"className":"not-found"}',
        ),
        (
            NotAuthenticated(),
            f'{{"name":"NotAuthenticated","message":"Not authenticated",{NOT_AUTHENTICATED},'
            f'"data":{{{UNKNOWN}}}}}',
        ),
        (
            NotAuthenticated("Invalid API key"),
            f'{{"name":"NotAuthenticated","message":"Invalid API key",{NOT_AUTHENTICATED},'
            f'"data":{{{UNKNOWN}}}}}',
        ),
        (
            NotAuthenticated("jwt malformed"),
            f'{{"name":"NotAuthenticated","message":"jwt malformed",{JWT_DATA}',
        ),
        (
            NotAuthenticated("invalid signature"),
            f'{{"name":"NotAuthenticated","message":"invalid signature",{JWT_DATA}',
        ),
        (
            NotAuthenticated("jwt signature is required"),
            f'{{"name":"NotAuthenticated","message":"jwt signature is required",{JWT_DATA}',
        ),
        (
            TokenExpired(MOMENT),
            f'{{"name":"NotAuthenticated","message":"jwt expired",{NOT_AUTHENTICATED},'
            '"data":{"name":"TokenExpiredError","expiredAt":"2025-04-01T12:00:00.005Z",'
            '"reason":"expired","explanation":"The credential in the request is expired."}}',
        ),
        (
            TokenNotActive(MOMENT),
            f'{{"name":"NotAuthenticated","message":"jwt not active",{NOT_AUTHENTICATED},'
            '"data":{"name":"NotBeforeError","date":"2025-04-01T12:00:00.005Z",'
            '"reason":"not yet valid",'
            '"explanation":"The credential in the request is not yet valid."}}',
        ),
        (
            Forbidden(),
            '{"name":"Forbidden","message":"Forbidden","code":403,"className":"forbidden"}',
        ),
        (
            Forbidden(missing_scope="write"),
            '{"name":"Forbidden","message":"Forbidden","code":403,"className":"forbidden",'
            '"data":{"explanation":"The credential lacks the scope write."}}',
        ),
        (
            ForeignTenant(),
            '{"name":"Forbidden","message":"You do not have access to this organization",'
            '"code":403,"className":"forbidden"}',
        ),
        (
            IdempotencyConflict(),
            '{"name":"Conflict","message":"This Idempotency-Key was used with another body.",'
            '"code":409,"className":"conflict"}',
        ),
        (
            VersionMismatch(),
            '{"name":"BadRequest","message":"The activity has changed since the version named in '
            'If-Match.","code":412,"className":"bad-request"}',
        ),
        (
            Unavailable(detail="connection to 10.0.0.1 refused"),
            '{"name":"Unavailable","message":"The service is unavailable for the moment. Try again '
            'later.","code":503,"className":"unavailable"}',
        ),
        (
            CoreError(detail="SELECT 1"),
            '{"name":"GeneralError","message":"Internal Server Error","code":500,'
            '"className":"general-error"}',
        ),
        (
            InvalidActivity("subject", "must have required property 'subject'"),
            '{"name":"BadRequest","message":"validation failed","code":400,'
            '"className":"bad-request","data":[{"instancePath":"/subject","keyword":"required",'
            '"params":{"missingProperty":"subject"},'
            '"message":"must have required property \'subject\'"}]}',
        ),
        (
            InvalidQuery("$or/0/nope", "must NOT have additional properties"),
            '{"name":"BadRequest","message":"validation failed","code":400,'
            '"className":"bad-request","data":[{"instancePath":"/$or/0/nope",'
            '"keyword":"additionalProperties","params":{"additionalProperty":"nope"},'
            '"message":"must NOT have additional properties"}]}',
        ),
        (
            InvalidActivity("location_geocoded.lat", "must be number"),
            '{"name":"BadRequest","message":"validation failed","code":400,'
            '"className":"bad-request","data":[{"instancePath":"/location_geocoded/lat",'
            '"keyword":"type","message":"must be number"}]}',
        ),
        (
            InvalidActivity("assignee_ids", "9 is unknown", ("contact", "8 is unknown")),
            '{"name":"BadRequest","message":"validation failed","code":400,'
            '"className":"bad-request","data":[{"instancePath":"/assigned_to_user_id",'
            '"keyword":"constraint","message":"9 is unknown"},{"instancePath":"/contact_id",'
            '"keyword":"constraint","message":"8 is unknown"}]}',
        ),
        (
            InvalidActivity("notes", "must NOT have additional properties"),
            '{"name":"BadRequest","message":"validation failed","code":400,'
            '"className":"bad-request","data":[{"instancePath":"/notes",'
            '"keyword":"additionalProperties","params":{"additionalProperty":"notes"},'
            '"message":"must NOT have additional properties"}]}',
        ),
        (
            InvalidActivity("body", "is empty; JSON is expected"),
            '{"name":"BadRequest","message":"The body is empty; JSON is expected","code":400,'
            '"className":"bad-request"}',
        ),
    ],
)
def test_core_errors_read_like_feathers(error: CoreError, text: str):
    assert on_core_error(error).get_data(as_text=True) == text


@pytest.mark.parametrize(("kind", "status"), STATUS.items())
def test_status_is_also_the_code(kind: type[CoreError], status: int):
    error = kind.__new__(kind)
    CoreError.__init__(error)
    error.problems, error.activity_id, error.moment = [], 1, MOMENT
    error.reason, error.missing_scope = "unknown", None
    error.retry_after_seconds, error.headers = 1, {}
    response = on_core_error(error)
    assert (response.status_code, response.get_json()["code"]) == (status, status)


@pytest.mark.parametrize(
    ("error", "code", "name", "message"),
    [
        (MethodNotAllowed(["GET"]), 405, "MethodNotAllowed", "Method TRACE not allowed"),
        (RequestEntityTooLarge(), 413, "BadRequest", None),
        (RequestURITooLarge(), 414, "BadRequest", None),
        (UnsupportedMediaType(), 415, "BadRequest", None),
        (InternalServerError("secret"), 500, "GeneralError", "Internal Server Error"),
        (ServiceUnavailable(), 503, "Unavailable", None),
    ],
)
def test_http_errors_have_known_names(
    error: HTTPException, code: int, name: str, message: str | None
):
    with Flask(__name__).test_request_context("/activities", method="TRACE"):
        response = on_http_error(error)
    body = response.get_json()
    assert (response.status_code, body["code"], body["name"]) == (code, code, name)
    assert body["name"] in NAMES.values()
    assert message in (None, body["message"])


def test_own_headers_of_http_errors_stay():
    with Flask(__name__).test_request_context("/activities"):
        response = on_http_error(ServiceUnavailable(retry_after=7))
    assert response.headers["Retry-After"] == "7"
    assert response.headers.getlist("Content-Type") == [response.content_type]


def test_unknown_path_reads_like_express():
    with Flask(__name__).test_request_context("/activities-of-old?a=1"):
        text = on_http_error(NotFound()).get_data(as_text=True)
    assert text == (
        '{"name":"NotFound","message":"Page not found","code":404,"className":"not-found",'
        '"data":{"url":"/activities-of-old?a=1"}}'
    )


def test_feathers_errors_echo_any_number():
    text = on_feathers_error(FeathersError(400, "no", data={"$foo": 2**80})).get_data(as_text=True)
    assert text.endswith('"data":{"$foo":1208925819614629174706176}}')
