"""/directory: upstream systems push users, contacts, companies and deals.

Not a dialect: the bodies are the canonical records of an import, and errors have
the shape of every path outside the dialects, with what is wrong listed under `errors`.
"""

import re
from typing import Any, cast

from flask import Blueprint, Response, current_app, g, request

from adapters.error_status import retry_headers, status_of
from adapters.http import empty_response, json_response
from core.directory_entries import DirectoryEntries
from core.domain.entity import ENTITY_KINDS, EntityRef
from core.domain.errors import CoreError, InvalidEntity, InvalidInput
from core.domain.model import MAX_ID
from core.transfer import ndjson

EXTENSION = "directory_entries"
"""Where `create_app` leaves the `DirectoryEntries` that the views use."""

TENANT_ID = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
PATH = f"/directory/<any({', '.join(ENTITY_KINDS)}):kind>/<int:entity_id>"

blueprint = Blueprint("directory", __name__)


def _entries() -> DirectoryEntries:
    return cast(DirectoryEntries, current_app.extensions[EXTENSION])


@blueprint.get(PATH)
def get_entity(kind: str, entity_id: int) -> Response:
    """Return one entity, with every canonical field."""
    ref = _ref(kind, entity_id)
    return json_response(_entries().get(g.principal, ref, tenant_id=_tenant_id()))


@blueprint.put(PATH)
def put_entity(kind: str, entity_id: int) -> Response:
    """Replace one entity: 201 if it is new, 200 if it was known."""
    payload = ndjson.parse(request.get_data())
    entity, is_new = _entries().put(
        g.principal, _ref(kind, entity_id), payload, tenant_id=_tenant_id()
    )
    return json_response(entity, 201 if is_new else 200)


@blueprint.delete(PATH)
def delete_entity(kind: str, entity_id: int) -> Response:
    """Remove one entity; activities that name it keep its id."""
    _entries().remove(g.principal, _ref(kind, entity_id), tenant_id=_tenant_id())
    return empty_response(204)


@blueprint.post("/directory")
def post_entities() -> Response:
    """Replace the entities of an NDJSON body, all of them or none."""
    lines = request.get_data().split(b"\n")
    count = _entries().put_lines(g.principal, lines, tenant_id=_tenant_id())
    return json_response({"records": count})


def _ref(kind: str, entity_id: int) -> EntityRef:
    if not 1 <= entity_id <= MAX_ID:
        raise InvalidEntity("id", f"must be a whole number from 1 to {MAX_ID}")
    return (kind, entity_id)


def _tenant_id() -> int | None:
    """Return the tenant that the URL names, which only several-tenant credentials need."""
    named = request.args.get("tenant_id")
    if named is None:
        return None
    if not TENANT_ID.fullmatch(named):
        raise InvalidEntity("tenant_id", f"must be a whole number from 1 to {MAX_ID}")
    return int(named)


@blueprint.errorhandler(CoreError)
def on_core_error(error: CoreError) -> Response:
    """Answer a core error in the shape of the paths outside the dialects."""
    status = status_of(error)
    body: dict[str, Any] = {
        "status": "error",
        "code": status,
        "message": error.public_message,
        "requestPath": request.path,
    }
    if isinstance(error, InvalidInput):
        body["message"] = "The request cannot be accepted."
        body["errors"] = [{"field": name, "error": reason} for name, reason in error.problems]
    response = json_response(body, status)
    response.headers.update(retry_headers(error))
    return response
