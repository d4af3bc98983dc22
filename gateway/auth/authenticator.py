"""From a credential to `g.principal`, before every request of a dialect or of the directory.

The same credentials open both dialects; only the order in which headers are read differs. A
credential that was verified is remembered, under its hash and for a short time, so that most
requests cost no statement.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from flask import Flask, g

from core.domain.clock import Clock
from core.domain.errors import NotAuthenticated, RateLimited, Unavailable
from core.domain.model import Principal
from core.storage.credential_store import DEMO_TOKEN, Credential, Credentials, parse_key
from core.storage.database import allow
from core.storage.revocation_store import Revocations
from gateway.auth.failed_logins import FailedLogins
from gateway.auth.last_use import LastUses
from gateway.auth.tokens import Signed, TokenVerifier
from gateway.request import current_request, is_loopback

ACCESS_TOKEN = "HTTP_X_ACCESS_TOKEN"
API_KEY = "HTTP_X_API_KEY"
AUTHORIZATION = "HTTP_AUTHORIZATION"
VENDOR_ORDER: Mapping[str | None, tuple[str, ...]] = {
    "deskera": (ACCESS_TOKEN, API_KEY, AUTHORIZATION),
    "achieveapex": (API_KEY, AUTHORIZATION, ACCESS_TOKEN),
    "directory": (ACCESS_TOKEN, API_KEY, AUTHORIZATION),
}
"""Which header decides, by blueprint: the first that holds a credential, without fallback."""

HEADER_NAMES = {
    ACCESS_TOKEN: "x-access-token",
    API_KEY: "x-api-key",
    AUTHORIZATION: "Authorization",
}
FORWARDED_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
"""What proxies add. Everybody knows the demo's key: it opens nothing to whom a proxy lets in."""

BEARER_SCHEMES = frozenset({"bearer", "jwt"})  # In any case: docs/dialects/achieveapex.md A16.
RECHECK_SECONDS = 0.5  # What is revoked must be refused within a second.
RECHECKING_SECONDS = 0.4  # How long others go on while one request verifies again.
TOKEN_RECHECK_SECONDS = 5.0  # Of a token that cannot be revoked: tenants may come and go.
MAX_REMEMBERED = 20_000
UNKNOWN_KEY = "Invalid API key"
NO_DIGEST = bytes(32)


class Verified(NamedTuple):
    """A credential that was found good: whom it stands for, and until when.

    `credential_id` is the public id of a key, or the `jti` of a token, which may have none. Of a
    token it is also remembered what is `signed` in it, which is not verified twice.
    """

    principal: Principal
    recheck_at: float
    expires_at: datetime | None
    credential_id: str | None
    signed: Signed | None = None
    is_rechecking: bool = False


class Authenticator:
    """Verifies opaque keys and JWTs."""

    def __init__(
        self,
        credentials: Credentials,
        revocations: Revocations,
        verifier: TokenVerifier,
        *,
        last_uses: LastUses,
        failed_logins: FailedLogins,
        clock: Clock,
    ) -> None:
        """Remember nothing yet."""
        self._credentials = credentials
        self._revocations = revocations
        self._verifier = verifier
        self._last_uses = last_uses
        self._failed_logins = failed_logins
        self._clock = clock
        self._verified: dict[tuple[str, bytes], Verified] = {}

    def principal(self, header: str, credential: str, address: str) -> Principal:
        """Return whom a credential stands for. Raises: as `verified`."""
        return self.verified(header, credential, address).principal

    def verified(self, header: str, credential: str, address: str) -> Verified:
        """Return what is known of a credential; `header` tells which kinds it may be.

        Raises: NotAuthenticated, with what AchieveApex tells its clients; RateLimited, if the
        `address` has sent too many bad ones and this one is not known yet; Unavailable.
        """
        key = header, hashlib.sha256(credential.encode()).digest()
        known = self._verified.get(key)
        if known is not None and self._still_holds(known):
            return known
        if known is None:
            self._failed_logins.check(address)
        try:
            verified = self._verify(header, credential, known and known.signed)
        except NotAuthenticated:
            self._verified.pop(key, None)
            self._failed_logins.count(address)
            raise
        if len(self._verified) >= MAX_REMEMBERED:
            self._verified.clear()
        self._verified[key] = verified
        return verified

    def recall(
        self, header: str, credential: str, *, reads_tenant: bool = False
    ) -> Principal | None:
        """Return whom a credential was verified for, if that was not too long ago.

        When it should be verified again, one request is told None and does so in the ordinary way;
        the others need not wait for it, as what was revoked is to be refused within a second.
        Whoever `reads_tenant` after this is told at once, where that is all there is to verify.
        """
        key = header, hashlib.sha256(credential.encode()).digest()
        known = self._verified.get(key)
        if known is None or (known.expires_at is not None and self._clock() >= known.expires_at):
            return None
        overdue_seconds = time.monotonic() - known.recheck_at
        if overdue_seconds >= 0 and not (reads_tenant and self._needs_only_tenant(known)):
            if not known.is_rechecking:
                self._verified[key] = known._replace(is_rechecking=True)
                return None
            if overdue_seconds >= RECHECKING_SECONDS:
                return None
        return known.principal

    def _needs_only_tenant(self, known: Verified) -> bool:
        """Return whether a credential is good as long as its tenant is there.

        So is a token that nobody can revoke, while the key that signed it is taken.
        """
        signed = known.signed
        if signed is None or signed.claims.token_id is not None:
            return False
        return len(signed.claims.tenant_ids) == 1 and self._verifier.takes(signed.key)

    def _still_holds(self, known: Verified) -> bool:
        if time.monotonic() >= known.recheck_at:
            return False
        return known.expires_at is None or self._clock() < known.expires_at

    def _verify(self, header: str, credential: str, signed: Signed | None) -> Verified:
        names = parse_key(credential)
        if names is not None:
            return self._verify_key(credential, *names)
        if header == API_KEY:
            raise NotAuthenticated(UNKNOWN_KEY, reason="malformed", detail="not the form of a key")
        return self._verify_token(credential, signed)

    def _verify_key(self, credential: str, tenant_id: int, key_id: str) -> Verified:
        recheck_at = time.monotonic() + RECHECK_SECONDS
        found = self._credentials.find(tenant_id, key_id) or _NOBODY
        if not found.opens_with(credential):
            raise NotAuthenticated(UNKNOWN_KEY, detail=f"there is no key {key_id} of this secret")
        if found.revoked_at is not None:
            raise NotAuthenticated(UNKNOWN_KEY, detail=f"{key_id} is revoked")
        if not found.is_active(self._clock()):
            raise NotAuthenticated(UNKNOWN_KEY, reason="expired", detail=f"{key_id} has expired")
        self._last_uses.note(tenant_id, key_id)
        principal = Principal(found.user_id, (found.tenant_id,), frozenset(found.scopes))
        return Verified(principal, recheck_at, found.expires_at, key_id)

    def _verify_token(self, credential: str, signed: Signed | None) -> Verified:
        signed = self._verifier.verify_signed(credential, now=self._clock(), known=signed)
        claims = signed.claims
        seconds = RECHECK_SECONDS if claims.token_id else TOKEN_RECHECK_SECONDS
        recheck_at = time.monotonic() + seconds
        tenant_ids = self._revocations.tenants_of(claims.tenant_ids, claims.token_id)
        if not tenant_ids:
            ids = ", ".join(map(str, claims.tenant_ids))
            raise NotAuthenticated(detail=f"the token is revoked, or none of {ids} is a tenant")
        principal = Principal(claims.user_id, tenant_ids, claims.scopes)
        return Verified(principal, recheck_at, claims.expires_at, claims.token_id, signed)


