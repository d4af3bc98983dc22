"""The pages for people: what this service is, one record in both dialects, and both documents.

Everything on them comes from this service, and no script stands in the pages themselves: their
policy lets a browser load and send nothing else.
"""

from importlib.metadata import version
from importlib.resources import as_file, files
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Flask, Response, abort, request, send_file

from core.domain.errors import Unavailable
from core.storage.credential_store import DEMO_TOKEN
from core.storage.database import Database
from core.transfer.demo import demo_key_is_active
from gateway.docs import DOCUMENTS, PACKAGE
from gateway.request import is_loopback

ASSETS = {
    "start.css": ("gateway", "assets", "text/css"),
    "start.js": ("gateway", "assets", "text/javascript"),
    "api.js": ("gateway", "assets", "text/javascript"),
    "swagger-ui.css": ("flask_swagger_ui", "dist", "text/css"),
    "swagger-ui-bundle.js": ("flask_swagger_ui", "dist", "text/javascript"),
}
ASSET_AGE_SECONDS = 3600
DEMO_ACTIVITY_ID = 81
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # The icons in Swagger UI's style sheet.
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    "Vary": "Accept",
}
JSON = "application/json"


def install(app: Flask, database: Database, *, demo_token: str | None) -> None:
    """Add the pages and what they load; `demo_token` opens the demo's AchieveApex half."""
    blueprint = Blueprint("docs", __name__)
    names = ", ".join(document.name for document in DOCUMENTS)

    @blueprint.get("/")
    @blueprint.get("/docs")
    def start() -> Response:
        accepted = request.accept_mimetypes
        if accepted[JSON] > accepted["text/html"]:
            return Response(orjson.dumps(_overview()), headers=HEADERS, content_type=JSON)
        return _page("start.html")

    @blueprint.get(f"/docs/<any({names}):name>")
    def api_page(name: str) -> Response:
        return _page("api.html")

    @blueprint.get("/docs/assets/<name>")
    def asset(name: str) -> Response:
        if name not in ASSETS:
            abort(404)
        package, folder, mimetype = ASSETS[name]
        with as_file(files(package) / folder / name) as path:
            return send_file(path, mimetype=mimetype, max_age=ASSET_AGE_SECONDS)

    @blueprint.get("/docs/demo.json")
    def demo() -> Response:
        body = _demo(database, demo_token)
        return Response(orjson.dumps(body), headers={"Cache-Control": "no-store"}, mimetype=JSON)

    app.register_blueprint(blueprint)


def _page(name: str) -> Response:
    """Return a page, whose links lead to where a proxy has the service."""
    text = (files("gateway") / "assets" / name).read_text("utf-8")
    text = text.replace('="/', f'="{request.script_root}/')
    return Response(text, headers=HEADERS, content_type="text/html; charset=utf-8")


def _overview() -> dict[str, object]:
    """Return what the start page says, for programs."""
    root = request.script_root
    return {
        "name": PACKAGE,
        "version": version(PACKAGE),
        "documents": {
            document.name: {
                "title": document.title,
                "page": f"{root}/docs/{document.name}",
                "openapi": f"{root}/docs/{document.name}/openapi.json",
            }
            for document in DOCUMENTS
        },
        "health": [f"{root}/health/{name}" for name in ("live", "ready", "startup")],
        "metrics": f"{root}/metrics",
    }


def _demo(database: Database, demo_token: str | None) -> dict[str, object]:
    """Return the demo's credentials by dialect, as the pages fill them in; nothing without demo.

    Only requests to this machine by a name of its own get them, although Deskera's is public.
    """
    try:
        is_told = is_loopback(urlsplit(f"//{request.host}").hostname or "")
        if not (is_told and demo_key_is_active(database)):
            return {}
    except (Unavailable, ValueError):
        return {}
    return {"deskera": DEMO_TOKEN, "achieveapex": demo_token, "activity_id": DEMO_ACTIVITY_ID}
