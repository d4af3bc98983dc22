"""What a list is asked for, in the core's words: conditions, orders and pages as plain values.

Dialects translate their query languages into these; `sql_filters` turns them into one SQL
predicate. Fields are names of `model.Activity`, `EFFECTIVE_DURATION` or `SHOWN_END`. Every value
is hashable, so that a parsed query and its compiled SQL can be cached; conditions are no tuples,
because "all of" and "any of" the same parts must not be equal.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

EFFECTIVE_DURATION = "effective_duration"
"""Field: `duration_minutes` where stored, else the span of two timed ends, else null."""

SHOWN_END = "shown_end_at"
"""Field: `end_at`, but of an end without a time never before the start."""

LIST_FIELDS = frozenset({"assignee_ids", "contact_ids", "company_ids"})


@dataclass(frozen=True, slots=True)
class Compare:
    """A column against one value that is not null; a null column makes it unknown, as in SQL.

    `operator` is one of "=", "<>", "<", "<=", ">", ">=".
    """

    field: str
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class OneOf:
    """A column equal to one of `values` (none of them null). No values: matches nothing."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """A text column against an SQL pattern with `%` and `_`."""

    field: str
    pattern: str
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class ContainsText:
    """The subject holds `text`, whatever the case; nothing in `text` is a wildcard."""

    text: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """A column, or the whole list of a list field, is not set."""

    field: str


@dataclass(frozen=True, slots=True)
class HasMember:
    """A list field holds at least one of `values`; unknown (as null is) on an empty list."""

    field: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MemberCompare:
    """Some element of a list field stands in this relation ("<", "<=", ">", ">=") to `value`."""

    field: str
    operator: str
    value: int


@dataclass(frozen=True, slots=True)
class Not:
    """SQL's three-valued negation: what is unknown stays unknown and does not match."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; no parts: everything matches."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; no parts: nothing matches."""

    parts: "tuple[Condition, ...]"


Condition = (
    Compare | OneOf | Like | ContainsText | IsNull | HasMember | MemberCompare | Not | AllOf | AnyOf
)

EVERYTHING = AllOf(())
NOTHING = AnyOf(())


def names_members(where: Condition) -> bool:
    """Return whether all matches share a member of a list, which an index finds at once."""
    parts = where.parts if isinstance(where, AllOf) else (where,)
    return any(isinstance(part, HasMember) for part in parts)


class SortKey(NamedTuple):
    """One key of an ordering; a list field is ordered by its first element."""

    field: str
    descending: bool = False


class ActivityQuery(NamedTuple):
    """A page of a filtered, ordered list.

    `order` must end with a key on `id`, so that it is total. Nulls come last ascending and first
    descending, as PostgreSQL has it.
    """

    where: Condition
    order: tuple[SortKey, ...]
    limit: int
    offset: int
