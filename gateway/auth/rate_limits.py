"""How many requests a credential and a tenant may make.

Redis counts for all workers; a worker that does not reach it counts by itself until it does.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response
from limits import parse
from limits.storage import MemoryStorage, RedisClusterStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from core.caching.redis_cache import FAILURES, RETRY_SECONDS
from gateway.auth.authenticator import VENDOR_ORDER, credential_of
from gateway.auth.rate_usage import Usage, hit
from gateway.request import Request, current_request
from gateway.settings import NO_REDIS, Settings

CREDENTIAL, TENANT = "credential", "tenant"
KEY_PREFIX = "crm-limits"
DIGEST_BYTES = 16
DEFAULT_PORT = 6379


class RateLimits:
    """Counts requests against the limits of the settings."""

    def __init__(self, settings: Settings, read_scope: Callable[[], str]) -> None:
        """Connect to nothing yet; `read_scope` names the database whose requests are counted."""
        self._limits = {
            subject: parse(text)
            for subject, text in (
                (CREDENTIAL, settings.credential_rate_limit),
                (TENANT, settings.tenant_rate_limit),
            )
            if text is not None
        }
        self._settings = settings
        self._read_scope = read_scope
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._circuit_open_until = 0.0

    def __bool__(self) -> bool:
        """Return whether anything is limited."""
        return bool(self._limits)

    def count(self, subjects: Iterable[tuple[str, str]]) -> Usage | None:
        """Count a request; return the tightest of its limits. Raises: RateLimited."""
        usages = [
            self._count(subject, name) for subject, name in subjects if subject in self._limits
        ]
        return min(usages, key=lambda usage: usage.remaining, default=None)

    def _count(self, subject: str, name: str) -> Usage:
        item = self._limits[subject]
        names = (self._scope, subject, name)
        try:
            if time.monotonic() >= self._circuit_open_until and self._shared is not None:
                return hit(self._shared, item, subject, names)
        except FAILURES:  # A cluster is reached for as soon as there is a client of it.
            self._circuit_open_until = time.monotonic() + RETRY_SECONDS
        return hit(self._own, item, subject, names)

    @cached_property
    def _scope(self) -> str:
        return self._read_scope()

    @cached_property
    def _shared(self) -> SlidingWindowCounterRateLimiter | None:
        url, seconds = self._settings.redis_url, self._settings.redis_deadline_ms / 1000
        if url in (None, NO_REDIS):
            return None
        options: Any = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        if self._settings.redis_cluster:
            # The library would read neither TLS nor an encoded password out of the URL.
            node = urlsplit(str(url))
            host, port = node.hostname or "localhost", node.port or DEFAULT_PORT
            cluster = f"redis+cluster://{f'[{host}]' if ':' in host else host}:{port}"
            return SlidingWindowCounterRateLimiter(
                RedisClusterStorage(cluster, key_prefix=KEY_PREFIX, url=str(url), **options)
            )
        return SlidingWindowCounterRateLimiter(
            RedisStorage(str(url), key_prefix=KEY_PREFIX, **options)
        )


def install(app: Flask, limits: RateLimits) -> None:
    """Count every request that has a principal, and tell what is left in its response."""
    if not limits:
        return

    def count() -> None:
        request = current_request()
        if request.principal is not None:
            request.rate_limit_headers = _headers(limits.count(_subjects(request)))

    def tell(response: Response) -> Response:
        response.headers.update(current_request().rate_limit_headers)
        return response

    app.before_request(count)
    app.after_request(tell)


def _headers(usage: Usage | None) -> dict[str, str]:
    return {} if usage is None else usage.headers


def _subjects(request: Request) -> list[tuple[str, str]]:
    principal = request.principal
    _, credential = credential_of(request.environ, VENDOR_ORDER[request.blueprint])
    digest = hashlib.blake2b(credential.encode(), digest_size=DIGEST_BYTES).hexdigest()
    tenant_ids = principal.tenant_ids if principal else ()
    return [(CREDENTIAL, digest), *((TENANT, str(tenant_id)) for tenant_id in tenant_ids)]
