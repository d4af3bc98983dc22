"""Logging in and out."""

from http import HTTPStatus
from typing import cast

from flask import Response, redirect, request, session, url_for

from adapters.error_status import retry_headers, status_of
from core.domain.errors import CoreError, Forbidden, NotAuthenticated, RateLimited
from gateway.console.shell import LOGIN, PREFIX, blueprint, console, page, tell
from gateway.request import current_request

VIEW = "console.login"
MISSING = "Enter a key."
USELESS = "This key opens nothing here: it is {}."
EXPLAINED = {
    "malformed": "neither a whole key nor a JWT",
    "expired": "expired",
    "not yet valid": "not valid yet",
    "unknown": "unknown, or revoked",
}


@blueprint.route("/login", methods=("GET", "POST"))
def login() -> Response:
    """Show the form, or begin a session with the key in it."""
    if request.method != "POST":
        return page("login.html", error=None, has_ended="ended" in request.args)
    key = request.form.get("key", "").strip()
    if not key:
        return page("login.html", HTTPStatus.BAD_REQUEST, error=MISSING, has_ended=False)
    try:
        stored = console().logins.begin(request.environ, key)
    except (NotAuthenticated, Forbidden, RateLimited) as error:
        return _refused(error)
    session.clear()
    session[LOGIN] = stored
    tell("console login", tenant=stored["tenants"], user=stored["user"])
    return cast(Response, redirect(_target(), HTTPStatus.SEE_OTHER))


def _refused(error: CoreError) -> Response:
    text = error.public_message
    if isinstance(error, Forbidden):
        text = error.explanation
    if isinstance(error, NotAuthenticated):
        text = USELESS.format(EXPLAINED[error.reason])
        console().count_failure(error.reason)
        current_request().refusal = f"{error.reason} in the console: {error}"
    response = page("login.html", status_of(error), error=text, has_ended=False)
    response.headers.update(retry_headers(error))
    return response


def _target() -> str:
    """Return the page that was wanted before, if it is one of ours."""
    wanted = request.args.get("next", "")
    is_ours = wanted.startswith(f"{PREFIX}/") and wanted.isprintable() and "\\" not in wanted
    return request.script_root + wanted if is_ours else url_for("console.overview")


@blueprint.post("/logout")
def logout() -> Response:
    """End the session, also for whoever copied its cookie."""
    console().logins.end(session[LOGIN])
    tell("console logout")
    session.clear()
    return cast(Response, redirect(url_for(VIEW), HTTPStatus.SEE_OTHER))
