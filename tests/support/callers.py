"""Tenants of the tests, their users, and the credentials of these."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
from flask import Flask
from support.clock import Clock

from core.storage.credential_store import DEFAULT_SCOPES, Credentials

JWT_SECRET = "a secret of the tests, long enough for HS256"


@dataclass(frozen=True)
class Caller:
    """A user of one tenant, with a way to be that user in every dialect."""

    tenant_id: int
    user_id: int
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """Headers that either dialect understands."""
        return {"x-api-key": self.key}


@dataclass(frozen=True)
class Home:
    """A new tenant of this test's own, and the makers of its credentials."""

    id: int
    _app: Flask = field(repr=False)
    _clock: Clock = field(repr=False)

    def caller(self, user_id: int = 1, *scopes: str) -> Caller:
        """Return a user of this tenant; without scopes, with the usual ones."""
        credentials: Credentials = self._app.extensions["credentials"]
        key = credentials.create(
            tenant_id=self.id, user_id=user_id, scopes=scopes or DEFAULT_SCOPES
        )
        return Caller(self.id, user_id, key)

    def token(self, user_id: int = 1, **claims: Any) -> str:
        """Return a JWT of a user of this tenant, good for an hour; claims override."""
        expires = self._clock.now + timedelta(hours=1)
        usual = {"sub": str(user_id), "organization_id": self.id, "exp": expires}
        return jwt.encode({**usual, **claims}, JWT_SECRET, algorithm="HS256")


@dataclass(frozen=True)
class Demo:
    """The demo data, freshly loaded into empty tables, and who may ask for it."""

    deskera: Caller
    apex: Caller
