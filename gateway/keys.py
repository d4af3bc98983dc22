"""The public keys of RS256 and ES256 tokens: a JWK set from a file or a URL, kept fresh."""

import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from urllib.request import urlopen

import jwt
import orjson
from jwt import PyJWK

from core.errors import Unavailable

ALGORITHMS = frozenset({"RS256", "ES256"})
MAX_AGE_SECONDS = 300.0
MIN_AGE_SECONDS = 10.0
"""A set that lacks a key, or could not be loaded, is loaded again no sooner than this."""

FETCH_SECONDS = 2.0
MAX_BYTES = 2**20
URL_SCHEMES = ("https://", "http://")


class KeySetError(Exception):
    """A JWK set could not be read; the message says why."""


class KeySet:
    """The keys of one JWK set, loaded on first use and again as they age or are missed."""

    def __init__(self, location: str) -> None:
        """Use the set at a URL, or in a file. Raises: KeySetError, for a file without keys."""
        self._location = location
        self._lock = Lock()
        self._keys: Sequence[PyJWK] = ()
        self._tried_at = float("-inf")
        if not location.startswith(URL_SCHEMES):
            self._keys, self._tried_at = self._load(), time.monotonic()

    def candidates(self, algorithm: str, key_id: str | None) -> list[PyJWK]:
        """Return the keys that may have signed a token with this algorithm and key id.

        A token without a key id may be of any key. Raises: Unavailable, if no set was ever loaded.
        """
        self._refresh(older_than=MAX_AGE_SECONDS)
        found = self._matching(algorithm, key_id)
        if not found:
            self._refresh(older_than=MIN_AGE_SECONDS)
            found = self._matching(algorithm, key_id)
        return found

    def _matching(self, algorithm: str, key_id: str | None) -> list[PyJWK]:
        return [
            key
            for key in self._keys
            if key.algorithm_name == algorithm and key_id in (None, key.key_id)
        ]

    def _refresh(self, *, older_than: float) -> None:
        with self._lock:
            wait = older_than if self._keys else MIN_AGE_SECONDS
            if time.monotonic() - self._tried_at >= wait:
                self._tried_at = time.monotonic()
                try:
                    self._keys = self._load()
                except KeySetError as error:
                    if not self._keys:
                        raise Unavailable(detail=str(error)) from error
        if not self._keys:
            raise Unavailable(detail=f"no keys from {self._location} yet")

    def _load(self) -> Sequence[PyJWK]:
        try:
            document = orjson.loads(self._read())
            keys = jwt.PyJWKSet.from_dict(document).keys
        except (OSError, ValueError, AttributeError, TypeError, jwt.PyJWTError) as error:
            raise KeySetError(f"{self._location}: {error}") from error
        usable = [key for key in keys if key.algorithm_name in ALGORITHMS]
        if not usable:
            raise KeySetError(f"{self._location}: no RSA key for RS256, nor P-256 key for ES256")
        return usable

    def _read(self) -> bytes:
        if not self._location.startswith(URL_SCHEMES):
            return Path(self._location).read_bytes()
        with urlopen(self._location, timeout=FETCH_SECONDS) as answer:
            content: bytes = answer.read(MAX_BYTES)
        return content
