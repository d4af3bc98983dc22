"""ResponseKeeper: requests answered by the event loop, with responses that were given before.

A kept response is sent only after the tenant's versions were read by a statement that was sent
after the request came, and to a credential that was verified as lately as for any other request.
"""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Protocol

from adapters.http import SHOWN
from core.domain.counters import RESPONSE_HITS, RESPONSE_MISSES, RESPONSE_STALE, Counters
from core.domain.model import Principal, Versions
from gateway.dialect_errors import owner_of
from gateway.request import ANSWERED, BEGAN, ID_HEADER, request_id
from gateway.server.environ import Environ
from gateway.server.kept_responses import KeptResponse, KeptResponses, Shown
from gateway.server.responses import Response

Reply = Callable[[Response], None]
Recall = Callable[[Environ, str], Principal | None]
"""Returns whom the credentials of a request to a dialect were verified for a moment ago."""

Trace = Callable[[Environ, str, str, int], None]
Record = Callable[[Shown, str, str, int, float], None]
"""Counts and logs a response: what it shows, request id, method, status, seconds."""

METHODS = frozenset({"GET", "HEAD"})
STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.NOT_MODIFIED})
DIALECT, KEY = "gateway.dialect", "gateway.response_key"
KEY_BYTES = 20
MAX_BODY_BYTES = 2**16
KEY_HEADERS = (
    "REQUEST_METHOD",
    "PATH_INFO",
    "HTTP_X_ACCESS_TOKEN",
    "HTTP_X_API_KEY",
    "HTTP_AUTHORIZATION",
    "HTTP_ACCEPT",
    "HTTP_IF_NONE_MATCH",
    "HTTP_ORIGIN",
    "CONTENT_TYPE",
    "QUERY_STRING",
)
"""All of a request that a response may depend on, beside its body.

`SCRIPT_NAME` is not among them: no response of a dialect holds a link.
"""


class VersionSource(Protocol):
    """What reads the versions of tenants."""

    def read(self, tenant_id: int, receive: Callable[[Versions | None], None], /) -> None:
        """Call `receive` once with the versions, or with None if they cannot be had in time."""


class ResponseKeeper:
    """Answers what it can, and considers the answers to what it cannot."""

    def __init__(
        self,
        responses: KeptResponses,
        versions: VersionSource,
        *,
        recall: Recall,
        record: Record,
        counters: Counters,
        trace: Trace | None = None,
    ) -> None:
        """Take what is kept, and what tells whether it is right and for whom."""
        self._trace = trace
        self._responses = responses
        self._versions = versions
        self._recall = recall
        self._record = record
        self._counters = counters

    def serve(self, environ: Environ, reply: Reply, otherwise: Callable[[], None]) -> bool:
        """Answer a request with what is kept, or else call `otherwise`, now or a moment later.

        Returns False, and does nothing, if nothing is kept for the request.
        """
        if environ["REQUEST_METHOD"] not in METHODS:
            return False
        dialect = owner_of(environ["PATH_INFO"])[0]
        if not dialect:
            return False
        key = _key_of(environ)
        if key is None:
            return False
        environ[DIALECT], environ[KEY] = dialect, key
        kept = self._responses.find(key)
        if kept is None:
            self._counters[RESPONSE_MISSES] += 1
            return False
        if self._recall(environ, dialect) != kept.shown.principal:
            return False
        receive = partial(self._check, environ, kept, reply, otherwise)
        self._versions.read(kept.shown.tenant_id, receive)
        return True

    def _check(
        self,
        environ: Environ,
        kept: KeptResponse,
        reply: Reply,
        otherwise: Callable[[], None],
        versions: Versions | None,
    ) -> None:
        if versions != kept.shown.versions:
            if versions is not None:
                self._counters[RESPONSE_STALE] += 1
                self._responses.discard(environ[KEY])
            otherwise()
            return
        self._counters[RESPONSE_HITS] += 1
        self._responses.count_hit(kept)
        status, headers, body, _ = kept.response
        number = request_id(environ)
        own = [(name, number if name == ID_HEADER else value) for name, value in headers]
        seconds = time.perf_counter() - environ[BEGAN]
        self._record(kept.shown, number, environ["REQUEST_METHOD"], status, seconds)
        if self._trace is not None:
            self._trace(environ, kept.shown.route, number, status)
        reply(Response(status, own, body))

    def consider(self, environ: Environ, response: Response) -> None:
        """Keep the response to a request, if the view said what it shows and if that pays."""
        key, shown = environ.get(KEY), environ.get(SHOWN)
        if key is None or shown is None or response.status not in STATUSES:
            return
        tenant_id, versions = shown
        if not self._responses.admits(key, tenant_id, versions):
            return
        principal, route = environ[ANSWERED]
        about = Shown(tenant_id, versions, principal, environ[DIALECT], route)
        self._responses.keep(key, KeptResponse(response, about))


def _key_of(environ: Environ) -> bytes | None:
    """Return a digest of all that the response may depend on; None if that is too much."""
    parts = "\0".join([environ.get(name, "") for name in KEY_HEADERS]).encode("latin-1")
    body = b""
    if "CONTENT_LENGTH" in environ:
        if int(environ["CONTENT_LENGTH"]) > MAX_BODY_BYTES:
            return None
        body = environ["wsgi.input"].getvalue()
    digest = hashlib.blake2b(parts, digest_size=KEY_BYTES)
    if body:
        digest.update(b"\0\0" + body)
    return digest.digest()
