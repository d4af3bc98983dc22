"""The views of `/activities`: check, call the core once, render.

Stock Feathers clients decide what is understood here; the texts for what is not offered are those
of stock Feathers, word for word (docs/dialects/achieveapex.md A5, A6, A9).
"""

import re
from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import Any

import orjson
from flask import Response, request
from flask_smorest import Blueprint

from adapters.achieveapex import operations, schemas
from adapters.achieveapex.bodies import bulk_ids, object_body, tenant_of_write
from adapters.achieveapex.details import Expansion
from adapters.achieveapex.errors import FeathersError, on_core_error, on_feathers_error
from adapters.achieveapex.query import ListRequest, to_query
from adapters.achieveapex.translate import apply, ignored, references, select, show
from adapters.cors import allow_preflights
from adapters.http import (
    activities,
    idempotency_key,
    if_match_versions,
    json_body,
    json_response,
    mark_shown,
    principal,
    record_cache,
    wire_settings,
)
from adapters.own_headers import add_ignored
from adapters.plain_views import PlainView, add_hidden_route
from adapters.rendered_records import NO_CACHE, PageRecords, bounded
from core.activities import Write
from core.domain.entity import EntityRef
from core.domain.errors import ActivityNotFound, CoreError, ForeignTenant, InvalidQuery
from core.domain.model import MAX_ID, Activity, Found, Tenant
from core.domain.query import EVERYTHING
from core.spanning_pages import spanning_page

NAME = "achieveapex"
ID = re.compile(r"[1-9]\d{0,15}", re.ASCII)
NOT_SUPPORTED = "Method `{}` is not supported by this endpoint."

blueprint = Blueprint(NAME, __name__, description="Activities as AchieveApex serves them.")
blueprint.register_error_handler(CoreError, on_core_error)
blueprint.register_error_handler(FeathersError, on_feathers_error)


@blueprint.route("/activities", strict_slashes=False)
class ActivityList(PlainView):
    """All activities of an organization."""

    @blueprint.response(200, schemas.Page)
    @blueprint.doc(**operations.LIST)
    def get(self) -> Response:
        """List activities.

        Filters are combined with AND; `$or` and `$and` take arrays of filters. The query may also
        be sent as `{"query": {...}}` in the body.
        """
        requested = list_request()
        return _spanning_page(requested) if len(requested.tenant_ids) > 1 else _page(requested)

    @blueprint.response(201, schemas.Activity)
    @blueprint.doc(**operations.CREATE)
    def post(self) -> Response:
        """Create an activity.

        A repeat with the same Idempotency-Key and body returns the first answer.
        """
        refuse_service_method()
        requested = list_request()
        if isinstance(json_body(), list):
            raise FeathersError(405, "Can not create multiple entries")
        body = object_body()

        def render(activity: Activity, tenant: Tenant) -> bytes:
            return orjson.dumps(select(show(activity, {}, tenant), requested.select))

        answer = activities().create(
            principal(),
            _write(body),
            render,
            tenant_id=tenant_of_write(requested, body),
            idempotency=idempotency_key(NAME, body),
        )
        return add_ignored(json_response(answer, 201), ignored(body))

    @blueprint.response(200, schemas.BulkResult)
    @blueprint.doc(**operations.BULK_UPDATE)
    def patch(self) -> Response:
        """Set several activities as done, or as not done.

        Ids that are unknown are left out of the answer.
        """
        requested = list_request()
        body = json_body()
        if not isinstance(body, dict) or "ids" not in body:
            raise FeathersError(405, "Can not patch multiple entries")
        if requested.query.where is not EVERYTHING:
            raise InvalidQuery("query", "does not narrow a bulk call down; name its ids")
        ids = bulk_ids(body)
        write = _write({"done": body["done"]})
        tenant_id = tenant_of_write(requested, body)
        found = activities().change_many(principal(), ids, write, tenant_id=tenant_id)
        return json_response({"updated": len(found), "ids": found})


# A path and not an integer: clients send ids of any form, and expect each to be "not found".
@blueprint.route("/activities/<path:activity_id>", strict_slashes=False)
class ActivityItem(PlainView):
    """One activity."""

    @blueprint.response(200, schemas.DetailedActivity)
    @blueprint.doc(**operations.READ)
    def get(self, activity_id: str) -> Response:
        """Return an activity with its related entities.

        An entity that the directory does not know is null. `$select` narrows the answer down.
        """
        requested = list_request()
        expands = requested.select is None or requested.names_expansion
        found = activities().get(
            principal(),
            id_in_path(activity_id),
            where=requested.query.where,
            tenant_id=requested.tenant_id,
            expand=lambda shown, _: references(shown) if expands else frozenset(),
        )
        if found.versions is not None:
            mark_shown(found.tenant.id, found.versions)
        record = select(
            show(found.activity, found.related, found.tenant, "detailed"), requested.select
        )
        return json_response(record, etag_version=found.activity.version)

    @blueprint.response(200, schemas.Activity)
    @blueprint.doc(**operations.UPDATE)
    def patch(self, activity_id: str) -> Response:
        """Change the fields that are sent; `done` alone marks the activity as done.

        A whole record may be sent back: what is as it was shown changes nothing.
        """
        requested = list_request()
        body = object_body()
        found = activities().change(
            principal(),
            id_in_path(activity_id),
            _write(body),
            where=requested.query.where,
            tenant_id=tenant_of_write(requested, body),
            if_versions=if_match_versions(),
        )
        return add_ignored(_record(found, requested), ignored(body))

    @blueprint.response(200, schemas.Activity)
    @blueprint.doc(**operations.DELETE)
    def delete(self, activity_id: str) -> Response:
        """Delete an activity and return it; it is found no more.

        Its `deleted_at` tells when.
        """
        requested = list_request()
        found = activities().remove(
            principal(),
            id_in_path(activity_id),
            where=requested.query.where,
            tenant_id=requested.tenant_id,
            if_versions=if_match_versions(),
        )
        return _record(found, requested)


