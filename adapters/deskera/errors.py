"""Core errors and HTTP errors in Deskera's two error bodies.

No error of the CRM service is published. Below /v1/crm we answer with the one error class that
Deskera publishes (its Java SDK's ErrorResponse, docs/dialects/deskera.md D98); outside of every
dialect, with what Deskera's edge was seen to send (docs/dialects/deskera.md D99).
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from adapters.error_status import retry_headers, status_of
from adapters.http import json_response
from core.domain.errors import (
    ActivityNotFound,
    CoreError,
    Forbidden,
    InvalidInput,
    NotAuthenticated,
)

FIXED_TEXTS = {401: "Could not validate the user", 403: "Forbidden"}
"""Deskera's own words: docs/dialects/deskera.md D100."""

SPRING_NAMES = {413: "PAYLOAD_TOO_LARGE", 414: "URI_TOO_LONG"}
"""Names of Spring's HttpStatus where Python's differ: docs/dialects/deskera.md D101."""

WIRE_NAMES = {"limit": "pageSize", "subject": "name"}
"""Where the core names what is wrong in its own words, the client is told its own."""

ACTIVITY_PATH = re.compile(r"/v1/crm/activities/[^/]+/?")
Problems = Sequence[tuple[str, str]]


def on_core_error(error: CoreError) -> Response:
    """Return a core error below /v1/crm.

    Input errors name their fields; refused credentials say in `debugMessage` what is wrong.
    """
    status = status_of(error)
    problems = error.problems if isinstance(error, InvalidInput) else ()
    text = FIXED_TEXTS.get(status, error.public_message)
    response = _envelope(status, text, problems, debug=_explanation(error))
    response.headers.update(retry_headers(error))
    return response


def _explanation(error: CoreError) -> str | None:
    """Return what is wrong with a credential, where that may be told."""
    if isinstance(error, NotAuthenticated):
        return error.explanation
    if isinstance(error, Forbidden) and error.missing_scope:
        return error.explanation
    return None


def on_http_error(error: HTTPException) -> Response:
    """Return an HTTP error below /v1/crm, with its own headers, such as Allow.

    What stands directly below the activities and matches no route is an id that cannot be.
    """
    status = error.code or 500
    message = FIXED_TEXTS.get(status, HTTPStatus(status).phrase)
    if status == HTTPStatus.NOT_FOUND and ACTIVITY_PATH.fullmatch(request.path):
        message = ActivityNotFound.public_message
    response = _envelope(status, message)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def edge_error(status: int, message: str, path: str) -> Response:
    """Return the edge's error, for a path that belongs to no dialect."""
    body = {"status": "error", "code": status, "message": message, "requestPath": path}
    return json_response(body, status)


def _envelope(
    status: int, message: str, problems: Problems = (), *, debug: str | None = None
) -> Response:
    name = SPRING_NAMES.get(status) or HTTPStatus(status).name
    body: dict[str, Any] = {
        "code": status,
        "errorMessage": message,
        "debugMessage": debug or message,  # docs/dialects/deskera.md D102.
        "httpStatus": name,
    }
    if problems:
        body["errors"] = [
            {"field": WIRE_NAMES.get(field, field), "error": reason} for field, reason in problems
        ]
    return json_response(body, status)
