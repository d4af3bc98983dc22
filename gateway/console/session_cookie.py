"""The console's session: a signed cookie that holds no secret, and that only its pages are sent.

Every other request has no session at all: it would cost all of them.
"""

import hashlib
import hmac
from collections.abc import Callable
from functools import cached_property

import flask
from flask import Flask
from flask.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    session_json_serializer,
)
from itsdangerous import URLSafeTimedSerializer

from core.domain.errors import Unavailable

COOKIE = "crm_console"
PURPOSE = b"console sessions"


class SigningKey:
    """What sessions and forms are signed with; all gateways of a database have the same."""

    def __init__(self, read_secret: Callable[[], bytes], *, jwt_secret: str | None) -> None:
        """Read nothing yet; `read_secret` returns the database's own secret.

        Another secret of JWTs makes another key: it ends the sessions of the tokens that it ends.
        """
        self._read_secret = read_secret
        self._purpose = PURPOSE + (jwt_secret or "").encode()

    @cached_property
    def value(self) -> bytes:
        """The key, made from the database's secret. Raises: Unavailable."""
        return hmac.digest(self._read_secret(), self._purpose, "sha256")

    @property
    def is_known(self) -> bool:
        """Whether it has been read."""
        return "value" in self.__dict__

    def serializer(self) -> URLSafeTimedSerializer:
        """Return what writes and reads cookies. Raises: Unavailable."""
        return URLSafeTimedSerializer(
            self.value,
            salt=PURPOSE,
            serializer=session_json_serializer,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


class ConsoleSessions(SecureCookieSessionInterface):
    """Opens sessions below one path, and nowhere else."""

    def __init__(self, key: SigningKey, *, path: str) -> None:
        """Sign with `key`."""
        self._key = key
        self._path = path
        self._none = NullSession()

    def open_session(
        self, app: Flask, request: flask.Request
    ) -> SecureCookieSession | NullSession | None:
        """Return the session of a request; a page is told later that the database is away."""
        if not request.path.startswith(self._path):
            return self._none
        try:
            return super().open_session(app, request)
        except Unavailable:
            return self.session_class()

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer:
        """Return what signs; the application itself has no secret key."""
        return self._key.serializer()

    def get_cookie_name(self, app: Flask) -> str:
        """Return a name that tells whose it is."""
        return COOKIE

    def get_cookie_path(self, app: Flask) -> str:
        """Return the path of the pages: the dialects never see the cookie."""
        return flask.request.script_root + self._path

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the browser came by TLS, as a trusted proxy may say."""
        return flask.request.is_secure

    def get_cookie_samesite(self, app: Flask) -> str:
        """Return that no other site's page makes a browser send it."""
        return "Strict"
