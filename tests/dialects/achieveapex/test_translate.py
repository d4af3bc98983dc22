"""AchieveApex's lenses: what is shown, what a body changes, and the laws between the two."""

from datetime import UTC, date, datetime, time

import orjson
import pytest

from adapters.achieveapex.fields import EXPANSIONS, FIELD_BY_NAME, FIELDS
from adapters.achieveapex.schemas import Activity as ActivitySchema
from adapters.achieveapex.schemas import DetailedActivity, ListedActivity
from adapters.achieveapex.translate import apply, show
from core.domain.errors import InvalidActivity
from core.domain.model import MAX_ID, Activity, Tenant, blank_activity
from core.domain.schedule import to_instant, with_wall_clock

NOW = datetime(2025, 3, 28, 9, 30, 15, 391_999, tzinfo=UTC)
TENANT = Tenant(27, "Acme", "America/New_York", "UTC")
BLANK = blank_activity(tenant_id=27, user_id=45, now=NOW)
MEMBERS = ("assigned_to_user_id", "contact_id", "company_id")
PLACE = '{"lat":37.7749,"lng":-122.4194,"address":"San Francisco, CA"}'


def stored(**fields: object) -> Activity:
    """Return a stored activity: the vendor's sample, with these fields instead."""
    sample = BLANK._replace(
        id=123,
        subject="Sales Follow-up Call",
        location_geocoded=PLACE,
        assignee_ids=(46, 47, 48),
        contact_ids=(456,),
        company_ids=(345, 346),
        deal_id=789,
        activity_type="call",
    )
    sample = wall_clock(sample, "start", date(2025, 4, 15), time(14, 30))
    sample = wall_clock(sample, "end", date(2025, 4, 15), time(15, 0))
    return sample._replace(**fields)


def wall_clock(activity: Activity, end: str, day: date | None, clock: time | None) -> Activity:
    """Return the activity with one end at a wall clock of the tenant."""
    return with_wall_clock(activity, end, day, clock, tenant_timezone=TENANT.timezone)


def shown(activity: Activity) -> dict:
    """Return the record as a client has it: through JSON text and back."""
    return orjson.loads(orjson.dumps(show(activity, {}, TENANT)))


def problem_of(activity: Activity, body: dict) -> list[tuple[str, str]]:
    """Return what is wrong with a body."""
    with pytest.raises(InvalidActivity) as caught:
        apply(activity, body, TENANT)
    return caught.value.problems


def test_fields_are_what_show_gives():
    assert [field.wire for field in FIELDS] == list(show(stored(), {}, TENANT))
    assert [*FIELD_BY_NAME, *EXPANSIONS] == list(show(stored(), {}, TENANT, "compact"))


def test_fields_name_real_canonical_fields():
    assert {name for field in FIELDS for name in field.canonical} <= set(Activity._fields)
    assert all(field.fidelity.startswith(("exact", "lossy: ")) for field in FIELDS)


def test_blank_shows_nulls():
    record = shown(BLANK)
    always = {"id", "organization_id", "created_by_user_id", "created_at", "updated_at"}
    given = {name for name in record if record[name] is not None}
    assert given == always | {"subject", "done"}


def test_first_of_each_list_is_shown():
    record = shown(stored(assignee_ids=(3, 2, 1), contact_ids=(6, 5, 4), company_ids=(9, 8, 7)))
    assert [record[key] for key in MEMBERS] == [3, 6, 9]


@pytest.mark.parametrize("schema", [ListedActivity, DetailedActivity])
def test_schemas_have_the_same_keys(schema: type):
    assert list(ActivitySchema().fields) == list(FIELD_BY_NAME)
    assert list(schema().fields) == [*FIELD_BY_NAME, *EXPANSIONS]


def test_stamps_are_cut_to_milliseconds():
    record = shown(stored(deleted_at=NOW))
    assert record["created_at"] == record["deleted_at"] == "2025-03-28T09:30:15.391Z"


def test_stamps_of_whole_seconds_have_zeros():
    record = shown(stored(created_at=NOW.replace(microsecond=0)))
    assert record["created_at"] == "2025-03-28T09:30:15.000Z"


