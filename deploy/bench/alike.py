"""The peers must give the same answers, or their speed would mean nothing."""

import json
from typing import Any

from deploy.bench.asks import Asks
from deploy.bench.bench import Bench

CHECKED = 5


def check(bench: Bench, names: tuple[str, ...], asks: Asks) -> None:
    """Compare a few answers, as JSON, with the first server's; differences become notes."""
    running = bench.ready(names, asks)
    step = max(1, len(asks.paths) // CHECKED)
    for number, path in asks.paths[::step][:CHECKED]:
        expected: Any = None
        for name, server in running.items():
            status, body = server.get(path, asks.tokens[number])
            answer = json.loads(body) if status == 200 else {"status": status}
            if expected is None:
                expected = answer
            elif answer != expected:
                where = _first_difference(expected, answer, "$")
                bench.notes.append(f"{name} answers {path} otherwise: {where}")


def _first_difference(expected: Any, answer: Any, place: str) -> str:
    if isinstance(expected, dict) and isinstance(answer, dict):
        for key in expected.keys() | answer.keys():
            if expected.get(key) != answer.get(key):
                return _first_difference(expected.get(key), answer.get(key), f"{place}.{key}")
    if isinstance(expected, list) and isinstance(answer, list) and len(expected) == len(answer):
        for index, (one, other) in enumerate(zip(expected, answer, strict=True)):
            if one != other:
                return _first_difference(one, other, f"{place}[{index}]")
    return f"{place} is {str(answer)[:80]}, not {str(expected)[:80]}"
