"""Structured logs, one JSON object a line on standard output.

A request's line holds its id, tenant, user, dialect, route, status and duration. Headers, bodies,
paths and query strings are never logged: they may hold secrets.
"""

import atexit
import logging
import sys
from collections import deque
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, BinaryIO

import orjson
import structlog
from flask import Response, has_request_context
from structlog.typing import EventDict, FilteringBoundLogger, Processor

from core.domain.model import Principal
from gateway.request import Request, current_request

LEVELS = logging.getLevelNamesMapping()
LEVEL_NAMES = {number: name.lower() for name, number in LEVELS.items()}
QUIET_BLUEPRINTS = frozenset({"ops"})
SERVER_ERROR = 500
FLUSH_SECONDS = 0.1
PIECE_BYTES = 4096  # PIPE_BUF on Linux: a write of so many bytes is never split.


class Lines:
    """Where finished lines go. A reader that went away must not fail the requests.

    At first each line is written at once. A worker buffers them instead: a write releases the
    interpreter lock, and getting that back from the other thread costs a request more than all the
    rest of its logging. Buffered lines are at most `FLUSH_SECONDS` late.
    """

    def __init__(self, file: BinaryIO | None = None) -> None:
        """Write to a file, by default to what is standard output at the time."""
        self._file = file
        self._buffer: deque[bytes] | None = None
        self._ended = Event()

    def start_buffering(self) -> None:
        """Buffer lines, and flush them from a thread of its own, until `end`."""
        self._buffer = deque()
        Thread(target=self._flush_regularly, name="log lines", daemon=True).start()
        atexit.register(self.end)

    def end(self) -> None:
        """Write the buffered lines, and later ones at once."""
        self._ended.set()
        buffered, self._buffer = self._buffer, None
        if buffered:
            self._write_all(buffered)

    def write(self, line: bytes) -> None:
        """Write one line, or buffer it."""
        if self._buffer is None:
            self._write(line + b"\n")
        else:
            self._buffer.append(line)

    debug = info = warning = error = write

    def _flush_regularly(self) -> None:
        while not self._ended.wait(FLUSH_SECONDS):
            if self._buffer:
                self._write_all(self._buffer)

    def _write_all(self, lines: deque[bytes]) -> None:
        """Write in pieces that a pipe takes whole, so that lines of processes do not mix."""
        piece = b""
        while lines:
            line = lines.popleft() + b"\n"
            if piece and len(piece) + len(line) > PIECE_BYTES:
                self._write(piece)
                piece = b""
            piece += line
        self._write(piece)

    def _write(self, piece: bytes) -> None:
        try:
            file = self._file or sys.stdout.buffer
            file.write(piece)
            file.flush()
        except (OSError, ValueError):  # ValueError: the file was closed.
            return


class RequestLog:
    """Writes a line for every request, straight to `lines`: it is the one log of the hot path."""

    def __init__(self, lines: Lines, level: str) -> None:
        """Write what is at or above a level: server errors are errors, probes are for debugging."""
        self._lines = lines
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
        if level < self._level:
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
        self._lines.write(orjson.dumps(line))


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
        processors=[*_processors(), structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.upper()]),
        context_class=dict,
    ).bind()
    return logger


def server_logging(level: str) -> dict[str, Any]:
    """Return what `logging` is configured with, so that gunicorn and libraries log as JSON too."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _processors(),
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(serializer=_json_text),
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


def _json(event: EventDict, **_options: Any) -> bytes:
    return orjson.dumps(event, default=repr)


def _json_text(event: EventDict, **options: Any) -> str:
    return _json(event, **options).decode()
