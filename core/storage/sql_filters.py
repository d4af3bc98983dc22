"""Conditions and orders as SQL on `activities`; null behaves as SQL has it throughout."""

import re
from collections.abc import Callable
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    and_,
    any_,
    bindparam,
    case,
    cast,
    extract,
    false,
    func,
    literal,
    not_,
    or_,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.engine import make_url

from core.domain.errors import InvalidQuery
from core.domain.memory import fits_key
from core.domain.query import (
    EFFECTIVE_DURATION,
    EVERYTHING,
    LIST_FIELDS,
    SHOWN_END,
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
    SortKey,
)
from core.storage.database import DRIVER
from core.storage.tables import SUBJECT_PREFIX, Ids, activities, shown_end

columns = activities.c
Predicate = ColumnElement[bool]
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "=": eq,
    "<>": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
MAX_PATTERN_LENGTH = 1000
MAX_WILDCARDS = 8
ESCAPED = re.compile(r"\\.", re.DOTALL)
MIRRORED = {"<": gt, "<=": ge, ">": lt, ">=": le}
NO_IDS = cast(array([], type_=BigInteger), Ids)
DIALECT = make_url(f"{DRIVER}://").get_dialect()()

# The values that every statement on activities is given, whatever its conditions.
TENANT = bindparam("tenant_id", type_=BigInteger)
USER = bindparam("user_id", type_=BigInteger)
SEES_ALL = bindparam("sees_all", type_=Boolean)


def _effective_duration() -> ColumnElement[Any]:
    clocks = (columns.start_time, columns.end_time, columns.start_at, columns.end_at)
    seconds = extract("epoch", columns.end_at - columns.start_at)
    span = cast(func.greatest(text("0"), func.floor(seconds / text("60"))), BigInteger)
    timed = and_(*(column.is_not(None) for column in clocks))
    return func.coalesce(columns.duration_minutes, case((timed, span)))


_COMPUTED = {EFFECTIVE_DURATION: _effective_duration(), SHOWN_END: shown_end()}


def fold(subject: str) -> str:
    """Return a subject as it is searched: in lower case by Unicode, whatever the locale.

    A Greek sigma that ends a word is written otherwise, but what is searched for may end
    elsewhere than what is found: both are the same letter here.
    """
    return subject.lower().replace(
        "\N{GREEK SMALL LETTER FINAL SIGMA}", "\N{GREEK SMALL LETTER SIGMA}"
    )


LIVE = columns.deleted_at.is_(None)
CONCERNS_USER = or_(
    columns.owner_id == USER,
    columns.created_by == USER,
    columns.assignee_ids.op("@>")(cast(array([USER]), Ids)),
)
SEEN = and_(LIVE, or_(columns.visibility != text("'private'"), SEES_ALL, CONCERNS_USER))
"""Live, and not private unless the caller owns, made or is assigned it, or sees all."""


def predicate(condition: Condition) -> Predicate:
    """Return the condition as an SQL expression on the columns of `activities`."""
    return _compile(condition, strict=False)


def _compile(condition: Condition, *, strict: bool) -> Predicate:
    """Compile one condition.

    `strict` is set below a negation: there a list that is empty must be unknown, as null is, and
    not false. Elsewhere false serves as well and lets an index answer.
    """
    return _COMPILERS[type(condition)](condition, strict)


def _compare(condition: Compare, _strict: bool) -> Predicate:
    column = _scalar(condition.field)
    value = condition.value
    wanted = None if condition.field == EFFECTIVE_DURATION else column.type
    comparison: Predicate = COMPARISONS[condition.operator](column, literal(value, wanted))
    return comparison


def _one_of(condition: OneOf, _strict: bool) -> Predicate:
    column = _scalar(condition.field)
    element = Double() if condition.field == EFFECTIVE_DURATION else column.type
    return column == any_(literal(list(condition.values), ARRAY(element)))


def _like(condition: Like, _strict: bool) -> Predicate:
    _check_length(condition.field, condition.pattern)
    _check_wildcards(condition)
    stripped = condition.pattern.rstrip("\\")
    if (len(condition.pattern) - len(stripped)) % 2:
        raise InvalidQuery(condition.field, "a pattern cannot end with a single backslash")
    column = _scalar(condition.field)
    if not condition.ignore_case:
        return column.like(condition.pattern)
    if condition.field == "subject":
        return columns.subject_folded.like(fold(condition.pattern))
    return column.collate("default").ilike(condition.pattern)


