"""The conditions of the `query` parameter, read into the core's.

Different keys must all match; a key that is repeated with "=" may have any of the values. Days and
`activtyType` are fossils of the 2020 page. A key that is not known is refused: to ignore a filter
would return too much.
Source: docs/dialects/deskera.md D80 to D90.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from adapters.deskera.grammar import NOT_NULL, Term, parse, unreadable
from adapters.deskera.query_values import parse_flag, parse_moment, parse_number
from core.domain.query import (
    EVERYTHING,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    ContainsText,
    HasMember,
    IsNull,
    Not,
    OneOf,
)
from core.domain.validators import Refused


class Key(NamedTuple):
    """What a key means: how a value is read, "is any of these values", and "is set"."""

    read: Callable[[str], Any]
    any_of: Callable[[Sequence[Any]], Condition]
    is_set: Condition


def to_condition(query: str) -> Condition:
    """Return the condition that a query states; an empty one lets everything through.

    Raises: InvalidQuery, naming `query` and the condition that cannot be read.
    """
    equal: dict[str, list[Any]] = {}
    parts: list[Condition] = []
    for term in parse(query):
        try:
            name, key = _key(term.key)
            if term.operator == "=":
                equal.setdefault(name, []).append(key.read(term.value))
            elif term.operator == NOT_NULL:
                parts.append(key.is_set)
            else:
                parts.append(_ordered(name, term))
        except Refused as refusal:
            raise unreadable(term.text, str(refusal)) from refusal
    parts.extend(KEYS[name].any_of(values) for name, values in equal.items())
    return _joined(parts, AllOf)


def _key(written: str) -> tuple[str, Key]:
    name = ALIASES.get(written, written)
    if name not in KEYS:
        raise Refused(f"has an unknown key; known are {', '.join(KEYS)}")
    return name, KEYS[name]


def _ordered(name: str, term: Term) -> Condition:
    if name != "date":
        raise Refused('takes only "=" or "!null"')
    moment = parse_moment(term.value)
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)  # As the epoch second of that day would be.
    return Compare("start_at", term.operator, moment)


def _joined(parts: Sequence[Condition], join: type[AllOf] | type[AnyOf]) -> Condition:
    return parts[0] if len(parts) == 1 else join(tuple(parts))


def _equals(field: str) -> Callable[[Sequence[Any]], Condition]:
    def any_of(values: Sequence[Any]) -> Condition:
        return Compare(field, "=", values[0]) if len(values) == 1 else OneOf(field, tuple(values))

    return any_of


def _members(field: str) -> Key:
    return Key(parse_number, lambda ids: HasMember(field, tuple(ids)), Not(IsNull(field)))


def _any_name(names: Sequence[str]) -> Condition:
    return _joined([ContainsText(name) for name in names], AnyOf)


def _any_type(types: Sequence[str]) -> Condition:
    unset = [IsNull("activity_type")] if "" in types else []  # What is not set is shown as "".
    return _joined([*unset, _equals("activity_type")(types)], AnyOf)


def _any_deal(deal_ids: Sequence[int]) -> Condition:
    known = [deal_id for deal_id in deal_ids if deal_id]
    parts: list[Condition] = [_equals("deal_id")(known)] if known else []
    if 0 in deal_ids:  # No deal is shown as linked_to 0.
        parts.append(IsNull("deal_id"))
    return _joined(parts, AnyOf)


def _any_date(moments: Sequence[date | datetime]) -> Condition:
    """Compare instants exactly, and days with the activity's own calendar."""
    return _joined(
        [
            Compare("start_at" if isinstance(moment, datetime) else "start_date", "=", moment)
            for moment in moments
        ],
        AnyOf,
    )


ALIASES = {"activityType": "activity_type", "activtyType": "activity_type"}
KEYS = {
    "name": Key(str, _any_name, Compare("subject", "<>", "")),
    "contact_id": _members("contact_ids"),
    "organization_id": _members("company_ids"),
    "deal_id": Key(parse_number, _any_deal, Not(IsNull("deal_id"))),
    "assignee_id": _members("assignee_ids"),
    "date": Key(parse_moment, _any_date, Not(IsNull("start_at"))),
    "activity_type": Key(str, _any_type, Compare("activity_type", "<>", "")),
    "is_status": Key(parse_flag, _equals("completed"), EVERYTHING),
    "source": Key(str, _equals("source"), Compare("source", "<>", "")),
    "source_id": Key(str, _equals("source_id"), Compare("source_id", "<>", "")),
}
