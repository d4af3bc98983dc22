"""What browsers are told: which pages may read a response, and what a request may carry."""

from flask import Blueprint, Response

from adapters.http import empty_response
from adapters.plain_views import PlainView

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
    "Access-Control-Allow-Headers": "accept, authorization, content-type, idempotency-key, "
    "if-match, if-none-match, x-access-token, x-api-key, x-request-id, x-service-method",
    "Access-Control-Max-Age": "86400",
}


def allow_browsers(response: Response) -> Response:
    """Let pages of any origin read the response, as generated Feathers apps do by default.

    Credentials travel in headers that a foreign page would have to know, never in cookies.
    Source: docs/dialects/achieveapex.md A12.
    """
    response.headers[ALLOW_ORIGIN] = "*"
    response.headers["Access-Control-Expose-Headers"] = "ETag, X-Request-Id"
    return response


class Preflight(PlainView):
    """The answers to preflights."""

    def options(self, **_: object) -> Response:
        """Return the methods and headers that are allowed."""
        response = empty_response(204)
        response.headers.update(PREFLIGHT_HEADERS)
        return response


def allow_preflights(blueprint: Blueprint, *rules: str) -> None:
    """Answer preflights at these rules."""
    view = Preflight.as_view(Preflight.__name__)
    for rule in rules:
        # Flask's own method: that of a flask-smorest blueprint would put them into the document.
        Blueprint.add_url_rule(blueprint, rule, view_func=view, strict_slashes=False)
