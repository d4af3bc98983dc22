"""The filters of the Feathers query language as conditions of the core.

Operators are those of Feathers' adapters and of its SQL adapter; null behaves as in SQL
(docs/dialects/achieveapex.md A69, A71).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from adapters.achieveapex.errors import FeathersError
from adapters.achieveapex.fields import FIELD_BY_NAME, UNKNOWN_KEY, Field
from adapters.achieveapex.query_values import parse_value
from core.domain.errors import InvalidQuery
from core.domain.query import (
    EFFECTIVE_DURATION,
    EVERYTHING,
    NOTHING,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    ContainsText,
    HasMember,
    IsNull,
    Like,
    MemberCompare,
    Not,
    OneOf,
)

MAX_RANGES = 1000
"""Values of one set on a column that SQL compares value by value."""

MAX_COMPARISONS = 2500
"""Comparisons of one query in SQL; a set of ids is one, a set of stamps two for each."""


def to_condition(
    query: dict[str, Any], *, path: str = "", logical: tuple[str, ...] = ("$or",)
) -> Condition:
    """Return the condition that all keys of a query object make together.

    `logical` are the combining keys that are allowed here: `$and` only at the top level.
    Raises: FeathersError for an unknown operator, InvalidQuery for anything else that is wrong.
    """
    parts = []
    for key, value in query.items():
        if key in logical:
            parts.append(_combined(key, value, f"{path}{key}"))
        elif key.startswith("$"):
            raise FeathersError(400, f"Invalid query parameter {key}", data=query)
        else:
            parts.append(_column(column(key, path), value, f"{path}{key}"))
    return _all_of(parts)


def comparisons(condition: Condition) -> int:
    """Return how many comparisons a condition costs in SQL."""
    if isinstance(condition, AllOf | AnyOf):
        return sum(map(comparisons, condition.parts))
    if isinstance(condition, Not):
        return comparisons(condition.part)
    if isinstance(condition, OneOf) and condition.field == EFFECTIVE_DURATION:
        return len(condition.values)  # Not a column: every value repeats its expression.
    return 1


def column(name: str, path: str = "") -> Field:
    """Return the declaration of a column. Raises: InvalidQuery, if there is none."""
    field = FIELD_BY_NAME.get(name)
    if field is None:
        raise InvalidQuery(f"{path}{name}", UNKNOWN_KEY)
    return field


def _combined(key: str, value: Any, path: str) -> Condition:
    if not isinstance(value, list):
        raise InvalidQuery(path, "must be array")
    parts = []
    for place, inner in enumerate(value):
        if not isinstance(inner, dict):
            raise InvalidQuery(f"{path}/{place}", "must be object")
        parts.append(to_condition(inner, path=f"{path}/{place}/"))
    if key == "$and" or not parts:  # An empty `$or` is no filter in Feathers' SQL adapter.
        return _all_of(parts)
    return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))


def _all_of(parts: list[Condition]) -> Condition:
    limiting = tuple(part for part in parts if part is not EVERYTHING)
    if not limiting:
        return EVERYTHING
    return limiting[0] if len(limiting) == 1 else AllOf(limiting)


def _column(field: Field, value: Any, path: str) -> Condition:
    if isinstance(value, list):
        raise InvalidQuery(path, "must NOT be an array; use $in")
    if not isinstance(value, dict):
        if field.wire == "subject" and isinstance(value, str):
            # The one partial match of the vendor's page (docs/dialects/achieveapex.md A73).
            return ContainsText(value)
        return _equal(field, parse_value(field, value, path))
    parts = []
    for name, operand in value.items():
        operator = OPERATORS.get(name)
        if operator is not None:
            parts.append(operator(field, operand, f"{path}/{name}"))
        elif name.startswith("$"):
            raise FeathersError(400, f"Invalid query parameter {name}", data=value)
        else:
            raise InvalidQuery(f"{path}/{name}", UNKNOWN_KEY)
    return _all_of(parts)


def _equal(field: Field, value: Any) -> Condition:
    if value is None:
        # Deleted rows are hidden in every list (docs/dialects/achieveapex.md A39): those
        # that are left have no stamp.
        return EVERYTHING if field.wire == "deleted_at" else IsNull(field.compared)
    if field.kind == "members":
        return HasMember(field.compared, (value,))
    low, high = _shown_range(field, value)
    if low == high:
        return Compare(field.compared, "=", value)
    return AllOf((Compare(field.compared, ">=", low), Compare(field.compared, "<=", high)))


def _shown_range(field: Field, value: Any) -> tuple[Any, Any]:
    """Return the least and the greatest stored value that is shown as `value`.

    Stamps are stored to the microsecond but shown to the millisecond, and times to the second:
    a filter on what was shown must find it (docs/dialects/achieveapex.md A75).
    """
    if field.kind == "timestamp":
        return value, value.replace(microsecond=value.microsecond + 999)
    if field.kind == "time":
        return value, value.replace(microsecond=999_999)
    return value, value


def _compared(operator: str, field: Field, operand: Any, path: str) -> Condition:
    value = parse_value(field, operand, path)
    if value is None:
        return NOTHING
    if field.kind == "members":
        return MemberCompare(field.compared, operator, value)
    low, high = _shown_range(field, value)
    return Compare(field.compared, operator, low if operator in ("<", ">=") else high)


def _not_equal(field: Field, operand: Any, path: str) -> Condition:
    return Not(_equal(field, parse_value(field, operand, path)))


def _in(field: Field, operand: Any, path: str) -> Condition:
    return _one_of(field, [value for value in _values(field, operand, path) if value is not None])


def _not_in(field: Field, operand: Any, path: str) -> Condition:
    values = _values(field, operand, path)
    if not values:
        return EVERYTHING
    return NOTHING if None in values else Not(_one_of(field, values))


def _values(field: Field, operand: Any, path: str) -> list[Any]:
    # qs cannot tell a list of one from a value: `a[$in]=5` is a list here
    # (docs/dialects/achieveapex.md A88).
    operands = operand if isinstance(operand, list) else [operand]
    if field.kind in ("time", "timestamp", "number") and len(operands) > MAX_RANGES:
        raise InvalidQuery(path, f"must NOT have more than {MAX_RANGES} items")
    values = [parse_value(field, value, f"{path}/{place}") for place, value in enumerate(operands)]
    return list(dict.fromkeys(values))


def _one_of(field: Field, values: list[Any]) -> Condition:
    if not values:
        return NOTHING
    if field.kind == "members":
        return HasMember(field.compared, tuple(values))
    if field.kind in ("time", "timestamp"):
        return AnyOf(tuple(_equal(field, value) for value in values))
    return OneOf(field.compared, tuple(values))


def _like(field: Field, operand: Any, path: str, *, ignore_case: bool = False) -> Condition:
    if field.kind != "text":
        raise InvalidQuery(path, "must be used on a column of text")
    pattern = parse_value(field, operand, path)
    if pattern is None:
        return NOTHING
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise InvalidQuery(path, "must NOT end with a single backslash")
    return Like(field.compared, pattern, ignore_case)


def _not_like(field: Field, operand: Any, path: str) -> Condition:
    like = _like(field, operand, path)
    return like if like is NOTHING else Not(like)


Operator = Callable[[Field, Any, str], Condition]
OPERATORS: dict[str, Operator] = {
    "$in": _in,
    "$nin": _not_in,
    "$ne": _not_equal,
    "$lt": partial(_compared, "<"),
    "$lte": partial(_compared, "<="),
    "$gt": partial(_compared, ">"),
    "$gte": partial(_compared, ">="),
    "$like": _like,
    "$notlike": _not_like,
    "$ilike": partial(_like, ignore_case=True),
    "$iLike": partial(_like, ignore_case=True),
}
