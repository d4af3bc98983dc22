"""Who is logged in: a session stands for a credential, and ends with it.

The cookie names the credential by its public id and never holds it. Each request looks the
credential up again, so that one that is revoked closes the console at once, and so does logging
out: a cookie that somebody copied before opens nothing after it.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.domain.clock import Clock
from core.domain.errors import Forbidden
from core.domain.model import Principal
from core.storage.credential_store import Credentials, parse_key
from core.storage.revocation_store import Revocations
from gateway.auth.authenticator import ACCESS_TOKEN, Authenticator, Verified, credential_of

SCOPE = "admin"
MAX_LIFE = timedelta(hours=8)
ID_BYTES = 16
Stored = dict[str, Any]


class LoginSessions:
    """Begins, checks and ends logins."""

    def __init__(
        self,
        authenticator: Authenticator,
        credentials: Credentials,
        revocations: Revocations,
        *,
        clock: Clock,
    ) -> None:
        """Look credentials up in these."""
        self._authenticator = authenticator
        self._credentials = credentials
        self._revocations = revocations
        self._clock = clock

    def begin(self, environ: Mapping[str, str], credential: str) -> Stored:
        """Return what a session shall store for a credential: an opaque key or a JWT.

        It is verified as that of any request: in constant time, and with the limit of failures.
        Raises: NotAuthenticated; RateLimited; Forbidden, without the scope; Unavailable.
        """
        given = {**environ, ACCESS_TOKEN: credential}
        _, credential = credential_of(given, (ACCESS_TOKEN,))
        address = environ.get("REMOTE_ADDR", "")
        verified = self._authenticator.verified(ACCESS_TOKEN, credential, address)
        if SCOPE not in verified.principal.scopes:
            raise Forbidden(missing_scope=SCOPE)
        return self._stored(verified, is_key=parse_key(credential) is not None)

    def _stored(self, verified: Verified, *, is_key: bool) -> Stored:
        principal, expires_at = verified.principal, verified.expires_at
        ends_at = min(filter(None, (expires_at, self._clock() + MAX_LIFE)))
        return {
            "id": secrets.token_hex(ID_BYTES),
            "ends": ends_at.timestamp(),
            "credential": verified.credential_id,
            "is_key": is_key,
            "user": principal.user_id,
            "tenants": list(principal.tenant_ids),
            "scopes": sorted(principal.scopes),
        }

    def principal(self, stored: Mapping[str, Any]) -> Principal | None:
        """Return whom a session stands for; None if it, or its credential, has ended.

        Raises: Unavailable.
        """
        tenant_ids = tuple(stored["tenants"])
        if self._clock() >= datetime.fromtimestamp(stored["ends"], UTC):
            return None
        if not self._revocations.tenants_of(tenant_ids[:1], _logout_id(stored)):
            return None
        if stored["is_key"]:
            tenant_ids = self._tenant_of_key(tenant_ids[0], stored["credential"])
        else:
            tenant_ids = self._revocations.tenants_of(tenant_ids, stored["credential"])
        if not tenant_ids:
            return None
        return Principal(stored["user"], tenant_ids, frozenset(stored["scopes"]))

    def _tenant_of_key(self, tenant_id: int, key_id: str) -> tuple[int, ...]:
        found = self._credentials.find(tenant_id, key_id)
        return (tenant_id,) if found and found.is_active(self._clock()) else ()

    def end(self, stored: Mapping[str, Any]) -> None:
        """End a session for good. Raises: Unavailable."""
        self._revocations.revoke(stored["tenants"][0], _logout_id(stored))


def _logout_id(stored: Mapping[str, Any]) -> str:
    """Return the name under which the end of a session stands among the revoked tokens."""
    return f"console-{stored['id']}"
