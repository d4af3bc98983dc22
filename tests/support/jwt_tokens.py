"""JWTs for tests, and what a verifier makes of them."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from support.callers import JWT_SECRET
from support.clock import START_OF_TIME

from core.domain.errors import NotAuthenticated
from gateway.auth.tokens import Claims, TokenVerifier
from gateway.settings import Settings

NOW = START_OF_TIME
LATER = NOW + timedelta(hours=1)
USUAL = {"sub": "45", "organization_id": 27, "exp": LATER}


def claims_of(token: str, **settings: Any) -> Claims:
    """Return what a verifier with these settings makes of a token."""
    return TokenVerifier(Settings(**{"jwt_secret": JWT_SECRET, **settings})).verify(token, now=NOW)


def signed(**claims: Any) -> str:
    """Return a good token, with these claims changed; None takes one away."""
    kept = {name: value for name, value in {**USUAL, **claims}.items() if value is not None}
    return jwt.encode(kept, JWT_SECRET, algorithm="HS256")


def refusal(token: str, **settings: Any) -> str:
    """Return what the client is told of a token that is refused."""
    with pytest.raises(NotAuthenticated) as refused:
        claims_of(token, **settings)
    return refused.value.public_message
