"""Activities: found by number or text, and one of them in both dialects at once."""

from http import HTTPStatus
from typing import Any, cast

from flask import Response, abort, redirect, request, url_for

from adapters.http import activities
from core.domain.model import MAX_ID
from core.domain.query import (
    EVERYTHING,
    ActivityQuery,
    AnyOf,
    Compare,
    Condition,
    ContainsText,
    SortKey,
)
from gateway.console.dialect_calls import Exchange, pretty
from gateway.console.faces import PATHS, TITLES, WRITE_METHODS, Faces, read_faces, write_face
from gateway.console.field_rules import KEYS
from gateway.console.shell import blueprint, page, tell
from gateway.console.tenant_choice import acting, chosen_tenant, own_tenant

VIEW, TITLE = "console.activities", "Activities"
SHOWN = 50
MAX_TEXT_LENGTH = 200
NEWEST = (SortKey("updated_at", descending=True), SortKey("id"))
DIALECTS = f"<any({', '.join(PATHS)}):dialect>"


@blueprint.get("/activities", endpoint="activities")
def search() -> Response:
    """Show what a number or a text finds, the last changed first; a number alone opens it."""
    tenant_id = chosen_tenant()
    text = request.args.get("text", "").strip()[:MAX_TEXT_LENGTH]
    query = ActivityQuery(_matching(text), NEWEST, SHOWN, 0)
    found = activities().page(acting(tenant_id), query, expand=lambda _shown, _versions: set())
    if [str(activity.id) for activity in found.activities] == [text]:
        return cast(Response, redirect(_url(tenant_id, int(text)), HTTPStatus.SEE_OTHER))
    return page(
        "activities/search.html",
        tenant_id=tenant_id,
        text=text,
        found=found.activities,
        total=found.total,
    )


def _matching(text: str) -> Condition:
    if not text:
        return EVERYTHING
    if text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_ID:
        return AnyOf((ContainsText(text), Compare("id", "=", int(text))))
    return ContainsText(text)


def _url(tenant_id: int, activity_id: int) -> str:
    return url_for("console.activity", tenant_id=tenant_id, activity_id=activity_id)


@blueprint.get("/activities/<int:tenant_id>/<int:activity_id>")
def activity(tenant_id: int, activity_id: int) -> Response:
    """Show one activity in three faces."""
    return _show(_faces(tenant_id, activity_id))


@blueprint.post(f"/activities/<int:tenant_id>/<int:activity_id>/{DIALECTS}")
def change_activity(tenant_id: int, activity_id: int, dialect: str) -> Response:
    """Change an activity as a client of one dialect would, and show what that came to."""
    before = _faces(tenant_id, activity_id)
    sent, etag = request.form.get("body", ""), request.form.get("etag", "")
    write = write_face(tenant_id, activity_id, dialect, sent=sent, etag=etag)
    tell("console change", activity=activity_id, of=tenant_id, dialect=dialect, status=write.status)
    if not write.is_success:
        return _show(before, write=write, etag=etag)
    return _show(_faces(tenant_id, activity_id), before=before, write=write)


def _faces(tenant_id: int, activity_id: int) -> Faces:
    if not 1 <= activity_id <= MAX_ID:
        abort(HTTPStatus.NOT_FOUND)
    return read_faces(own_tenant(tenant_id), activity_id)


def _show(
    faces: Faces, *, before: Faces | None = None, write: Exchange | None = None, etag: str = ""
) -> Response:
    rows = faces.rows(before)
    is_refused = write is not None and not write.is_success
    return page(
        "activities/faces.html",
        write.status if write is not None and is_refused else HTTPStatus.OK,
        section=VIEW,
        activity=faces.found.activity,
        canonical=pretty(faces.canonical),
        rows=rows,
        changed=[row.field for row in rows if row.is_changed],
        related=faces.related(),
        reads=faces.reads,
        write=write,
        forms={dialect: _form(faces, dialect, write, etag) for dialect in PATHS},
        titles=TITLES,
        methods=WRITE_METHODS,
        fieldless=[(TITLES[name], key) for name in KEYS for key in KEYS[name] if not key.canonical],
    )


def _form(faces: Faces, dialect: str, write: Exchange | None, etag: str) -> dict[str, Any]:
    """Return what a dialect's form holds: what was refused stays there, with its old ETag."""
    read = faces.reads[dialect]
    if write is None or write.is_success or write.dialect != dialect:
        return {"body": read.pretty, "etag": read.etag, "refusal": None}
    return {"body": write.sent, "etag": etag, "refusal": write}
