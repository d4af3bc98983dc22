"""The laws of docs/laws.md R1 to R4, over generated records and writes of both dialects.

What a law does not ask for is in `law_exceptions`, each beside the rule that makes the exception.
"""

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.dialects import BY_NAME, DIALECTS, TIMES, Dialect, changed, other, thoroughly
from support.law_exceptions import blurred, excused, may_differ_in_acceptance, normalised
from support.oracle_writes import instant_of, read_stamp
from support.strategies import BLANK, records, tenants
from support.wire_bodies import Body

from core.domain.model import Activity, Tenant

Case = tuple[Activity, Tenant, Body]
both = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
DESKERA, ACHIEVEAPEX = BY_NAME["deskera"], BY_NAME["achieveapex"]


@st.composite
def writes(draw: st.DrawFn, dialect: Dialect) -> Case:
    """Return a record, its tenant, and a body of a dialect."""
    activity, tenant = draw(records())
    body = draw(dialect.bodies(activity, tenant, draw(dialect.some_keys)))
    return activity, tenant, body


def accepted(activity: Activity | None) -> Activity:
    """Return what a write made; a write that was refused says nothing about most laws."""
    assume(activity is not None)
    assert activity is not None
    return activity


# GetPut: writing back exactly what a dialect shows changes nothing.


@both
@thoroughly
@given(record=records())
def test_echo_of_document_changes_nothing(
    dialect: Dialect, record: tuple[Activity, Tenant]
) -> None:
    activity, tenant = record
    assert dialect.apply(activity, dialect.document(activity, tenant), tenant) == activity


