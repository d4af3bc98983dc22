"""One OpenAPI 3.1 document a dialect; the pages to browse them are in `gateway.pages`."""

from dataclasses import dataclass
from importlib.metadata import version

from flask import Blueprint, Flask, Response, json, request
from flask_smorest import Api
from flask_smorest import Blueprint as DialectBlueprint
from marshmallow import Schema

import adapters.achieveapex.schemas
import adapters.deskera.schemas
from adapters import achieveapex, deskera

PACKAGE = "unified-crm-gateway"
JSON = "application/json"
SECURITY_SCHEMES = {
    "accessToken": {
        "type": "apiKey",
        "in": "header",
        "name": "x-access-token",
        "description": "An opaque key or a JWT.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "An opaque key.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


@dataclass(frozen=True, slots=True)
class Document:
    """What is published of a dialect."""

    name: str
    title: str
    blueprint: DialectBlueprint
    error_schema: type[Schema]


DOCUMENTS = (
    Document(
        deskera.NAME,
        "Unified CRM gateway: Deskera's activity API",
        deskera.blueprint,
        adapters.deskera.schemas.ErrorBody,
    ),
    Document(
        achieveapex.NAME,
        "Unified CRM gateway: AchieveApex's activity API",
        achieveapex.blueprint,
        adapters.achieveapex.schemas.ErrorBody,
    ),
)


def mount(app: Flask, document: Document) -> None:
    """Register a dialect's blueprint and its document, at /docs/<dialect>/openapi.json.

    Each dialect has an `Api` of its own, so that neither document knows of the other's errors.
    """
    prefix = f"{document.name.upper()}_"
    settings = {
        "API_TITLE": document.title,
        "API_VERSION": version(PACKAGE),
        "OPENAPI_VERSION": "3.1.0",
        "API_SPEC_OPTIONS": {
            "components": {"securitySchemes": SECURITY_SCHEMES},
            "security": [{name: []} for name in SECURITY_SCHEMES],
        },
    }
    app.config.update({f"{prefix}{name}": value for name, value in settings.items()})
    api_class = type("DialectApi", (Api,), {"ERROR_SCHEMA": document.error_schema})
    api = api_class(app, config_prefix=prefix)
    api.register_blueprint(document.blueprint)
    app.register_blueprint(_published(api, document))


def _published(api: Api, document: Document) -> Blueprint:
    """Return where the document is, which names the path that a proxy has the service at."""
    blueprint = Blueprint(f"{document.name}-api-docs", __name__)

    @blueprint.get(f"/docs/{document.name}/openapi.json")
    def openapi_json() -> Response:
        root = request.script_root
        servers = {"servers": [{"url": root}]} if root else {}
        text = json.dumps(api.spec.to_dict() | servers, indent=2, sort_keys=False)
        return Response(text, mimetype=JSON)

    return blueprint
