"""Response headers of our own, which neither vendor has."""

from collections.abc import Iterable, Sized
from urllib.parse import quote

from flask import Response

IGNORED_FIELDS = "X-Ignored-Fields"
UPDATED_COUNT = "X-Updated-Count"
UNKNOWN_COUNT = "X-Unknown-Count"
LIMITS = ("RateLimit-Limit", "RateLimit-Policy", "RateLimit-Remaining", "RateLimit-Reset")
EXPOSED = (
    *("Allow", "ETag", *LIMITS, "Retry-After"),
    *(IGNORED_FIELDS, "X-Request-Id", UNKNOWN_COUNT, UPDATED_COUNT),
)
"""What a browser's page may read of a response, beside what every page may."""

MAX_NAMES = 20
MAX_BYTES = 1024


def add_ignored(response: Response, names: Iterable[str]) -> Response:
    """Name in a header what the dialect ignored, where there is any.

    Names are percent-encoded; of many, those that fit into 20 names and 1 KiB are there.
    """
    value = ""
    for name in list(dict.fromkeys(names))[:MAX_NAMES]:
        longer = f"{value}, {quote(name, safe='')}" if value else quote(name, safe="")
        if len(longer) > MAX_BYTES:
            break
        value = longer
    if value:
        response.headers[IGNORED_FIELDS] = value
    return response


def add_counts(response: Response, requested: Iterable[int], found: Sized) -> Response:
    """Tell in headers how many of the ids of a bulk call were there, and how many were not."""
    response.headers[UPDATED_COUNT] = str(len(found))
    response.headers[UNKNOWN_COUNT] = str(len(set(requested)) - len(found))
    return response
