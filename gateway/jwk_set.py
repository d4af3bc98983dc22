"""Reading a JWK set from a file or a URL; the settings check theirs with it at the start.

PyJWT is imported only where there is a set: without one a worker does not need what verifies the
signatures of such keys, and it is the settings that tell.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import orjson

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHMS = frozenset({"RS256", "ES256"})
FETCH_SECONDS = 2.0
MAX_BYTES = 2**20
URL_SCHEMES = ("https://", "http://")


class KeySetError(Exception):
    """A JWK set could not be read; the message says why."""


def is_url(location: str) -> bool:
    """Return whether a location is fetched, and not a file's path."""
    return location.startswith(URL_SCHEMES)


def load_keys(location: str) -> "Sequence[PyJWK]":
    """Return the keys at a location that one of `ALGORITHMS` can use. Raises: KeySetError."""
    jwt = import_module("jwt")
    try:
        keys = jwt.PyJWKSet.from_dict(orjson.loads(_read(location))).keys
    except (OSError, ValueError, AttributeError, TypeError, jwt.PyJWTError) as error:
        raise KeySetError(f"{location}: {error}") from error
    usable = [key for key in keys if key.algorithm_name in ALGORITHMS]
    if not usable:
        raise KeySetError(f"{location}: no RSA key for RS256, nor P-256 key for ES256")
    return usable


def _read(location: str) -> bytes:
    if not is_url(location):
        return Path(location).read_bytes()
    with urlopen(location, timeout=FETCH_SECONDS) as response:
        content: bytes = response.read(MAX_BYTES)
    return content
