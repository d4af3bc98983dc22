"""The compared services must send the same responses, or comparing their speed means nothing."""

import json
from typing import Any

from deploy.bench.bench import Bench
from deploy.bench.workload import Workload

CHECKED = 5


def check_equivalence(bench: Bench, names: tuple[str, ...], workload: Workload) -> None:
    """Compare a few responses, as JSON, with the first server's; differences become notes."""
    running = bench.ready(names, workload)
    step = max(1, len(workload.paths) // CHECKED)
    for number, path in workload.paths[::step][:CHECKED]:
        expected: Any = None
        for name, server in running.items():
            status, body = server.get(path, workload.tokens[number])
            answer = json.loads(body) if status == 200 else {"status": status}
            if expected is None:
                expected = answer
            elif answer != expected:
                where = _first_difference(expected, answer, "$")
                bench.notes.append(f"{name} answers {path} differently: {where}")


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
