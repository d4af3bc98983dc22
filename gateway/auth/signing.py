"""JWTs that this gateway signs itself: for operators, the tests and the banner of make run."""

from datetime import UTC, datetime

import jwt

from gateway.auth.tokens import HS256, Claims, hmac_key
from gateway.settings import Settings


class NoSecret(Exception):
    """Tokens can be verified here, or not even that, but not signed."""


def sign(settings: Settings, claims: Claims) -> str:
    """Return a token that says this, under the claim names that `TokenVerifier` reads first.

    Raises: NoSecret.
    """
    if settings.jwt_secret is None:
        raise NoSecret("no token can be signed: GATEWAY_JWT_SECRET is not set")
    several = list(claims.tenant_ids)
    payload = {
        settings.jwt_user_claims[0]: str(claims.user_id),
        settings.jwt_tenant_claims[0]: several if len(several) > 1 else several[0],
        settings.jwt_scope_claim: " ".join(sorted(claims.scopes)),
        "iat": datetime.now(UTC),
        "exp": claims.expires_at,
    }
    if claims.token_id is not None:
        payload["jti"] = claims.token_id
    if settings.jwt_audience is not None:
        payload["aud"] = settings.jwt_audience
    if settings.jwt_issuer is not None:
        payload["iss"] = settings.jwt_issuer
    return jwt.encode(payload, hmac_key(settings.jwt_secret), algorithm=HS256)
