"""Parts of an API document that both dialects write in the same way."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from flask import Response
from marshmallow import Schema
from werkzeug.exceptions import RequestEntityTooLarge, RequestURITooLarge

from adapters.http import MAX_KEY_LENGTH
from adapters.own_headers import IGNORED_FIELDS, UNKNOWN_COUNT, UPDATED_COUNT
from core.domain.errors import (
    ActivityNotFound,
    DatabaseTimeout,
    Forbidden,
    IdempotencyConflict,
    NotAuthenticated,
    RateLimited,
    Unavailable,
    VersionMismatch,
)

Operation = dict[str, Any]
Errors = dict[str, Exception]
JSON = "application/json"

REASONS = {
    400: "The body, a parameter or the query cannot be read; each fault is named.",
    401: "There is no usable credential.",
    403: "The credential may not do this.",
    404: "There is no such activity, or none that the caller may know of.",
    405: "Not offered.",
    409: "The Idempotency-Key came with another body before.",
    412: "The activity has another version than If-Match names.",
    413: "The body is too large.",
    414: "The URL is too long.",
    429: "A limit on requests is reached; Retry-After tells when to try again.",
    503: "The service cannot answer for the moment; Retry-After tells when to try again.",
}
ALWAYS = (401, 403, 429, 503)


def _no_credential(sources: tuple[str, ...]) -> NotAuthenticated:
    error = NotAuthenticated(reason="missing")
    error.sources = sources
    return error


def _rate_limited() -> RateLimited:
    text = "Too many requests. Try again later."
    return RateLimited(text, detail=text, retry_after_seconds=1, headers={})


ERRORS: Mapping[int, Errors] = {
    403: {"scope": Forbidden(missing_scope="write")},
    404: {"unknown": ActivityNotFound(999)},
    409: {"key": IdempotencyConflict()},
    412: {"version": VersionMismatch()},
    413: {"body": RequestEntityTooLarge()},
    414: {"url": RequestURITooLarge()},
    429: {"rate": _rate_limited()},
    503: {"database": Unavailable(), "timeout": DatabaseTimeout()},
}
"""Errors that stand for a status in examples, by their cause."""

NOT_READING: Errors = {"scope": Forbidden(missing_scope="read")}


def body(schema: type[Schema] | dict[str, Any], example: Any) -> Operation:
    """Return a JSON body that must be sent."""
    return {"required": True, "content": {JSON: {"schema": schema, "example": example}}}


def parameter(name: str, description: str, *, place: str = "query", **schema: Any) -> Operation:
    """Return a parameter; `schema` is its JSON schema."""
    return {"name": name, "in": place, "description": description, "schema": schema}


def header(name: str, description: str, **schema: Any) -> Operation:
    """Return a request header; `schema` bounds its text."""
    return parameter(name, description, place="header", type="string", **schema)


IDEMPOTENCY_KEY = header(
    "Idempotency-Key",
    "A repeat with the same key and body gives the first answer.",
    minLength=1,
    maxLength=MAX_KEY_LENGTH,
)


def activity_id(example: int, **schema: Any) -> Operation:
    """Return the id in the path; the example is one of the demo data's."""
    described = parameter("activity_id", "The activity's id.", place="path", **schema)
    return described | {"required": True, "example": example}


def success(
    status: int, description: str, *, counts: bool = False, etag: bool = False
) -> Operation:
    """Return the description of a success and of the headers that it may carry."""
    headers = {IGNORED_FIELDS: ("string", "Names of what was ignored, percent-encoded.")}
    if counts:
        headers[UPDATED_COUNT] = ("integer", "How many of the ids were found.")
        headers[UNKNOWN_COUNT] = ("integer", "How many of the ids were not.")
    if etag:
        headers["ETag"] = ("string", "The version, for If-Match, and a digest of the body.")
    described = {
        name: {"description": text, "schema": {"type": kind}}
        for name, (kind, text) in headers.items()
    }
    return {str(status): {"description": description, "headers": described}}


class Failures:
    """Writes the failures of operations, with examples as the dialect itself renders them."""

    def __init__(
        self, schema: type[Schema], render: Callable[[Any], Response], *, sources: tuple[str, ...]
    ) -> None:
        """Take the schema of failures, what renders them, and the order of credential headers."""
        self._schema = schema
        self._render = render
        self._errors: dict[int, Errors] = {**ERRORS, 401: {"missing": _no_credential(sources)}}

    def __call__(
        self, *statuses: int, own: Mapping[int, Errors] = MappingProxyType({})
    ) -> Operation:
        """Return the responses of these statuses, and of those that every operation has.

        `own` are errors that only this operation gives, by their status and cause.
        """
        found = sorted({*statuses, *own, *ALWAYS})
        return {str(status): self._response(status, own.get(status, {})) for status in found}

    def _response(self, status: int, own: Errors) -> Operation:
        errors = {**self._errors.get(status, {}), **own}
        examples = {
            cause: {"value": self._render(error).get_json()} for cause, error in errors.items()
        }
        content = {JSON: {"schema": self._schema, "examples": examples}}
        return {"description": REASONS[status], "content": content}
