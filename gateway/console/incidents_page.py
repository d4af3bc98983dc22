"""Incidents: the last requests that failed, were slow or were refused, of this gateway's workers.

A visitor sees those of the tenants of his credential. What belongs to no tenant is shown where the
service itself failed or was slow, and says nothing about who asked.
"""

import shlex
from http import HTTPStatus
from typing import Any, cast

from flask import Response, abort, current_app, request

from gateway.console.shell import blueprint, page, principal
from gateway.observability.incidents import KINDS, REFUSED, SLOW_SECONDS, Incidents

VIEW, TITLE = "console.incidents", "Incidents"
INCIDENTS = "incidents"
MAX_ROWS = 200
SEARCH = "jq -c --arg id {} 'select(.request_id == $id)' gateway.log"
FIELDS = (
    *("timestamp", "level", "request_id", "tenant", "user", "dialect", "route", "method"),
    *("status", "duration_ms"),
)
"""What a line of the log tells, but for why a credential was refused: that may name another's."""


@blueprint.get("/incidents")
def incidents() -> Response:
    """List them, newest first; of one kind, or of one request."""
    kind, wanted = request.args.get("kind", ""), request.args.get("find", "").strip()[:200]
    if kind not in ("", *KINDS):
        abort(HTTPStatus.NOT_FOUND)
    found = [
        one
        for one in _visible()
        if kind in ("", one["kind"]) and wanted.casefold() in one["request_id"].casefold()
    ]
    return page(
        "incidents/list.html",
        section=VIEW,
        found=found[:MAX_ROWS],
        more=len(found[MAX_ROWS:]),
        kind=kind,
        kinds=KINDS,
        wanted=wanted,
        slow_seconds=SLOW_SECONDS,
    )


@blueprint.get("/incidents/request")
def incident() -> Response:
    """Show what the log's line of a request says."""
    wanted = request.args.get("id", "")
    found = [one for one in _visible() if one["request_id"] == wanted]
    if not found:
        abort(HTTPStatus.NOT_FOUND)
    lines = [{name: one[name] for name in FIELDS} for one in found]
    command = SEARCH.format(shlex.quote(wanted))
    return page("incidents/request.html", section=VIEW, lines=lines, command=command)


def _visible() -> list[dict[str, Any]]:
    kept = cast(Incidents, current_app.extensions[INCIDENTS])
    return [one for one in kept.all() if _is_visible(one)]


def _is_visible(one: dict[str, Any]) -> bool:
    tenants = set(one["tenants"])
    if not tenants:
        return bool(one["kind"] != REFUSED)
    return tenants.issubset(principal().tenant_ids)
