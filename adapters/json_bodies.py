"""JSON of a request's body, with what no dialect accepts refused."""

import json
from typing import Any, NoReturn

from core.domain.errors import InvalidActivity
from core.domain.validators import MAX_DEPTH, Refused, text

INFINITIES = (float("inf"), float("-inf"))


def parse_json(raw: bytes) -> Any:
    """Return the JSON value in UTF-8 bytes.

    Refused, with the place named: NaN and infinities, NUL characters and lone surrogates in text
    or keys, and nesting beyond `MAX_DEPTH`. Raises: InvalidActivity.
    """
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidActivity("body", "is not UTF-8") from error
    except RecursionError as error:
        raise InvalidActivity("body", "is nested too deeply") from error
    except ValueError as error:
        raise InvalidActivity("body", f"is not valid JSON: {error}") from error
    _check_value(value, path="", depth=0)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check_value(value: Any, *, path: str, depth: int) -> None:
    """Refuse what PostgreSQL or UTF-8 cannot hold, wherever it stands."""
    if depth > MAX_DEPTH:
        raise InvalidActivity(path or "body", "is nested too deeply")
    if isinstance(value, str):
        _check_text(value, path=path)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key, path=path)
            _check_value(inner, path=f"{path}.{key}" if path else key, depth=depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check_value(inner, path=f"{path}[{index}]", depth=depth + 1)
    elif isinstance(value, float) and value in INFINITIES:
        raise InvalidActivity(path or "body", "is a number too large to hold")


def _check_text(value: str, *, path: str) -> None:
    try:
        text(value)
    except Refused as refusal:
        raise InvalidActivity(path or "body", str(refusal)) from refusal