def test_times_are_cut_to_seconds():
    record = shown(wall_clock(stored(), "end", date(2025, 4, 15), time(15, 0, 1, 999_999)))
    assert record["end_time"] == "15:00:01"


def test_whole_day_shows_no_time():
    record = shown(wall_clock(stored(), "end", date(2025, 4, 16), None))
    assert (record["end_date"], record["end_time"], record["duration"]) == (
        "2025-04-16",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(48, (48, 46, 47)), (46, (46, 47, 48)), (9, (9, 47, 48)), (None, ()), (9.0, (9, 47, 48))],
)
def test_assignee_moves_or_replaces_first(sent: int | None, kept: tuple[int, ...]):
    assert apply(stored(), {"assigned_to_user_id": sent}, TENANT).assignee_ids == kept


def test_first_assignee_fills_empty_list():
    changed = apply(stored(assignee_ids=()), {"assigned_to_user_id": 5}, TENANT)
    assert changed.assignee_ids == (5,)


def test_repeated_member_moves_once():
    changed = apply(stored(company_ids=(1, 2, 3, 2)), {"company_id": 2}, TENANT)
    assert changed.company_ids == (2, 1, 3, 2)


def test_written_clock_moves_instant():
    changed = apply(stored(), {"end_time": "15:45"}, TENANT)
    assert changed.end_time == time(15, 45)
    assert changed.end_at == to_instant(date(2025, 4, 15), time(15, 45), TENANT.timezone)


def test_unsent_time_keeps_microseconds():
    fine = wall_clock(stored(), "start", date(2025, 4, 15), time(14, 30, 0, 123_456))
    moved = apply(fine, {"start_date": "2025-04-14", "start_time": "14:30"}, TENANT)
    assert moved.start_time == time(14, 30, 0, 123_456)


def test_tenants_zone_reads_clocks():
    changed = apply(stored(timezone="Asia/Kolkata"), {"start_time": "10:00:00"}, TENANT)
    assert changed.start_at == to_instant(date(2025, 4, 15), time(10), TENANT.timezone)


def test_cleared_date_keeps_time():
    changed = apply(stored(), {"start_date": None}, TENANT)
    assert (changed.start_date, changed.start_time, changed.start_at) == (None, time(14, 30), None)


def test_end_before_start_names_field():
    assert problem_of(stored(), {"end_time": "14:29:59"})[0][0] == "end_time"
    assert problem_of(stored(), {"start_date": "2025-04-16"})[0][0] == "end_date"


def test_missing_time_precedes_nothing():
    assert apply(stored(), {"end_time": None}, TENANT).end_time is None


def test_broken_order_can_be_echoed_and_left():
    broken = wall_clock(stored(), "end", date(2025, 4, 14), time(9))
    assert apply(broken, shown(broken), TENANT) == broken
    assert apply(broken, {"done": True, "end_time": "09:00"}, TENANT).completed


@pytest.mark.parametrize(
    ("body", "minutes", "seen"),
    [
        ({"duration": 45}, 45, 45),
        ({"duration": 30.0}, None, 30),
        ({"duration": 45, "end_time": "15:15:00"}, None, 45),
        ({"duration": None}, None, 30),
        ({"end_time": "16:30:00"}, None, 120),
        ({"duration": 0}, 0, 0),
    ],
)
def test_duration_follows_unless_it_differs(body: dict, minutes: int | None, seen: int):
    changed = apply(stored(), body, TENANT)
    assert (changed.duration_minutes, shown(changed)["duration"]) == (minutes, seen)


def test_times_alone_leave_duration():
    changed = apply(stored(duration_minutes=5), {"end_time": "16:00:00", "duration": 5}, TENANT)
    assert changed.duration_minutes == 5


def test_null_duration_follows_span_again():
    assert apply(stored(duration_minutes=5), {"duration": None}, TENANT).duration_minutes is None


def test_place_is_stored_with_shortest_numbers():
    sent = {"lat": 40.0, "lng": -74.0060, "address": None, "floors": [1.5, 2.0]}
    changed = apply(stored(), {"location_geocoded": sent}, TENANT)
    assert changed.location_geocoded == '{"lat":40,"lng":-74.006,"address":null,"floors":[1.5,2]}'


