"""Query strings as the `qs` library writes them: brackets, indices and repeated keys.

Feathers clients send nested queries this way (docs/dialects/achieveapex.md A85 to A90). Differences
to `qs`, all on purpose: far more than 20 elements and 5 levels are read; what is too much or
contradicts itself is refused and never cut off silently; time is linear in the length.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from core.domain.errors import InvalidQuery
from core.domain.validators import MAX_DEPTH

MAX_PARAMETERS = 2000
KEY = re.compile(r"([^\[\]]*)((?:\[[^\[\]]*\])*)")
INDEX = re.compile(r"\d{1,15}", re.ASCII)


class _Slot:
    """What was sent for one key: its own values, and the keys in brackets behind it."""

    __slots__ = ("children", "is_list", "values")

    def __init__(self) -> None:
        self.values: list[str] = []
        self.children: dict[str, _Slot] = {}
        self.is_list = False

    def child(self, key: str) -> "_Slot":
        """Return the slot behind a key in brackets, made when it is new."""
        slot = self.children.get(key)
        if slot is None:
            slot = self.children[key] = _Slot()
        return slot


def parse(raw: bytes) -> dict[str, Any]:
    """Return the query as nested dicts, lists and strings.

    Integer keys make lists, whose gaps close up. Keys with unbalanced brackets are taken as they
    are; `__proto__` is dropped, as everywhere in that world.
    Raises: InvalidQuery, for too much, for text that is not UTF-8 or holds NUL, and for a key
    that is both a value and an object.
    """
    if raw.count(b"&") >= MAX_PARAMETERS:
        raise InvalidQuery("query", f"takes at most {MAX_PARAMETERS} parameters")
    root = _Slot()
    for part in raw.split(b"&"):
        key, _, value = part.partition(b"=")
        path = _path(_decode(key))
        if path and "__proto__" not in path:
            _insert(root, path, _decode(value))
    return {name: _value(slot, name) for name, slot in root.children.items()}


def _decode(part: bytes) -> str:
    try:
        text = unquote_to_bytes(part.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise InvalidQuery("query", "is not UTF-8") from error
    if "\0" in text:
        raise InvalidQuery("query", "holds a NUL character")
    return text


def _path(key: str) -> list[str]:
    match = KEY.fullmatch(key)
    if match is None:
        return [key]
    head, brackets = match.groups()
    path = [head] if head else []
    if brackets:
        path += brackets[1:-1].split("][")
    if len(path) > MAX_DEPTH:
        raise InvalidQuery("query", f"is nested deeper than {MAX_DEPTH} levels")
    return path


def _insert(root: _Slot, path: list[str], value: str) -> None:
    slot = root
    for place, key in enumerate(path):
        if not key and place == len(path) - 1 and place:
            slot.is_list = True  # `a[]=1` adds to a list, even when it stays alone.
            break
        slot = slot.child(key or "0")  # `a[][b]=1` speaks of the first element, as in qs.
    slot.values.append(value)


def _value(slot: _Slot, path: str) -> Any:
    if not slot.children:
        is_single = len(slot.values) == 1 and not slot.is_list
        return slot.values[0] if is_single else slot.values
    inner = {key: _value(child, f"{path}/{key}") for key, child in slot.children.items()}
    if all(INDEX.fullmatch(key) for key in inner):
        return [*slot.values, *(inner[key] for key in sorted(inner, key=int))]
    if slot.values:
        raise InvalidQuery(path, "must NOT be both a value and an object")
    return inner
