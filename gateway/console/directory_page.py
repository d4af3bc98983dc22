"""The directory: users, contacts, companies and deals by text, and what shows one of them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import orjson
from flask import Response, abort, current_app, request

from adapters.http import activities
from core.directory_entries import DirectoryEntries
from core.domain.entity import ENTITY_KINDS, EntityRef
from core.domain.errors import EntityNotFound
from core.domain.model import MAX_ID, Page
from core.domain.query import ActivityQuery, AnyOf, Compare, Condition, HasMember, SortKey
from gateway.console.entity_titles import KIND_TITLES, title_of, titled
from gateway.console.shell import blueprint, page
from gateway.console.tenant_choice import acting, chosen_tenant
from gateway.directory import EXTENSION

VIEW, TITLE = "console.directory", "Directory"
SHOWN_ENTITIES = 50
SHOWN_ACTIVITIES = 25
MAX_TEXT_LENGTH = 200
NEWEST = (SortKey("updated_at", descending=True), SortKey("id"))


def entries() -> DirectoryEntries:
    """Return the use cases on the directory."""
    return cast(DirectoryEntries, current_app.extensions[EXTENSION])


@blueprint.get("/directory")
def directory() -> Response:
    """Show what a text finds; without a text the first entities."""
    tenant_id = chosen_tenant()
    text = request.args.get("text", "").strip()[:MAX_TEXT_LENGTH]
    kind = request.args.get("kind", "")
    kinds = [kind] if kind in KIND_TITLES else ENTITY_KINDS
    found = entries().find(acting(tenant_id), text, kinds=kinds, limit=SHOWN_ENTITIES + 1)
    return page(
        "directory/search.html",
        tenant_id=tenant_id,
        text=text,
        kind=kind,
        kinds=KIND_TITLES,
        found=[titled(entity) for entity in found[:SHOWN_ENTITIES]],
        has_more=len(found) > SHOWN_ENTITIES,
    )


@blueprint.get(f"/directory/<int:tenant_id>/<any({', '.join(ENTITY_KINDS)}):kind>/<int:entity_id>")
def entity(tenant_id: int, kind: str, entity_id: int) -> Response:
    """Show one entity, and what shows it; one that is not known may still be referred to."""
    if not 0 <= entity_id <= MAX_ID:
        abort(HTTPStatus.NOT_FOUND)
    ref = (kind, entity_id)
    fields = _fields(tenant_id, ref)
    naming = entries().naming(acting(tenant_id), ref, limit=SHOWN_ENTITIES)
    shown = _activities_of(tenant_id, ref)
    return page(
        "directory/entity.html",
        section=VIEW,
        tenant_id=tenant_id,
        kind=kind,
        kind_title=KIND_TITLES[kind],
        entity_id=entity_id,
        title=title_of(fields) or f"{KIND_TITLES[kind]} {entity_id}",
        fields=_shown_fields(fields),
        is_known=bool(fields),
        naming=[titled(entity) for entity in naming],
        activities=shown.activities,
        total=shown.total,
    )


def _fields(tenant_id: int, ref: EntityRef) -> Mapping[str, Any]:
    try:
        line = entries().get(acting(tenant_id), ref)
    except EntityNotFound:
        return {}
    return cast(Mapping[str, Any], orjson.loads(line))


def _shown_fields(fields: Mapping[str, Any]) -> list[tuple[str, str, EntityRef | None]]:
    """Return names, values and what a value names, of those fields that are known."""
    return [
        (name, _as_text(value), _named(name, value))
        for name, value in fields.items()
        if value is not None and name not in ("kind", "tenant_id", "id")
    ]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _named(name: str, value: Any) -> EntityRef | None:
    kinds = {"contact_id": "contact", "company_id": "company", "owner_id": "user"}
    return (kinds[name], value) if name in kinds else None


def _activities_of(tenant_id: int, ref: EntityRef) -> Page:
    query = ActivityQuery(_names(ref), NEWEST, SHOWN_ACTIVITIES, 0)
    return activities().page(acting(tenant_id), query, expand=lambda _shown, _versions: set())


def _names(ref: EntityRef) -> Condition:
    """Return the condition of an activity that names an entity in any of its fields."""
    kind, entity_id = ref
    if kind == "deal":
        return Compare("deal_id", "=", entity_id)
    if kind != "user":
        return HasMember(f"{kind}_ids", (entity_id,))
    people = ("owner_id", "created_by", "updated_by")
    return AnyOf(
        (
            HasMember("assignee_ids", (entity_id,)),
            *(Compare(name, "=", entity_id) for name in people),
        )
    )
