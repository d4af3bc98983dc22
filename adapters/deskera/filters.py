"""The conditions of the `query` parameter, read into the core's.

Different keys must all match; a key that is repeated with "=" may have any of the values, and one
that is repeated with "!=" none of them. Days and `activtyType` are fossils of the 2020 page. A key
that is not known is refused: to ignore a filter would return too much.
Source: docs/dialects/deskera.md D80 to D90.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from adapters.deskera.grammar import NOT_EQUAL, NOT_NULL, Term, parse, unreadable
from adapters.deskera.query_values import (
    parse_flag,
    parse_instant_or_day,
    parse_moment,
    parse_number,
    parse_visibility,
)
from core.domain.query import (
    EVERYTHING,
    SHOWN_END,
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
    """What a key means.

    `parse` reads a value, `any_of` is "any of these values is shown", `is_set` is `!null`.
    `unset` holds where the key has no value and shows none; `instant` is the field that the
    ordering operators compare, or "" where there is no order.
    """

    parse: Callable[[str], Any]
    any_of: Callable[[Sequence[Any]], Condition]
    is_set: Condition
    unset: Condition | None = None
    instant: str = ""


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
                equal.setdefault(name, []).append(key.parse(term.value))
            elif term.operator == NOT_EQUAL:
                parts.append(_differs(key, key.parse(term.value)))
            elif term.operator == NOT_NULL:
                parts.append(key.is_set)
            else:
                parts.append(_ordered(key, term))
        except Refused as refusal:
            raise unreadable(term.text, str(refusal)) from refusal
    parts.extend(KEYS[name].any_of(values) for name, values in equal.items())
    return _joined(parts, AllOf)


def _key(written: str) -> tuple[str, Key]:
    name = ALIASES.get(written, written)
    if name not in KEYS:
        raise Refused(f"has an unknown key; known are {', '.join(KEYS)}")
    return name, KEYS[name]


def _differs(key: Key, value: Any) -> Condition:
    """Return "another value is shown": SQL knows no answer where there is no value."""
    same = key.any_of([value])
    if key.unset is None or _holds_unset(same, key.unset):
        return Not(same)
    return AnyOf((key.unset, Not(same)))


def _holds_unset(same: Condition, unset: Condition) -> bool:
    return same == unset or (isinstance(same, AnyOf) and unset in same.parts)


def _ordered(key: Key, term: Term) -> Condition:
    if not key.instant:
        raise Refused('takes only "=", "!=" or "!null"')
    moment = key.parse(term.value)
    if not isinstance(moment, datetime):
        moment = _midnight(moment)  # As the epoch second of that day would be.
    return Compare(key.instant, term.operator, moment)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _joined(parts: Sequence[Condition], join: type[AllOf] | type[AnyOf]) -> Condition:
    return parts[0] if len(parts) == 1 else join(tuple(parts))


def _equals(field: str) -> Callable[[Sequence[Any]], Condition]:
    def any_of(values: Sequence[Any]) -> Condition:
        return Compare(field, "=", values[0]) if len(values) == 1 else OneOf(field, tuple(values))

    return any_of


def _members(field: str) -> Key:
    return Key(
        parse_number, lambda ids: HasMember(field, tuple(ids)), Not(IsNull(field)), IsNull(field)
    )


def _number(field: str) -> Key:
    return Key(parse_number, _equals(field), EVERYTHING)


def _text(field: str) -> Key:
    return Key(str, _equals(field), Compare(field, "<>", ""))


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


def _end(instant: str, day: str, parse_value: Callable[[str], date | datetime]) -> Key:
    """Return the key of a start or end: instants compare exactly, days by the calendar."""

    def any_of(moments: Sequence[date | datetime]) -> Condition:
        return _joined(
            [
                Compare(instant if isinstance(moment, datetime) else day, "=", moment)
                for moment in moments
            ],
            AnyOf,
        )

    return Key(parse_value, any_of, Not(IsNull(instant)), IsNull(instant), instant)


def _timestamp(field: str) -> Key:
    """Return the key of a timestamp, which is always set; a day is all of it in UTC."""

    def same(moment: date | datetime) -> Condition:
        if isinstance(moment, datetime):
            return Compare(field, "=", moment)
        start = _midnight(moment)
        next_day = start + timedelta(days=1)
        return AllOf((Compare(field, ">=", start), Compare(field, "<", next_day)))

    def any_of(moments: Sequence[date | datetime]) -> Condition:
        return _joined([same(moment) for moment in moments], AnyOf)

    return Key(parse_instant_or_day, any_of, EVERYTHING, instant=field)


_DEAL = Key(parse_number, _any_deal, Not(IsNull("deal_id")), IsNull("deal_id"))
ALIASES = {"activityType": "activity_type", "activtyType": "activity_type"}
KEYS = {
    "id": _number("id"),
    "name": Key(str, _any_name, Compare("subject", "<>", "")),
    "contact_id": _members("contact_ids"),
    "organization_id": _members("company_ids"),
    "deal_id": _DEAL,
    "linked_to": _DEAL,
    "assignee_id": _members("assignee_ids"),
    "owner_id": _number("owner_id"),
    "created_by": _number("created_by"),
    "date": _end("start_at", "start_date", parse_moment),
    "start": _end("start_at", "start_date", parse_instant_or_day),
    "end": _end(SHOWN_END, "end_date", parse_instant_or_day),
    "created_at": _timestamp("created_at"),
    "updated_at": _timestamp("updated_at"),
    "activity_type": Key(
        str, _any_type, Compare("activity_type", "<>", ""), IsNull("activity_type")
    ),
    "visibility_type": Key(parse_visibility, _equals("visibility"), EVERYTHING),
    "is_status": Key(parse_flag, _equals("completed"), EVERYTHING),
    "source": _text("source"),
    "source_id": _text("source_id"),
}