class ListRefusals(PlainView):
    """What stock Feathers offers on a list, and this service does not."""

    def put(self) -> Response:
        """Refuse to replace all activities."""
        text = "You can not replace multiple instances. Did you mean 'patch'?"
        raise FeathersError(400, text)

    def delete(self) -> Response:
        """Refuse to remove all activities."""
        raise FeathersError(405, "Can not remove multiple entries")


class ItemRefusals(PlainView):
    """What stock Feathers offers on a record, and this service does not."""

    def put(self, activity_id: str) -> Response:
        """Refuse a full replacement, which the vendor does not document."""
        raise FeathersError(405, NOT_SUPPORTED.format("update"))

    def post(self, activity_id: str) -> Response:
        """Refuse to create under a chosen id."""
        refuse_service_method()
        raise FeathersError(405, NOT_SUPPORTED.format("create"))


add_hidden_route(blueprint, "/activities", ListRefusals)
add_hidden_route(blueprint, "/activities/<path:activity_id>", ItemRefusals)
allow_preflights(blueprint, "/activities", "/activities/<path:activity_id>")


def list_request() -> ListRequest:
    """Return the query of this request; only a GET has it in the body too.

    Raises: as `to_query`; ForeignTenant, for an organization that is not the credential's.
    """
    body = request.get_data() if request.method in ("GET", "HEAD") else b""
    requested = to_query(request.query_string, body, wire_settings())
    several = requested.tenant_ids[1:] and requested.tenant_ids  # Of one alone the core knows.
    foreign = set(several).difference(principal().tenant_ids)
    if foreign:
        raise ForeignTenant(detail=f"tenants {sorted(foreign)} are not the credential's")
    return requested


def id_in_path(raw: str) -> int:
    """Return the id in a path; what is no id is not found, and is quoted as it came.

    Source: docs/dialects/achieveapex.md A3.
    """
    raw = raw.removesuffix("/")
    if not ID.fullmatch(raw) or int(raw) > MAX_ID:
        raise ActivityNotFound(raw)
    return int(raw)


def refuse_service_method() -> None:
    """Refuse Feathers' custom methods, which a header of a POST names.

    Source: docs/dialects/achieveapex.md A9.
    """
    method = request.headers.get("X-Service-Method")
    if method:
        raise FeathersError(405, NOT_SUPPORTED.format(method))


def _expansion(requested: ListRequest) -> Expansion:
    return "compact" if requested.fast_join or requested.names_expansion else "none"


def _shown(expansion: Expansion) -> Callable[[Sequence[Activity]], Set[EntityRef]]:
    return partial(references, expansion=expansion)


def _page(requested: ListRequest) -> Response:
    expansion = _expansion(requested)
    cache = record_cache() if requested.select is None else NO_CACHE
    records = PageRecords(cache, (NAME, expansion), _shown(expansion))
    page = activities().page(
        principal(),
        requested.query,
        tenant_id=requested.tenant_id,
        expand=records.expand,
        knows=records.knows,
    )

    def show_one(activity: Activity) -> dict[str, Any]:
        return select(show(activity, page.related, page.tenant, expansion), requested.select)

    mark_shown(page.tenant.id, page.versions)
    return _listed(requested, page.total, records.render(page, show_one))


def _spanning_page(requested: ListRequest) -> Response:
    """Return a page of several organizations, which is kept nowhere."""
    expansion = _expansion(requested)
    shown = _shown(expansion)
    page = spanning_page(
        activities(),
        principal(),
        requested.query,
        tenant_ids=requested.tenant_ids,
        expand=lambda listed, _versions: shown(listed),
    )
    shown_one = (show(*found[:3], expansion) for found in page.found)
    records = bounded(select(record, requested.select) for record in shown_one)
    return _listed(requested, page.total, records)


def _listed(requested: ListRequest, total: int, records: Sequence[Any]) -> Response:
    _, _, limit, offset = requested.query
    return json_response({"total": total, "limit": limit, "skip": offset, "data": records})


def _record(found: Found, requested: ListRequest) -> Response:
    """Return the record after a write, which never expands."""
    return json_response(select(show(*found[:3]), requested.select))


def _write(body: dict[str, Any]) -> Write:
    return lambda activity, tenant: apply(activity, body, tenant)
