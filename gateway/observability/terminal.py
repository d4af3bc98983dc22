"""Log lines for people: one line each, in colour, the most telling words first."""

from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31"}
DIM = "2"
SERVER_ERROR, CLIENT_ERROR = 500, 400
TOLD = frozenset({"event", "level", "timestamp", "method", "route", "status", "duration_ms"})


def render(event: MutableMapping[str, Any]) -> bytes:
    """Return an event as a line; what an exception says follows below it."""
    given = dict(event)
    stack = given.pop("exception", None)
    level = str(given.get("level", "info"))
    written_at = given.get("timestamp") or datetime.now(UTC)
    headline = _request(given) if given.get("event") == "request" else _safe(given.get("event"))
    rest = [f"{name}={_safe(value)}" for name, value in given.items() if _is_told(name, value)]
    parts = [
        _in_colour(written_at.astimezone().strftime("%H:%M:%S.%f")[:-3], DIM),
        _in_colour(f"{level:<7}", COLOURS.get(level, DIM)),
        headline,
        *([_in_colour(" ".join(rest), DIM)] if rest else []),
        *([f"\n{stack}"] if stack else []),
    ]
    return " ".join(parts).encode("utf-8", "replace")


def _is_told(name: str, value: Any) -> bool:
    return name not in TOLD and value is not None


def _request(event: dict[str, Any]) -> str:
    status = int(event.get("status") or 0)
    colour = "31" if status >= SERVER_ERROR else "33" if status >= CLIENT_ERROR else "32"
    route = event.get("route") or "(no route)"
    words = (event.get("method"), route, _in_colour(str(status), colour))
    return f"{' '.join(map(str, words))} {event.get('duration_ms')} ms"


def _safe(value: Any) -> str:
    """Return a value on one line, without anything that a terminal would obey."""
    text = str(value)
    return text if text.isprintable() else repr(text)


def _in_colour(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"
