"""Errors of HTTP in the words of the dialect that owns the path."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Response
from werkzeug.exceptions import HTTPException

from adapters import achieveapex, deskera

ErrorHandler = Callable[[HTTPException], Response]
HANDLERS: Mapping[str, tuple[str, ErrorHandler]] = {
    "/v1/crm": (deskera.NAME, deskera.on_http_error),
    "/activities": (achieveapex.NAME, achieveapex.on_http_error),
}
"""The dialect below each prefix, and who answers its errors, whether a view was found or not."""

DIALECT_HEADERS: Mapping[str, str] = {
    "Cache-Control": "private, no-cache",
    "Vary": "x-access-token, x-api-key, Authorization",
}
"""What every response of a dialect carries."""


def owner_of(path: str) -> tuple[str, ErrorHandler | None]:
    """Return the dialect that owns a path and its handler of errors; ("", None) for others."""
    for prefix, owner in HANDLERS.items():
        if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
            return owner
    return "", None


def error_response(error: HTTPException, path: str) -> Response:
    """Return the response to an error at a path: Deskera's edge shape where no dialect is."""
    _, on_http_error = owner_of(path)
    if on_http_error is not None:
        return on_http_error(error)
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    response = deskera.edge_error(status, HTTPStatus(status).phrase, path)
    own = ("Allow", "Retry-After")
    response.headers.extend(header for header in error.get_headers() if header[0] in own)
    return response