def test_place_echo_tells_true_from_one():
    one = stored(location_geocoded='{"checked":1}')
    assert apply(one, {"location_geocoded": {"checked": 1.0}}, TENANT) is one
    changed = apply(one, {"location_geocoded": {"checked": True}}, TENANT)
    assert changed.location_geocoded == '{"checked":true}'


def test_place_echo_ignores_order_and_rules():
    odd = stored(location_geocoded='{"lng":"?","lat":1}')
    assert apply(odd, {"location_geocoded": {"lat": 1, "lng": "?"}}, TENANT) is odd


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"subject": None}, "must be string"),
        ({"subject": 5}, "must be string"),
        ({"note": False}, "must be string"),
        ({"done": None}, "must be boolean"),
        ({"done": 1}, "must be boolean"),
        ({"done": "true"}, "must be boolean"),
        ({"deal_id": "5"}, "must be integer"),
        ({"deal_id": True}, "must be integer"),
        ({"deal_id": 1.5}, "must be integer"),
        ({"deal_id": 0}, "must be >= 1"),
        ({"contact_id": MAX_ID + 1}, f"must be <= {MAX_ID}"),
        ({"duration": -1}, "must be >= 0"),
        ({"duration": True}, "must be integer"),
        ({"duration": 0.5}, "must be integer"),
        ({"duration": 2**53}, f"must be <= {MAX_ID}"),
        ({"activity_type": "x" * 51}, "must NOT have more than 50 characters"),
        ({"start_date": "2025-4-1"}, 'must match format "date"'),
        ({"start_date": "2025-02-30"}, 'must match format "date"'),
        ({"start_date": "0001-01-01"}, "must be between 0001-01-03 and 9999-12-29"),
        ({"start_time": "25:00:00"}, 'must match format "time"'),
        ({"start_time": "10:00:00.5"}, 'must match format "time"'),
        ({"start_time": ""}, 'must match format "time"'),
        ({"location_geocoded": []}, "must be object"),
        ({"location_geocoded": {"lat": "1"}}, "must be number"),
        ({"location_geocoded": {"lng": None}}, "must be number"),
        ({"location_geocoded": {"lat": True}}, "must be number"),
        ({"location_geocoded": {"address": 1}}, "must be string or null"),
        ({"location_geocoded": {"x": 2**70}}, "must be made of numbers below 2^63"),
        ({"nope": None}, "must NOT have additional properties"),
    ],
)
def test_wrong_values_are_named(body: dict, reason: str):
    [(field, why)] = problem_of(stored(), body)
    assert field.startswith(next(iter(body)))
    assert why.startswith(reason)


def test_every_wrong_field_is_named():
    problems = problem_of(stored(), {"subject": 1, "done": "yes", "note": "fine", "x": 1})
    assert [field for field, _ in problems] == ["subject", "done", "x"]


def test_read_only_keys_are_ignored():
    body = {"id": "x", "created_by_user_id": 1, "created_at": None, "deleted_at": 5}
    body |= {"organization_id": 99, **{key: {"id": 1} for key in EXPANSIONS}}
    assert apply(stored(), body, TENANT) == stored()


@pytest.mark.parametrize("body", [{}, {"note": "a"}, {"subject": None}])
def test_create_needs_a_subject(body: dict):
    assert problem_of(BLANK, body) == [("subject", "must have required property 'subject'")]


def test_create_takes_empty_subject():
    assert apply(BLANK, {"subject": ""}, TENANT) == BLANK


def test_create_reads_null_as_unset():
    nulls = {field.wire: None for field in FIELDS if field.wire != "subject"}
    assert apply(BLANK, nulls | {"subject": "", "done": None}, TENANT) == BLANK


def test_declared_read_only_fields_have_no_parser():
    read_only = {field.wire for field in FIELDS if field.parse is None}
    stamps = {"created_at", "updated_at", "deleted_at"}
    assert read_only == {"id", "organization_id", "created_by_user_id"} | stamps
