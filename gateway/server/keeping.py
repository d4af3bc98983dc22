"""What keeps responses, put together for an application."""

from asyncio import AbstractEventLoop
from functools import partial

from flask import Flask

from core.storage.version_reader import VersionReader
from gateway.observability import places
from gateway.observability.logs import RequestLog
from gateway.observability.metrics import Metrics
from gateway.server.kept_responses import KeptResponses, Shown
from gateway.server.response_keeper import ResponseKeeper
from gateway.settings import Settings


def make_keeper(app: Flask, loop: AbstractEventLoop, settings: Settings) -> ResponseKeeper | None:
    """Return what keeps an application's responses; None if none may be kept.

    Where requests are limited in number each of them has to be counted, by the application; and
    under row-level security only the application says whose rows may be seen.
    """
    parts = app.extensions
    is_limited = settings.credential_rate_limit or settings.tenant_rate_limit
    is_guarded = is_limited or settings.row_security
    if not settings.answer_cache_bytes or is_guarded or "recall" not in parts:
        return None
    database, metrics = parts["database"], parts["metrics"]
    responses = KeptResponses(max_bytes=settings.answer_cache_bytes)
    metrics.sample(places.RESPONSE_BYTES, lambda: responses.size)
    metrics.sample(places.RESPONSE_ENTRIES, lambda: len(responses))
    return ResponseKeeper(
        responses,
        VersionReader(database.connect, loop, is_avoided=database.nodes.may_be_frozen),
        recall=partial(parts["recall"], reads_tenant=True),
        record=partial(_record, metrics, parts["request_log"]),
        counters=metrics.counters,
        trace=parts.get("trace_kept"),
    )


def _record(
    metrics: Metrics, log: RequestLog, shown: Shown, number: str, method: str, *outcome: float
) -> None:
    status, seconds = int(outcome[0]), outcome[1]
    metrics.count(shown.dialect, shown.route, method, status, seconds)
    log.write_line(number, shown.principal, shown.dialect, shown.route, method, status, seconds)
