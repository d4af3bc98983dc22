"""The public keys of RS256 and ES256 tokens: a JWK set from a file or a URL, kept fresh."""

import time
from collections.abc import Sequence
from threading import Lock

from jwt import PyJWK

from core.domain.errors import Unavailable
from gateway.jwk_set import KeySetError, is_url, load_keys

MAX_AGE_SECONDS = 300.0
MIN_AGE_SECONDS = 10.0
"""A set that lacks a key, or could not be loaded, is loaded again no sooner than this."""


class KeySet:
    """The keys of one JWK set, loaded on first use and again as they age or are missed."""

    def __init__(self, location: str) -> None:
        """Use the set at a URL, or in a file. Raises: KeySetError, for a file without keys."""
        self._location = location
        self._lock = Lock()
        self._keys: Sequence[PyJWK] = ()
        self._tried_at = float("-inf")
        if not is_url(location):
            self._keys, self._tried_at = load_keys(location), time.monotonic()

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

    def has(self, key: object) -> bool:
        """Return whether a key is in the set, which is not due to be loaded again; never waits."""
        is_fresh = time.monotonic() - self._tried_at < MAX_AGE_SECONDS
        return is_fresh and any(key is known for known in self._keys)

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
                    self._keys = load_keys(self._location)
                except KeySetError as error:
                    if not self._keys:
                        raise Unavailable(detail=str(error)) from error
        if not self._keys:
            raise Unavailable(detail=f"no keys from {self._location} yet")