def _check_length(field: str, pattern: str) -> None:
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise InvalidQuery(field, f"takes patterns of at most {MAX_PATTERN_LENGTH} characters")


def _check_wildcards(condition: Like) -> None:
    """Refuse patterns that take seconds for each long text. Raises: InvalidQuery."""
    wildcards = ESCAPED.sub("", condition.pattern)
    if wildcards.count("%") + wildcards.count("_") > MAX_WILDCARDS:
        raise InvalidQuery(
            condition.field, f"takes patterns with at most {MAX_WILDCARDS} wildcards"
        )


def _contains_text(condition: ContainsText, _strict: bool) -> Predicate:
    _check_length("subject", condition.text)
    return columns.subject_folded.contains(fold(condition.text), autoescape=True)


def _is_null(condition: IsNull, _strict: bool) -> Predicate:
    if condition.field in LIST_FIELDS:
        return columns[condition.field] == NO_IDS
    return _scalar(condition.field).is_(None)


def _has_member(condition: HasMember, strict: bool) -> Predicate:
    wanted = literal(list(condition.values), Ids)
    return _list(condition.field, strict).op("&&", is_comparison=True)(wanted)


def _member_compare(condition: MemberCompare, strict: bool) -> Predicate:
    mirrored: Predicate = MIRRORED[condition.operator](
        literal(condition.value, BigInteger), any_(_list(condition.field, strict))
    )
    return mirrored


def _not(condition: Not, _strict: bool) -> Predicate:
    return not_(_compile(condition.part, strict=True))


def _all_of(condition: AllOf, strict: bool) -> Predicate:
    return and_(true(), *(_compile(part, strict=strict) for part in condition.parts))


def _any_of(condition: AnyOf, strict: bool) -> Predicate:
    return or_(false(), *(_compile(part, strict=strict) for part in condition.parts))


_COMPILERS: dict[type, Callable[[Any, bool], Predicate]] = {
    Compare: _compare,
    OneOf: _one_of,
    Like: _like,
    ContainsText: _contains_text,
    IsNull: _is_null,
    HasMember: _has_member,
    MemberCompare: _member_compare,
    Not: _not,
    AllOf: _all_of,
    AnyOf: _any_of,
}


def _scalar(field: str) -> ColumnElement[Any]:
    computed = _COMPUTED.get(field)
    return columns[field] if computed is None else computed


def _list(field: str, strict: bool) -> ColumnElement[Any]:
    return func.nullif(columns[field], NO_IDS, type_=Ids) if strict else columns[field]


class SqlParts(NamedTuple):
    """The text of a predicate, of an order and of that order reversed, and the bound values."""

    where: str
    order: str
    reverse_order: str
    parameters: dict[str, Any]


def sql_parts(where: Condition, order: tuple[SortKey, ...]) -> SqlParts:
    """Return a condition and an order as text for the driver; cached for short conditions."""
    if where == EVERYTHING or fits_key(where):
        return _cached_sql_parts(where, order)
    return _compile_parts(where, order)


def _compile_parts(where: Condition, order: tuple[SortKey, ...]) -> SqlParts:
    compiled = predicate(where).compile(dialect=DIALECT)
    reverse = tuple(SortKey(key.field, not key.descending) for key in order)
    condition = "true" if where == EVERYTHING else str(compiled)
    return SqlParts(condition, _order_text(order), _order_text(reverse), dict(compiled.params))


_cached_sql_parts = lru_cache(maxsize=512)(_compile_parts)


def _order_text(order: tuple[SortKey, ...]) -> str:
    return ", ".join(
        f"{expression}{' DESC' if key.descending else ''}"
        for key in order
        for expression in _order_expressions(key.field)
    )


def _order_expressions(field: str) -> list[str]:
    if field == "subject":  # The index holds a prefix; the whole subject decides within it.
        return [f"left(activities.subject, {SUBJECT_PREFIX})", "activities.subject"]
    if field in LIST_FIELDS:
        return [f"activities.{columns[field].name}[1]"]
    return [str(_scalar(field).compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))]
