"""What browsers are told: which pages may read a response, and what a request may carry."""

from flask import Blueprint, Response, request

from adapters.http import EVERY_ORIGIN, empty_response, wire_settings
from adapters.own_headers import EXPOSED
from adapters.plain_views import PlainView

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET,HEAD,PUT,PATCH,POST,DELETE",
    "Access-Control-Allow-Headers": "accept, authorization, content-type, idempotency-key, "
    "if-match, if-none-match, x-access-token, x-api-key, x-request-id, x-service-method",
    "Access-Control-Max-Age": "86400",
}


def allow_browsers(response: Response) -> None:
    """Let pages of the origins that the settings name read the response; by default of any.

    Credentials travel in headers that a foreign page would have to know, never in cookies.
    Source: docs/dialects/achieveapex.md A12.
    """
    headers = response.headers
    headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)
    origins = wire_settings().cors_origins
    if EVERY_ORIGIN in origins:
        headers[ALLOW_ORIGIN] = EVERY_ORIGIN
        return
    headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin in origins:
        headers[ALLOW_ORIGIN] = origin


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
