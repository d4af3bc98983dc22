"""Credentials: the keys of the visitor's tenants; make, rotate and revoke them."""

from http import HTTPStatus
from typing import cast

from flask import Response, abort, current_app, flash, redirect, request, session, url_for

from core.domain.clock import Clock
from core.domain.errors import EntityNotFound, InvalidInput
from core.storage.credential_store import Credential, Credentials, parse_key_id
from core.storage.revocation_store import Revocations
from gateway.console.credential_forms import NewKeyForm, RotationForm, TokenForm
from gateway.console.shell import LOGIN, blueprint, page, principal, tell

VIEW, TITLE = "console.credentials", "Credentials"
REVOCATIONS = "revocations"
PAGE_ROWS = 50
MAX_PAGE = 1000
ENDED_MEANWHILE = "Nothing was done: the key was revoked or has expired meanwhile."


def _credentials() -> Credentials:
    return cast(Credentials, current_app.extensions["credentials"])


def _now() -> Clock:
    return cast(Clock, current_app.extensions["clock"])


@blueprint.get("/credentials")
def credentials() -> Response:
    """List the keys of one tenant, newest first."""
    return _listed(TokenForm())


def _listed(form: TokenForm, status: int = HTTPStatus.OK) -> Response:
    tenant_id, number = chosen_tenant(), _page_number()
    wanted = request.args.get("find", "").strip()[:200]
    found = _credentials().of_tenant(
        tenant_id, text=wanted, limit=PAGE_ROWS + 1, offset=(number - 1) * PAGE_ROWS
    )
    return page(
        "credentials/list.html",
        status,
        section=VIEW,
        keys=[(key, state_of(key)) for key in found[:PAGE_ROWS]],
        has_more=len(found) > PAGE_ROWS,
        number=number,
        tenant_id=tenant_id,
        wanted=wanted,
        form=form,
    )


def _page_number() -> int:
    text = request.args.get("page", "1")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if not 1 <= number <= MAX_PAGE:
        abort(HTTPStatus.NOT_FOUND)
    return number


def chosen_tenant() -> int:
    """Return the tenant that the URL names, by default the first of the visitor's credential.

    Another's is not found, whether there is one or not.
    """
    text = request.args.get("tenant", "")
    chosen = [one for one in principal().tenant_ids if text in ("", str(one))]
    if not chosen:
        abort(HTTPStatus.NOT_FOUND)
    return chosen[0]


def state_of(key: Credential) -> str:
    """Return whether a key opens anything now."""
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.is_active(_now()()) else "expired"


@blueprint.route("/credentials/new", methods=("GET", "POST"))
def new_credential() -> Response:
    """Show the form of a new key, or make it and show it, this once."""
    tenant_id = chosen_tenant()
    form = NewKeyForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        try:
            return _created(form, tenant_id)
        except InvalidInput as error:
            form.show_problems(error)
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    return page("credentials/new.html", status, section=VIEW, form=form, tenant_id=tenant_id)


def _created(form: NewKeyForm, tenant_id: int) -> Response:
    secret = _credentials().create(
        tenant_id=tenant_id,
        user_id=form.user_id.data,
        scopes=form.scopes.data,
        expires_at=form.expires_at(_now()()),
        name=form.name.data or "",
    )
    return _shown_once(secret, replaced=None)


def _shown_once(secret: str, *, replaced: Credential | None) -> Response:
    named = parse_key_id(secret)
    assert named is not None
    tenant_id, key_id = named
    tell("key created", key=key_id, key_tenant=tenant_id, replaces=replaced and replaced.id)
    return page(
        "credentials/created.html",
        section=VIEW,
        secret=secret,
        key=_credentials().find(tenant_id, key_id),
        replaced=replaced,
    )


@blueprint.route("/credentials/<key_id>/rotate", methods=("GET", "POST"))
def rotate_credential(key_id: str) -> Response:
    """Ask how long the old key shall open still, or make its successor and show it, this once."""
    key = _key(key_id)
    form = RotationForm(request.form if request.method == "POST" else None)
    if request.method == "POST" and form.validate():
        try:
            secret = _credentials().rotate(key.id, overlap=form.length)
        except EntityNotFound:
            flash(ENDED_MEANWHILE)
            return _to_list(key.tenant_id)
        return _shown_once(secret, replaced=_credentials().find(key.tenant_id, key.id))
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    return page("credentials/rotate.html", status, section=VIEW, key=key, form=form)


@blueprint.route("/credentials/<key_id>/revoke", methods=("GET", "POST"))
def revoke_credential(key_id: str) -> Response:
    """Ask whether a key shall be revoked, or do it."""
    key = _key(key_id)
    if request.method == "POST":
        if _credentials().revoke(key.id):
            tell("key revoked", key=key.id, key_tenant=key.tenant_id)
            flash(f"The key {key.id} is revoked; within a second it opens nothing.")
        else:
            flash(ENDED_MEANWHILE)
        return _to_list(key.tenant_id)
    is_own = session[LOGIN]["credential"] == key.id
    return page("credentials/revoke.html", section=VIEW, key=key, is_own=is_own)


@blueprint.post("/credentials/tokens")
def revoke_token() -> Response:
    """Revoke the JWTs of a tenant that carry an id."""
    tenant_id = chosen_tenant()
    form = TokenForm(request.form)
    if not form.validate():
        return _listed(form, HTTPStatus.BAD_REQUEST)
    token_id = str(form.token_id.data)
    revocations = cast(Revocations, current_app.extensions[REVOCATIONS])
    is_new = revocations.revoke(tenant_id, token_id)
    tell("token revoked", token=token_id, key_tenant=tenant_id)
    flash(f"JWTs with this jti {'are' if is_new else 'were already'} revoked.")
    return _to_list(tenant_id)


def _key(key_id: str) -> Credential:
    """Return a key of the visitor's tenants; any other, and the whole of one, is not found."""
    named = parse_key_id(key_id)
    if named is None or named[1] != key_id or named[0] not in principal().tenant_ids:
        abort(HTTPStatus.NOT_FOUND)
    found = _credentials().find(*named)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return found


def _to_list(tenant_id: int) -> Response:
    return cast(Response, redirect(url_for(VIEW, tenant=tenant_id), HTTPStatus.SEE_OTHER))
