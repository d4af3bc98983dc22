"""What a principal may do, and in which of its tenants."""

from core.domain.errors import Forbidden, ForeignTenant, InvalidInput
from core.domain.model import Principal, Viewer

SEVERAL_TENANTS = "is required, because the credential spans more than one"


def viewer_of(principal: Principal) -> Viewer:
    """Return the viewer who decides which private records are visible."""
    return Viewer(principal.user_id, principal.is_admin)


def tenants_for(principal: Principal, scope: str, tenant_id: int | None) -> tuple[int, ...]:
    """Return the tenants that a call with this scope may touch, narrowed to the named one.

    Raises: Forbidden without the scope, ForeignTenant for a tenant that is not the principal's.
    """
    if scope not in principal.scopes:
        raise Forbidden(missing_scope=scope)
    if tenant_id is None:
        return principal.tenant_ids
    if tenant_id not in principal.tenant_ids:
        raise ForeignTenant(detail=f"tenant {tenant_id} is not the credential's")
    return (tenant_id,)


def one_tenant(
    principal: Principal, scope: str, tenant_id: int | None, error: type[InvalidInput]
) -> int:
    """Return the only tenant that a list or a create can mean.

    Raises: as `tenants_for`; `error`, if the credential spans several and none is named.
    """
    chosen, *others = tenants_for(principal, scope, tenant_id)
    if others:
        raise error("tenant_id", SEVERAL_TENANTS)
    return chosen
