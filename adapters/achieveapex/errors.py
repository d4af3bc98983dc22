"""Core errors and HTTP errors as Feathers' error objects.

Key order is `name, message, code, className, data`, the last only when there is something in it
(docs/dialects/achieveapex.md A95). Clients pick the class by `name`: it is always one that
Feathers knows.
"""

import json
import re
from http import HTTPStatus
from typing import Any

from flask import Response, has_request_context, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from adapters.achieveapex.fields import FIELDS, UNKNOWN_KEY
from adapters.achieveapex.timestamps import timestamp_text
from adapters.error_status import retry_headers, status_of
from adapters.http import json_response
from core.domain.errors import (
    ActivityNotFound,
    CoreError,
    Forbidden,
    ForeignTenant,
    InvalidInput,
    NotAuthenticated,
    TokenExpired,
    TokenNotActive,
)

NAMES = {
    400: "BadRequest",
    401: "NotAuthenticated",
    402: "PaymentError",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "Timeout",
    409: "Conflict",
    411: "LengthRequired",
    422: "Unprocessable",
    429: "TooManyRequests",
    500: "GeneralError",
    501: "NotImplemented",
    502: "BadGateway",
    503: "Unavailable",
}

INTERNAL_ERROR = "Internal Server Error"
FOREIGN_ORGANIZATION = "You do not have access to this organization"

# What jsonwebtoken, the library under Feathers, says of a token that it refuses
# (docs/dialects/achieveapex.md A19).
JWT_REFUSAL = re.compile(r"jwt (?!expired|not active).*|invalid (?:signature|token|algorithm)")

# Ajv names the rule that failed in `keyword`; its sentences, used as reasons here, tell which
# (docs/dialects/achieveapex.md A98).
KEYWORDS = (
    ("must NOT have additional", "additionalProperties"),
    ("must have required", "required"),
    ("must match format", "format"),
    ("must NOT have more than", "maxLength"),
    ("must be >=", "minimum"),
    ("must be <=", "maximum"),
    ("must be equal to one of", "enum"),
    ("must be ", "type"),
)

# Problems with these are told in the message: they are no keys of an activity.
WHOLE = frozenset({"body", "query", "Idempotency-Key"})

# Where the core names a field in its own words, the client is told its own.
WIRE_NAMES = {field.canonical[0]: field.wire for field in FIELDS} | {
    "user": "assigned_to_user_id",
    "deal": "deal_id",
    "contact": "contact_id",
    "company": "company_id",
    "limit": "$limit",
}


class FeathersError(Exception):
    """An answer that stock Feathers gives in exactly these words; `data` is shown as it is."""

    def __init__(self, code: int, message: str, *, data: Any = None) -> None:
        """Answer with this status, text and data."""
        self.code = code
        self.message = message
        self.data = data
        super().__init__(message)


def on_feathers_error(error: FeathersError) -> Response:
    """Return the body of an error that this dialect raised itself."""
    response = _answer(error.code, error.message, data=error.data)
    if error.code == HTTPStatus.METHOD_NOT_ALLOWED and has_request_context():
        response.headers["Allow"] = _offered()
    return response


def on_core_error(error: CoreError) -> Response:
    """Return a core error in Feathers' form; an unexpected one tells nothing of its inside."""
    code = status_of(error)
    if isinstance(error, InvalidInput):
        return _invalid(error)
    if isinstance(error, ActivityNotFound):
        return _answer(code, f"No record found for id '{error.activity_id}'")
    if isinstance(error, NotAuthenticated):
        data = _token_data(error) | {"reason": error.reason, "explanation": error.explanation}
        return _answer(code, error.public_message, data=data)
    if isinstance(error, ForeignTenant):
        return _answer(code, FOREIGN_ORGANIZATION)
    if isinstance(error, Forbidden) and error.missing_scope:
        return _answer(code, error.public_message, data={"explanation": error.explanation})
    response = _answer(
        code, INTERNAL_ERROR if code == HTTPStatus.INTERNAL_SERVER_ERROR else error.public_message
    )
    response.headers.update(retry_headers(error))
    return response


def on_http_error(error: HTTPException) -> Response:
    """Return an HTTP error in Feathers' form, with its own headers, such as Retry-After."""
    code = error.code or 500
    if code == HTTPStatus.NOT_FOUND:
        url = request.full_path.rstrip("?")
        return _answer(code, "Page not found", data={"url": url})
    if isinstance(error, MethodNotAllowed):
        response = _answer(code, f"Method {request.method} not allowed")
        response.headers["Allow"] = _offered()
        return response
    message = (
        INTERNAL_ERROR
        if code == HTTPStatus.INTERNAL_SERVER_ERROR
        else (error.description or error.name)
    )
    response = _answer(code, message)
    response.headers.extend(header for header in error.get_headers() if header[0] != "Content-Type")
    return response


def _offered() -> str:
    """Return the methods that are documented for the request's path."""
    is_list = request.path.strip("/") == "activities"
    return "GET, HEAD, OPTIONS, PATCH, POST" if is_list else "DELETE, GET, HEAD, OPTIONS, PATCH"


def _invalid(error: InvalidInput) -> Response:
    problems = error.problems
    if any(field in WHOLE for field, _ in problems):
        return _answer(400, "; ".join(f"The {field} {reason}" for field, reason in problems))
    return _answer(400, "validation failed", data=[_problem(*problem) for problem in problems])


def _problem(field: str, reason: str) -> dict[str, Any]:
    """Return one failure as Ajv words it, with a path that always names the key itself."""
    keyword = next((word for start, word in KEYWORDS if reason.startswith(start)), "constraint")
    if reason != UNKNOWN_KEY:
        field = WIRE_NAMES.get(field, field)
    path = re.sub(r"[.\[]", "/", field).replace("]", "")
    problem: dict[str, Any] = {"instancePath": f"/{path}", "keyword": keyword}
    name = path.rpartition("/")[2]
    if keyword == "additionalProperties":
        problem["params"] = {"additionalProperty": name}
    elif keyword == "required":
        problem["params"] = {"missingProperty": name}
    return problem | {"message": reason}


def _token_data(error: NotAuthenticated) -> dict[str, str]:
    if isinstance(error, TokenExpired):
        return {"name": "TokenExpiredError", "expiredAt": timestamp_text(error.moment)}
    if isinstance(error, TokenNotActive):
        return {"name": "NotBeforeError", "date": timestamp_text(error.moment)}
    if JWT_REFUSAL.fullmatch(error.public_message):
        return {"name": "JsonWebTokenError"}
    return {}


def _answer(code: int, message: str, *, data: Any = None) -> Response:
    # A name that Feathers does not know (412, 413, 415) would reach clients as a bare Error:
    # docs/dialects/achieveapex.md A96.
    name = NAMES.get(
        code, "BadRequest" if code < HTTPStatus.INTERNAL_SERVER_ERROR else "GeneralError"
    )
    class_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
    body = {"name": name, "message": message, "code": code, "className": class_name}
    if data is not None:
        body["data"] = data
    # The standard library's encoder, because `data` may echo integers of any size.
    return json_response(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), code)
