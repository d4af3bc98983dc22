"""Revoked JWTs, known by the tenant and the `jti` that they carry."""

from sqlalchemy.dialects.postgresql import insert

from core.domain.clock import Clock, utc_now
from core.storage.database import Database, allowing
from core.storage.tables import revoked_tokens

MAX_TOKEN_ID = 255
_FIND = """
    SELECT EXISTS (
        SELECT FROM revoked_tokens
        WHERE revoked_tokens.tenant_id = %(tenant_id)s::BIGINT AND token_id = %(token_id)s::TEXT)
    FROM tenants WHERE tenants.tenant_id = %(tenant_id)s::BIGINT"""


class Revocations:
    """Revokes tokens, and tells which are."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        """Take the present instant from `clock`."""
        self._database = database
        self._clock = clock

    def revoke(self, tenant_id: int, token_id: str) -> bool:
        """Revoke the tokens of a tenant with this id; returns whether that is new.

        Raises: Unavailable.
        """
        row = {"tenant_id": tenant_id, "token_id": token_id, "revoked_at": self._clock()}
        statement = insert(revoked_tokens).values(row).on_conflict_do_nothing()
        with self._database.transaction() as connection:
            added = connection.execute(statement.returning(revoked_tokens.c.token_id))
            return added.first() is not None

    def tenants_of(self, tenant_ids: tuple[int, ...], token_id: str | None) -> tuple[int, ...]:
        """Return those of the tenants that exist; none, if any of them revoked the token.

        Takes one statement for each tenant, so that each is answered where the tenant is.
        Raises: Unavailable.
        """
        found = []
        for tenant_id in tenant_ids:
            with allowing((tenant_id,)):
                rows = self._database.read(_FIND, {"tenant_id": tenant_id, "token_id": token_id})
            if rows and rows[0][0]:
                return ()
            if rows:
                found.append(tenant_id)
        return tuple(found)
