"""JWTs: who may have signed them, and what their claims say.

Algorithms are pinned by the kind of the key, never by what a token asks for: the secret verifies
HS256 alone, an RSA key RS256 alone, a P-256 key ES256 alone.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import jwt

from core.domain.errors import NotAuthenticated, TokenExpired, TokenNotActive
from core.domain.model import MAX_ID
from core.storage.credential_store import DEFAULT_SCOPES, SCOPES
from core.storage.revocation_store import MAX_TOKEN_ID
from gateway.auth.keys import KeySet
from gateway.jwk_set import ALGORITHMS
from gateway.settings import Settings

MAX_TENANTS = 100
HS256 = "HS256"
HMAC_KEY_BYTES = 32
DIGITS = re.compile(r"[0-9]{1,16}", re.ASCII)
SEPARATORS = re.compile(r"[\s,]+")
LATEST_SECONDS = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
# Times are compared with our clock; and a subject that is a number is as good as text.
LEFT_TO_US = ("verify_exp", "verify_nbf", "verify_iat", "verify_sub", "verify_jti")
# What jsonwebtoken says, the library under Feathers; clients may look at it
# (docs/dialects/achieveapex.md A19).
MALFORMED = "jwt malformed"
UNSIGNED = "jwt signature is required"
BAD_SIGNATURE = "invalid signature"
BAD_ALGORITHM = "invalid algorithm"
BAD_AUDIENCE = "jwt audience invalid. expected: {}"
BAD_ISSUER = "jwt issuer invalid. expected: {}"


class Claims(NamedTuple):
    """What a token says: a user, 1 to `MAX_TENANTS` tenants, scopes, and until when it holds.

    `token_id` is its `jti`, by which it can be revoked.
    """

    user_id: int
    tenant_ids: tuple[int, ...]
    scopes: frozenset[str]
    expires_at: datetime
    token_id: str | None = None


class Signed(NamedTuple):
    """What a token says, and the key of ours that signed it."""

    claims: Claims
    key: object


def hmac_key(secret: str) -> bytes:
    """Return a secret as a key of at least 32 bytes, below which PyJWT complains.

    HMAC itself fills a key up with zero bytes, so that both make the same signatures.
    """
    return secret.encode().ljust(HMAC_KEY_BYTES, b"\0")


class TokenVerifier:
    """Verifies tokens with the keys, and reads the claims, that the settings name."""

    def __init__(self, settings: Settings) -> None:
        """Take the keys. Raises: KeySetError, for a file of keys that cannot be used."""
        self._settings = settings
        self._keys = KeySet(settings.jwks) if settings.jwks else None
        self._secret = None if settings.jwt_secret is None else hmac_key(settings.jwt_secret)
        self._options: Any = {
            **dict.fromkeys(LEFT_TO_US, False),
            "verify_aud": settings.jwt_audience is not None,
            "verify_iss": settings.jwt_issuer is not None,
            "enforce_minimum_key_length": True,
        }

    def verify(self, token: str, *, now: datetime) -> Claims:
        """Return what a token says. Raises: as `verify_signed`."""
        return self.verify_signed(token, now=now).claims

    def verify_signed(self, token: str, *, now: datetime, known: Signed | None = None) -> Signed:
        """Return what a token says, if one of our keys signed it and it holds now.

        What is `known` of it from before is not verified again while that key is ours.
        Raises: NotAuthenticated, in jsonwebtoken's words; TokenExpired; TokenNotActive;
        Unavailable, if the keys could not be fetched.
        """
        if known is not None and now < known.claims.expires_at and self.takes(known.key):
            return known
        payload, key = self._payload(token)
        expires_at = _checked_times(payload, now)
        try:
            claims = Claims(
                _user_id(payload, self._settings.jwt_user_claims),
                _tenant_ids(payload, self._settings.jwt_tenant_claims),
                _scopes(payload.get(self._settings.jwt_scope_claim)),
                expires_at,
                _token_id(payload),
            )
        except ValueError as error:
            detail = f"jwt claims: {error}"
            raise NotAuthenticated(reason="malformed", detail=detail) from error
        return Signed(claims, key)

    def takes(self, key: object) -> bool:
        """Return whether a key that signed a token may sign, as far as is known without waiting."""
        return key is self._secret or (self._keys is not None and self._keys.has(key))

    def _payload(self, token: str) -> tuple[dict[str, Any], Any]:
        """Return what a token holds, and the key that signed it."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise NotAuthenticated(MALFORMED, reason="malformed", detail=str(error)) from error
        algorithm = str(header.get("alg"))
        if algorithm == "none":
            raise NotAuthenticated(UNSIGNED)
        candidates = self._candidates(algorithm, header.get("kid"))
        failure: Exception | None = None
        for key in candidates:
            try:
                return self._decoded(token, key, algorithm), key
            except jwt.InvalidSignatureError as error:
                failure = error
        raise NotAuthenticated(BAD_SIGNATURE) from failure

    def _candidates(self, algorithm: str, key_id: str | None) -> list[Any]:
        if algorithm == HS256 and self._secret is not None:
            return [self._secret]
        if algorithm in ALGORITHMS and self._keys is not None:
            return [*self._keys.candidates(algorithm, key_id)]
        raise NotAuthenticated(BAD_ALGORITHM, detail=f"no key is set for {algorithm!r}")

    def _decoded(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        audience, issuer = self._settings.jwt_audience, self._settings.jwt_issuer
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                options=self._options,
                audience=audience,
                issuer=issuer,
            )
        except jwt.InvalidSignatureError:
            raise
        except jwt.InvalidAudienceError as error:
            raise NotAuthenticated(BAD_AUDIENCE.format(audience)) from error
        except jwt.InvalidIssuerError as error:
            raise NotAuthenticated(BAD_ISSUER.format(issuer)) from error
        except jwt.MissingRequiredClaimError as error:
            expected = (BAD_AUDIENCE, audience) if error.claim == "aud" else (BAD_ISSUER, issuer)
            raise NotAuthenticated(expected[0].format(expected[1])) from error
        except jwt.PyJWTError as error:
            raise NotAuthenticated(MALFORMED, reason="malformed", detail=str(error)) from error


