"""The pages of the console, in the order of the navigation. A new page is one line here."""

from http import HTTPStatus

from flask import Flask, Response, abort
from jinja2 import StrictUndefined
from structlog.typing import FilteringBoundLogger

from core.domain.clock import Clock
from core.storage.database import Database
from core.storage.database_identity import identity
from core.storage.revocation_store import Revocations
from gateway.auth.authenticator import Authenticator
from gateway.console import (
    activity_page,
    credentials_page,
    directory_page,
    incidents_page,
    login_page,
    overview_page,
    transfer_page,
)
from gateway.console.login_sessions import LoginSessions
from gateway.console.session_cookie import ConsoleSessions, SigningKey
from gateway.console.shell import EXTENSION, PREFIX, Console, MenuItem, blueprint
from gateway.console.transfers import Transfers
from gateway.console.upload_admission import UploadAdmission
from gateway.observability.history import History
from gateway.observability.incidents import Incidents
from gateway.observability.metrics import Metrics
from gateway.settings import Settings

PAGES = (overview_page, activity_page, directory_page, credentials_page, incidents_page)
MENU = tuple(MenuItem(page.VIEW, page.TITLE) for page in PAGES)


@blueprint.route("/<path:_missing>", methods=("GET", "POST"))
def missing(_missing: str) -> Response:
    """Answer what is no page in the console's own manner."""
    abort(HTTPStatus.NOT_FOUND)


def install(
    app: Flask,
    database: Database,
    authenticator: Authenticator,
    *,
    logger: FilteringBoundLogger,
    clock: Clock,
) -> None:
    """Add the console to an application that has its core, its metrics and its health."""
    metrics: Metrics = app.extensions["metrics"]
    settings: Settings = app.extensions["settings"]
    key = SigningKey(lambda: identity(database).cache_secret, jwt_secret=settings.jwt_secret)
    revocations = app.extensions[credentials_page.REVOCATIONS] = Revocations(database, clock)
    logins = LoginSessions(authenticator, app.extensions["credentials"], revocations, clock=clock)
    app.extensions[EXTENSION] = Console(
        logins, key, logger, metrics.count_credential_failure, MENU, login_page.VIEW
    )
    app.extensions["clock"] = clock
    app.extensions[overview_page.HISTORY] = History(metrics)
    app.extensions[incidents_page.INCIDENTS] = Incidents(metrics.directory)
    app.extensions[transfer_page.EXTENSION] = Transfers(settings, database, logger)
    admission = UploadAdmission(
        key,
        path=f"{PREFIX}{transfer_page.IMPORTS_PATH}",
        max_bytes=settings.import_bytes,
        clock=clock,
    )
    app.extensions["admit_upload"] = admission
    app.extensions["prepare_uploads"] = admission.prepare
    app.session_interface = ConsoleSessions(key, path=PREFIX)
    app.jinja_env.undefined = StrictUndefined
    app.register_blueprint(blueprint)
