"""The HTTP status of every error of the core, the same in both dialects."""

from core.domain.errors import (
    ActivityNotFound,
    AnswerTooLarge,
    Conflict,
    CoreError,
    DatabaseTimeout,
    EntityNotFound,
    Forbidden,
    ForeignTenant,
    IdempotencyConflict,
    InvalidActivity,
    InvalidEntity,
    InvalidInput,
    InvalidQuery,
    NotAuthenticated,
    NotFound,
    RateLimited,
    TokenExpired,
    TokenNotActive,
    Unavailable,
    VersionMismatch,
)

STATUS: dict[type[CoreError], int] = {
    CoreError: 500,
    InvalidInput: 400,
    InvalidActivity: 400,
    InvalidQuery: 400,
    AnswerTooLarge: 400,
    InvalidEntity: 400,
    NotAuthenticated: 401,
    TokenExpired: 401,
    TokenNotActive: 401,
    Forbidden: 403,
    ForeignTenant: 403,
    NotFound: 404,
    ActivityNotFound: 404,
    EntityNotFound: 404,
    Conflict: 409,
    IdempotencyConflict: 409,
    VersionMismatch: 412,
    RateLimited: 429,
    Unavailable: 503,
    DatabaseTimeout: 503,
}


def retry_headers(error: CoreError) -> dict[str, str]:
    """Return the headers that tell when to try again, where that is right."""
    if isinstance(error, Unavailable):
        return {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, RateLimited):
        return {"Retry-After": str(error.retry_after_seconds), **error.headers}
    return {}


def status_of(error: CoreError) -> int:
    """Return the status of an error: that of its class, or of the nearest one above."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
