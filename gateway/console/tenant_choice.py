"""Which of the visitor's tenants a page shows, and as whom it acts there."""

from http import HTTPStatus

from flask import abort, request

from core.domain.model import Principal
from gateway.console.shell import principal

ALL_SCOPES = frozenset({"read", "write", "directory"})


def chosen_tenant() -> int:
    """Return the tenant that the query string names, by default the visitor's first."""
    named = request.args.get("tenant_id", "")
    return own_tenant(int(named)) if named.isascii() and named.isdigit() else default_tenant()


def default_tenant() -> int:
    """Return the visitor's first tenant."""
    return principal().tenant_ids[0]


def own_tenant(tenant_id: int) -> int:
    """Return a tenant of the visitor's; any other one is not found."""
    if tenant_id not in principal().tenant_ids:
        abort(HTTPStatus.NOT_FOUND)
    return tenant_id


def acting(tenant_id: int) -> Principal:
    """Return the visitor as who does something in one of his tenants.

    Whoever administers a tenant may make himself a key of any scope there; so none is missed here.
    """
    visitor = principal()
    return Principal(visitor.user_id, (own_tenant(tenant_id),), visitor.scopes | ALL_SCOPES)