@both
@thoroughly
@given(data=st.data())
def test_echo_of_any_keys_changes_nothing(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant = data.draw(records())
    document = dialect.document(activity, tenant)
    keys = data.draw(st.sets(st.sampled_from(sorted(document))))
    body = {key: document[key] for key in keys}
    assert dialect.apply(activity, body, tenant) == activity


@both
@thoroughly
@given(data=st.data())
def test_echo_in_other_words_changes_nothing(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant = data.draw(records())
    shown = dialect.document(activity, tenant)
    keys = data.draw(st.sets(st.sampled_from(sorted(dialect.touches))))
    body = {key: data.draw(dialect.respelt(key, shown[key], activity)) for key in keys}
    assert dialect.apply(activity, body, tenant) == activity


@both
@thoroughly
@given(data=st.data())
def test_ignored_keys_do_nothing(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(dialect))
    keys = data.draw(st.sets(st.sampled_from(sorted(dialect.ignored))))
    more = body | {key: dialect.ignored[key] for key in keys}
    assert dialect.apply(activity, more, tenant) == dialect.apply(activity, body, tenant)


# PutGet: after a write, the same dialect reads back what was written.


@both
@thoroughly
@given(data=st.data())
def test_what_was_written_is_read_back(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(dialect))
    after = accepted(dialect.apply(activity, body, tenant))
    before, shown = dialect.document(activity, tenant), dialect.document(after, tenant)
    for key in body.keys() - excused(dialect, after, body):
        read = normalised(dialect, key, body[key], before)
        assert read == normalised(dialect, key, shown[key], shown), key


# PutPut: the second of two writes of the same fields wins.


@both
@thoroughly
@given(data=st.data())
def test_second_write_wins(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, second = data.draw(writes(dialect))
    first = data.draw(dialect.bodies(activity, tenant, sorted(second)))
    between = accepted(dialect.apply(activity, first, tenant))
    direct = dialect.apply(activity, second, tenant)
    twice = dialect.apply(between, second, tenant)
    shown = [dialect.document(which, tenant) for which in (activity, between)]
    if direct is None or twice is None:
        assert direct == twice or may_differ_in_acceptance(dialect, second, shown)
        return
    wanted, got = dialect.document(direct, tenant), dialect.document(twice, tenant)
    left_out = blurred(dialect, (direct, twice), second, shown)
    assert {key for key in wanted if got[key] != wanted[key]} <= left_out


# Isolation: a write leaves every field that it does not name, or cannot express, as it was.


@both
@thoroughly
@given(data=st.data())
def test_write_touches_what_it_names(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(dialect))
    after = accepted(dialect.apply(activity, body, tenant))
    assert changed(activity, after) <= dialect.touched_by(list(body))


@both
@thoroughly
@given(data=st.data())
def test_other_dialect_sees_nothing_else(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(dialect))
    after = accepted(dialect.apply(activity, body, tenant))
    twin = other(dialect)
    before, now = twin.document(activity, tenant), twin.document(after, tenant)
    assert {key for key in now if now[key] != before[key]} <= twin.shows(
        dialect.touched_by(list(body))
    )


@thoroughly
@given(data=st.data())
def test_achieveapex_keeps_rest_of_lists(data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(ACHIEVEAPEX))
    after = accepted(ACHIEVEAPEX.apply(activity, body, tenant))
    for key in ("assigned_to_user_id", "contact_id", "company_id"):
        (name,) = ACHIEVEAPEX.touches[key]
        old, new = list(getattr(activity, name)), list(getattr(after, name))
        if body.get(key) in old:
            assert sorted(old) == sorted(new)
            old.remove(body[key])
            assert new[1:] == old
        elif body.get(key) is not None:
            assert new == [body[key], *old[1:]]
        else:
            assert new == ([] if key in body else old)


@thoroughly
@given(data=st.data())
def test_achieveapex_keeps_half_of_end(data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(ACHIEVEAPEX))
    after = accepted(ACHIEVEAPEX.apply(activity, body, tenant))
    for name in ("start_date", "start_time", "end_date", "end_time"):
        # Microseconds, which this dialect cannot show, included.
        assert name in body or getattr(after, name) == getattr(activity, name)


@thoroughly
@given(record=records(), data=st.data())
def test_zone_moves_no_clock_or_instant(
    record: tuple[Activity, Tenant], data: st.DataObject
) -> None:
    activity, tenant = record
    body = data.draw(DESKERA.bodies(activity, tenant, ["user_timezone"]))
    after = accepted(DESKERA.apply(activity, body, tenant))
    assert after == activity._replace(timezone=body["user_timezone"] or "")


@thoroughly
@given(record=records())
def test_end_is_never_shown_before_start(record: tuple[Activity, Tenant]) -> None:
    activity, tenant = record
    shown = DESKERA.document(activity, tenant)
    if activity.end_time is None and None not in (shown["start"], shown["end"]):
        assert read_stamp(shown["end"]) >= read_stamp(shown["start"])


@both
@thoroughly
@given(data=st.data())
def test_whole_record_keeps_its_duration(dialect: Dialect, data: st.DataObject) -> None:
    """A record sent back with other times alone reads back as it was sent."""
    activity, tenant = data.draw(records())
    body = dialect.document(activity, tenant)
    body |= data.draw(dialect.bodies(activity, tenant, dialect.time_keys))
    after = accepted(dialect.apply(activity, body, tenant))
    shown = dialect.document(after, tenant)
    keys = {*dialect.time_keys, "duration"} - excused(dialect, after, body)
    for key in keys:
        read = normalised(dialect, key, body[key], body)
        assert read == normalised(dialect, key, shown[key], shown), key


@thoroughly
@given(data=st.data())
def test_wall_clock_is_what_deskera_writes(data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(DESKERA))
    after = accepted(DESKERA.apply(activity, body, tenant))
    zone = tenant.timezone
    for end in {end for end in ("start", "end") if f"{end}_at" in changed(activity, after)}:
        day, clock, at = (getattr(after, f"{end}_{part}") for part in ("date", "time", "at"))
        if at is not None:
            first = instant_of(day, clock, zone)
            assert at >= first  # The second of two instants may be meant, never another one.
            assert at == first or instant_of(day, clock, zone) < at


# Both dialects at once.


@thoroughly
@given(data=st.data())
def test_writes_of_different_fields_commute(data: st.DataObject) -> None:
    activity, tenant = data.draw(records())
    one, two = data.draw(st.permutations(DIALECTS))
    mine = data.draw(one.bodies(activity, tenant, data.draw(one.some_keys)))
    taken = one.touched_by(list(mine))
    taken |= TIMES if taken & TIMES else frozenset()  # They depend on one another.
    free = sorted(key for key, behind in two.touches.items() if not behind & taken)
    keys = data.draw(st.sets(st.sampled_from(free), min_size=1)) if free else set()
    yours = data.draw(two.bodies(activity, tenant, sorted(keys)))
    first = two.apply(accepted(one.apply(activity, mine, tenant)), yours, tenant)
    assert first == one.apply(accepted(two.apply(activity, yours, tenant)), mine, tenant)


@both
@thoroughly
@given(data=st.data())
def test_rules_worked_out_twice_agree(dialect: Dialect, data: st.DataObject) -> None:
    activity, tenant, body = data.draw(writes(dialect))
    expected = dialect.expected(activity, body, tenant)
    got = dialect.apply(activity, body, tenant)
    assert (got is None) == (expected is None)
    if got is not None and expected is not None:
        assert comparable(got._asdict()) == comparable(expected)


def comparable(record: Body) -> Body:
    """Return a record with its place as JSON data, as texts may differ in their spaces."""
    place = record["location_geocoded"]
    return record | {"location_geocoded": place and orjson.loads(place)}


@thoroughly
@given(data=st.data())
def test_histories_through_both_dialects_agree(data: st.DataObject) -> None:
    tenant = data.draw(tenants)
    activity = BLANK._replace(id=7)
    for dialect in data.draw(st.lists(st.sampled_from(DIALECTS), min_size=2, max_size=6)):
        body = data.draw(dialect.bodies(activity, tenant, data.draw(dialect.some_keys)))
        expected = dialect.expected(activity, body, tenant)
        after = dialect.apply(activity, body, tenant)
        assert (after is None) == (expected is None)
        activity = after or activity
        assert expected is None or comparable(activity._asdict()) == comparable(expected)
        for witness in DIALECTS:
            document = witness.document(activity, tenant)
            assert witness.apply(activity, document, tenant) == activity
