"""Import of a file and export: what was imported, how far an import is, and the export's lines."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import IO, cast

from flask import Response, abort, current_app, request, url_for

from gateway.console.directory_page import VIEW as DIRECTORY_VIEW
from gateway.console.shell import blueprint, page, principal, tell
from gateway.console.tenant_choice import chosen_tenant, own_tenant
from gateway.console.transfers import Transfers
from gateway.request import SPOOL, STREAM

EXTENSION = "console_transfers"
IMPORTS_PATH = "/directory/imports"
MAX_NAME_LENGTH = 200
UNDER_WAY = "Another import of this tenant is running; one file is imported at a time."
INCOMPLETE = "The file is empty, or has not come as a whole."
TOO_MANY_EXPORTS = "Two exports are being read already; try again when one of them has ended."


def transfers() -> Transfers:
    """Return what imports and exports."""
    return cast(Transfers, current_app.extensions[EXTENSION])


@blueprint.get(IMPORTS_PATH)
def imports() -> Response:
    """Show the form, and the last imports of a tenant."""
    tenant_id = chosen_tenant()
    return page(
        "directory/imports.html",
        section=DIRECTORY_VIEW,
        tenant_id=tenant_id,
        jobs=transfers().jobs.last(tenant_id),
        max_bytes=current_app.extensions["settings"].import_bytes,
    )


@blueprint.post(IMPORTS_PATH)
def begin_import() -> Response:
    """Import the file that is the body; its name stands in the query."""
    tenant_id = chosen_tenant()
    name = request.args.get("name", "").strip()[:MAX_NAME_LENGTH] or "(no name)"
    with _whole_body() as file:
        size = os.fstat(file.fileno()).st_size
        if not size or size != request.content_length:
            return _told(INCOMPLETE, HTTPStatus.BAD_REQUEST)
        job_id = transfers().begin_import(
            tenant_id,
            user_id=principal().user_id,
            file_name=name,
            file=file.fileno(),
            file_bytes=size,
        )
    if job_id is None:
        return _told(UNDER_WAY, HTTPStatus.CONFLICT)
    tell("console import", job=job_id, bytes=size)
    response = _told("", HTTPStatus.CREATED)
    response.headers["Location"] = url_for("console.import_job", tenant_id=tenant_id, job_id=job_id)
    return response


def _told(text: str, status: HTTPStatus) -> Response:
    return Response(text, status, mimetype="text/plain")


@contextmanager
def _whole_body() -> Iterator[IO[bytes]]:
    """Give the body as a file; the server has written a long one to disk already."""
    spool = request.environ.get(SPOOL)
    if spool is not None:
        yield spool.file
        return
    with tempfile.TemporaryFile() as file:
        file.write(request.get_data())
        file.flush()
        file.seek(0)
        yield file


@blueprint.get(f"{IMPORTS_PATH}/<int:tenant_id>/<job_id>")
def import_job(tenant_id: int, job_id: str) -> Response:
    """Show an import; with `part` only what changes while it runs."""
    job = transfers().jobs.find(own_tenant(tenant_id), job_id)
    if job is None:
        abort(HTTPStatus.NOT_FOUND)
    template = "directory/job_state.html" if "part" in request.args else "directory/job.html"
    return page(template, section=DIRECTORY_VIEW, job=job)


@blueprint.get("/directory/export")
def export() -> Response:
    """Send everything of a tenant as NDJSON, one snapshot, while it is read."""
    tenant_id = chosen_tenant()
    response = Response(b"", mimetype="application/x-ndjson")
    name = f"tenant-{tenant_id}-{datetime.now(UTC):%Y%m%d-%H%M}.ndjson"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    if request.method == "HEAD":
        return response
    lines = transfers().export(tenant_id)
    if lines is None:
        abort(HTTPStatus.SERVICE_UNAVAILABLE, TOO_MANY_EXPORTS)
    tell("console export", of=tenant_id)
    request.environ[STREAM] = lines
    return response