def revocable(settings: Settings, token: str) -> tuple[tuple[int, ...], str] | None:
    """Return the tenants and the `jti` of a token, whoever signed it; None if it has no such.

    For operators, who revoke tokens that they were shown.
    """
    try:
        payload = jwt.decode(token, options={"verify_signature": False})
        token_id = _token_id(payload)
        tenant_ids = _tenant_ids(payload, settings.jwt_tenant_claims)
    except (jwt.PyJWTError, ValueError):
        return None
    return None if token_id is None else (tenant_ids, token_id)


def _checked_times(payload: Mapping[str, Any], now: datetime) -> datetime:
    """Return when a token ends. Raises: TokenExpired, TokenNotActive, NotAuthenticated."""
    ends_at = _moment(payload, "exp")
    if ends_at is None:
        raise NotAuthenticated("jwt exp is required", reason="malformed")
    begins_at = _moment(payload, "nbf")
    if begins_at is not None and begins_at > now:
        raise TokenNotActive(begins_at)
    if ends_at <= now:
        raise TokenExpired(ends_at)
    return ends_at


def _moment(payload: Mapping[str, Any], claim: str) -> datetime | None:
    seconds = payload.get(claim)
    if seconds is None:
        return None
    if type(seconds) not in (int, float) or seconds != seconds:  # Python's JSON knows a NaN.
        raise NotAuthenticated(f"invalid {claim} value", reason="malformed")
    return datetime.fromtimestamp(max(0, min(seconds, LATEST_SECONDS)), UTC)


def _user_id(payload: Mapping[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        if payload.get(name) is not None:
            return _identifier(payload[name])
    raise ValueError(f"none of {', '.join(names)}")


def _token_id(payload: Mapping[str, Any]) -> str | None:
    token_id = payload.get("jti")
    if token_id is None:
        return None
    if isinstance(token_id, str) and token_id.isprintable() and len(token_id) <= MAX_TOKEN_ID:
        return token_id
    raise ValueError(f"jti must be a printable text of at most {MAX_TOKEN_ID} characters")


def _tenant_ids(payload: Mapping[str, Any], names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the tenants of the first claim that names any.

    Without such a claim, the second half of Deskera's `user_name`, as in "126944:116903"
    (docs/dialects/deskera.md D16).
    Membership is never inferred from anything else.
    """
    for name in names:
        value = payload.get(name)
        if value is not None:
            several = value if isinstance(value, list) else [value]
            if not 1 <= len(several) <= MAX_TENANTS:
                raise ValueError(f"{name} must name 1 to {MAX_TENANTS} tenants")
            return tuple(dict.fromkeys(_identifier(one) for one in several))
    _, _, tenant = str(payload.get("user_name", "")).partition(":")
    return (_identifier(tenant),)


def _identifier(value: Any) -> int:
    """Return an id that is a whole number, or the digits of one."""
    if isinstance(value, str) and DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is not int or not 1 <= value <= MAX_ID:
        raise ValueError(f"{value!r:.50} is no id")
    return value


def _scopes(claim: Any) -> frozenset[str]:
    """Return those of the claimed scopes that are ours; without a claim, the usual ones."""
    if claim is None:
        return frozenset(DEFAULT_SCOPES)
    words = SEPARATORS.split(claim) if isinstance(claim, str) else claim
    if not isinstance(words, list):
        raise ValueError("scopes are words in one text, or a list")
    return frozenset(word for word in SCOPES if word in words)
