"""Structured logs on standard output: one JSON object a line, or on a terminal a line in colour.

A request's line holds its id, tenant, user, dialect, route, status and duration. Headers, bodies,
paths and query strings are never logged: they may hold secrets.
"""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import Response, has_request_context
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from core.domain.model import Principal
from gateway.observability import terminal
from gateway.observability.incidents import Incidents, kind_of
from gateway.observability.log_lines import Lines
from gateway.request import Request, current_request

LEVELS = logging.getLevelNamesMapping()
LEVEL_NAMES = {number: name.lower() for name, number in LEVELS.items()}
QUIET_BLUEPRINTS = frozenset({"ops"})
SERVER_ERROR = 500


class RequestLog:
    """Writes a line for every request, straight to `lines`: it is the one log of the hot path."""

    def __init__(self, lines: Lines, level: str, incidents: Incidents | None = None) -> None:
        """Write what is at or above a level: server errors are errors, probes are for debugging.

        Lines of requests that failed or were slow are left with `incidents`, too.
        """
        self._lines = lines
        self._incidents = incidents
        self._render: Callable[[dict[str, Any]], bytes] = (
            terminal.render if lines.is_terminal else orjson.dumps
        )
        self._level = LEVELS[level.upper()]

    def write(self, request: Request, response: Response, seconds: float) -> None:
        """Write the line of a request that the application answered."""
        rule = request.url_rule
        self.write_line(
            request.request_id,
            request.principal,
            request.blueprint,
            rule.rule if rule else None,
            request.method,
            response.status_code,
            seconds,
            refusal=request.refusal,
        )

    def write_line(
        self,
        request_id: str,
        principal: Principal | None,
        dialect: str | None,
        route: str | None,
        method: str,
        status: int,
        seconds: float,
        *,
        refusal: str | None = None,
    ) -> None:
        """Write the line of an answered request; `refusal` says why a credential was not taken."""
        level = _level(status, dialect)
        incidents = self._incidents if kind_of(status, seconds) else None
        if level < self._level and incidents is None:
            return
        line = {
            "event": "request",
            "level": LEVEL_NAMES[level],
            "timestamp": datetime.now(UTC),
            "request_id": request_id,
            "tenant": principal and _tenant(principal.tenant_ids),
            "user": principal and principal.user_id,
            "dialect": dialect,
            "route": route,
            "method": method,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
        }
        if refusal is not None:
            line["refusal"] = refusal
        if incidents is not None:
            incidents.note(line, principal, seconds)
        if level >= self._level:
            self._lines.write(self._render(line))


def _level(status: int, blueprint: str | None) -> int:
    if status >= SERVER_ERROR:
        return logging.ERROR
    return logging.DEBUG if blueprint in QUIET_BLUEPRINTS else logging.INFO


def _tenant(tenant_ids: tuple[int, ...]) -> int | tuple[int, ...]:
    return tenant_ids[0] if len(tenant_ids) == 1 else tenant_ids


def make_logger(lines: Lines, level: str) -> FilteringBoundLogger:
    """Return a logger of everything that is not a request's line, from this level on."""
    logger: FilteringBoundLogger = structlog.wrap_logger(
        lines,
        processors=[*_processors(), _for_terminal if lines.is_terminal else _as_json],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.upper()]),
        context_class=dict,
    ).bind()
    return logger


def server_logging(level: str) -> dict[str, Any]:
    """Return what `logging` is configured with, so that gunicorn and libraries log alike."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _processors(),
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _for_terminal_text if sys.stdout.isatty() else _as_json_text,
        ],
    }
    output = {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"}
    own = {"handlers": ["stdout"], "level": level.upper(), "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": formatter},
        "handlers": {"stdout": output},
        "root": {"handlers": ["stdout"], "level": "WARNING"},
        "loggers": {"gunicorn.error": own},
    }


class _LinesStream:
    """What a handler of `logging` writes to, for lines that hold nobody up."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.write(text.removesuffix("\n").encode())

    def flush(self) -> None:
        """Do nothing: lines are written at once, or flushed by a thread of their own."""


def redirect_server_logging(lines: Lines) -> None:
    """Have gunicorn's messages and the libraries' written as requests' lines are."""
    for name in (None, "gunicorn.error"):
        for handler in logging.getLogger(name).handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(_LinesStream(lines))


def _processors() -> list[Processor]:
    return [
        structlog.processors.add_log_level,
        _add_time_and_request,
        structlog.processors.format_exc_info,
    ]


def _add_time_and_request(_logger: object, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC)
    if has_request_context():
        event["request_id"] = current_request().request_id
    return event


def _as_json(_logger: object, _method: str, event: EventDict) -> bytes:
    return orjson.dumps(event, default=repr)


def _as_json_text(logger: object, method: str, event: EventDict) -> str:
    return _as_json(logger, method, event).decode()


def _for_terminal(_logger: object, _method: str, event: EventDict) -> bytes:
    return terminal.render(event)


def _for_terminal_text(_logger: object, _method: str, event: EventDict) -> str:
    return terminal.render(event).decode()
