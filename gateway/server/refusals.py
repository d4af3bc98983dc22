"""Refusals: what the server itself answers, in the words of the dialect that owns the path."""

from http import HTTPStatus

from werkzeug.exceptions import HTTPException, ServiceUnavailable, default_exceptions

from gateway.dialect_errors import DIALECT_HEADERS, error_response, owner_of
from gateway.request import ID_HEADER
from gateway.server.responses import Response

RETRY_AFTER_SECONDS = 1


class Refusal(Exception):
    """A request that the server answers itself, as the last one of its connection."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        """Note the status and, for people, the reason."""
        super().__init__(reason)
        self.status = status


def refusal_response(status: HTTPStatus, reason: str, *, path: str, request_id: str) -> Response:
    """Return the response to a request that never reached the application."""
    answered = error_response(_error(status, reason), path)
    headers = [*answered.headers, (ID_HEADER, request_id)]
    if owner_of(path)[0]:
        headers += DIALECT_HEADERS.items()
    return Response(status, headers, answered.get_data())


def _error(status: HTTPStatus, reason: str) -> HTTPException:
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServiceUnavailable(reason, retry_after=RETRY_AFTER_SECONDS)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # In the words of the application.
        return default_exceptions[status]()
    return default_exceptions[status](reason)
