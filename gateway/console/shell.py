"""What every page of the console shares: its blueprint, who may see it, and how it is rendered.

A page is one module with views on `blueprint` and one folder of templates; `menu` lists them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NamedTuple, cast

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_wtf.csrf import generate_csrf, validate_csrf
from structlog.typing import FilteringBoundLogger
from werkzeug.exceptions import HTTPException
from wtforms import ValidationError

from adapters.error_status import retry_headers, status_of
from core.domain.errors import CoreError, Unavailable
from core.domain.model import Principal
from core.storage.database import allow
from gateway.console.login_sessions import MAX_LIFE, LoginSessions
from gateway.console.session_cookie import SigningKey
from gateway.observability.health import Health
from gateway.request import current_request

NAME, PREFIX = "console", "/console"
EXTENSION = "console"
LOGIN = "login"
"""The name in a session under which it stores who is logged in."""

ASSETS_VIEW = "console.static"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"
PARTIAL_HEADER = "X-Partial"
"""What the script says that asks for a part of a page."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OUTDATED_FORM = "This form is too old, or not from this page. Load the page again and repeat it."
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

blueprint = Blueprint(
    NAME,
    __name__,
    url_prefix=PREFIX,
    template_folder="templates",
    static_folder="static",
    static_url_path="/assets",
)


class MenuItem(NamedTuple):
    """A page in the navigation: the view that shows it, and its title."""

    endpoint: str
    title: str


@dataclass(frozen=True, slots=True)
class Console:
    """What the shell needs of the application; pages find their own parts beside it."""

    logins: LoginSessions
    key: SigningKey
    logger: FilteringBoundLogger
    count_failure: Callable[[str], None]
    menu: Sequence[MenuItem]
    login_view: str


def console() -> Console:
    """Return the console of the application that answers now."""
    return cast(Console, current_app.extensions[EXTENSION])


def principal() -> Principal:
    """Return who is logged in, with the tenants that the pages may show."""
    return cast(Principal, g.principal)


def page(template: str, status: int = HTTPStatus.OK, **context: Any) -> Response:
    """Return a page, or a part of one, from a template below `templates/`."""
    text = render_template(
        template,
        menu=console().menu,
        principal=g.get("principal"),
        csrf_token=_csrf_token,
        **context,
    )
    return make_response(text, status)


def tell(event: str, **details: Any) -> None:
    """Log what an operator did; `details` hold no secret."""
    who = g.get("principal")
    named = {"tenant": list(who.tenant_ids), "user": who.user_id} if who else {}
    console().logger.info(event, **named, **details)


def _csrf_token() -> str:
    return str(generate_csrf(secret_key=console().key.value, token_key=CSRF_FIELD))


@blueprint.before_request
def check_visitor() -> Response | None:
    """Let only who is logged in see more than the login page, and change things from our pages."""
    current = current_request()
    if current.endpoint == ASSETS_VIEW:
        return None
    key = console().key.value
    if current.method not in SAFE_METHODS:
        _check_csrf(key)
    if current.endpoint == console().login_view:
        return None
    stored = session.get(LOGIN)
    known = console().logins.principal(stored) if stored else None
    if known is None:
        session.pop(LOGIN, None)
        return _to_login(has_ended=stored is not None)
    current.principal = g.principal = known
    allow(known.tenant_ids)
    return None


def _check_csrf(key: bytes) -> None:
    token = request.headers.get(CSRF_HEADER) or request.form.get(CSRF_FIELD)
    try:
        seconds = MAX_LIFE.total_seconds()
        validate_csrf(token, secret_key=key, time_limit=seconds, token_key=CSRF_FIELD)
    except ValidationError:
        abort(HTTPStatus.BAD_REQUEST, OUTDATED_FORM)


def _to_login(*, has_ended: bool) -> Response:
    if PARTIAL_HEADER in request.headers:
        return page("ended.html", HTTPStatus.UNAUTHORIZED)
    target = request.full_path.rstrip("?") if request.method in SAFE_METHODS else None
    url = url_for(console().login_view, next=target, ended=1 if has_ended else None)
    return cast(Response, redirect(url, HTTPStatus.SEE_OTHER))


@blueprint.after_request
def protect(response: Response) -> Response:
    """Let a browser run and load nothing but ours, and keep no page."""
    response.headers.update(HEADERS)
    if request.endpoint != ASSETS_VIEW:
        response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.errorhandler(CoreError)
def on_core_error(error: CoreError) -> Response:
    """Answer a core error that a page did not show beside its field."""
    checks: Mapping[str, Any] = {}
    if isinstance(error, Unavailable):
        checks = cast(Health, current_app.extensions["health"]).readiness()[1]
    response = error_page(status_of(error), error.public_message, checks)
    response.headers.update(retry_headers(error))
    return response


@blueprint.errorhandler(HTTPException)
def on_http_error(error: HTTPException) -> Response:
    """Answer an error of HTTP with a page."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    is_ours = error.description == OUTDATED_FORM
    return error_page(status, OUTDATED_FORM if is_ours else status.description)


def error_page(status: int, message: str, checks: Mapping[str, Any] = {}) -> Response:
    """Return the page that tells what went wrong, with the id to look for in the log."""
    return page(
        "error.html",
        status,
        name=HTTPStatus(status).phrase,
        message=message,
        request_id=current_request().request_id,
        checks={name: check for name, (check,) in checks.items()},
    )