# What an unknown key is compared with, so that it takes as long to refuse as a known one.
_NOBODY = Credential(
    tenant_id=0,
    id="",
    digest=NO_DIGEST,
    user_id=0,
    scopes=(),
    created_at=datetime.min,
    expires_at=None,
    revoked_at=datetime.min,
)


def credential_of(environ: Mapping[str, str], order: tuple[str, ...]) -> tuple[str, str]:
    """Return the header that decides and the credential in it. Raises: NotAuthenticated."""
    for header in order:
        text = environ.get(header, "").strip()
        credential = _bearer(text) if header == AUTHORIZATION else text
        if credential == DEMO_TOKEN and not _is_local(environ):
            raise NotAuthenticated(UNKNOWN_KEY, detail="the demo's key, from another machine")
        if credential:
            return header, credential
    raise NotAuthenticated(reason="missing")


def _is_local(environ: Mapping[str, str]) -> bool:
    """Return whether a request comes from this machine, and through no proxy."""
    is_forwarded = any(header in environ for header in FORWARDED_HEADERS)
    return not is_forwarded and is_loopback(environ.get("REMOTE_ADDR", ""))


def _bearer(text: str) -> str:
    """Return the token of an Authorization header; "" for schemes that are not ours, as Basic."""
    scheme, _, token = text.partition(" ")
    if not token:
        return "" if scheme.lower() in BEARER_SCHEMES else scheme
    return token.strip() if scheme.lower() in BEARER_SCHEMES else ""


def recall(
    authenticator: Authenticator,
    environ: Mapping[str, str],
    blueprint: str,
    *,
    reads_tenant: bool = False,
) -> Principal | None:
    """Return whom a request's credential was verified for, if it need not be verified again."""
    try:
        header, credential = credential_of(environ, VENDOR_ORDER[blueprint])
        return authenticator.recall(header, credential, reads_tenant=reads_tenant)
    except NotAuthenticated:
        return None


def verify(
    authenticator: Authenticator, environ: Mapping[str, str], blueprint: str
) -> Principal | None:
    """Return whom a request's credential stands for, if it is good and that can be told now."""
    try:
        header, credential = credential_of(environ, VENDOR_ORDER[blueprint])
        return authenticator.principal(header, credential, environ.get("REMOTE_ADDR", ""))
    except (NotAuthenticated, RateLimited, Unavailable):
        return None


def install(
    app: Flask, authenticator: Authenticator, *, count_failure: Callable[[str], None]
) -> None:
    """Ask for a credential wherever `VENDOR_ORDER` names the blueprint.

    The server finds `recall` and `verify` among the application's extensions.
    `count_failure` is called with the reason of each refusal.
    The app's hook and not the blueprints' own, because a blueprint refuses new hooks once it has
    been registered. OPTIONS is let through: a preflight carries no credentials.
    """

    def authenticate() -> None:
        request = current_request()
        allow(())  # The thread may have served another request before.
        order = VENDOR_ORDER.get(request.blueprint)
        if order is not None and request.method != "OPTIONS":
            header = order[-1]
            try:
                header, credential = credential_of(request.environ, order)
                request.principal = g.principal = authenticator.principal(
                    header, credential, request.remote_addr or ""
                )
                allow(request.principal.tenant_ids)
            except NotAuthenticated as error:
                read = order[: order.index(header) + 1]
                error.sources = tuple(HEADER_NAMES[name] for name in read)
                count_failure(error.reason)
                request.refusal = f"{error.reason} in {error.sources[-1]}: {error}"
                raise

    app.before_request(authenticate)
    app.extensions["recall"] = partial(recall, authenticator)
    app.extensions["verify"] = partial(verify, authenticator)
