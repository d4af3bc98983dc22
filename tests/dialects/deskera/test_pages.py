"""Lists of Deskera's dialect through the whole service: pages, orders and queries."""

from operator import ge, gt, le, lt
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.callers import Demo, Home
from support.clock import Clock
from support.deskera_api import USER, Api, base64, fields_of, refusal, refused
from support.deskera_page import golden

from adapters.deskera.query import SORT_FIELDS

ROWS: list[dict[str, Any]] = [
    {"name": "beta", "is_status": True, "start": "2021-08-05T00:00:01Z", "linked_to": 7},
    {"name": "Alpha", "activity_type": "call", "end": "2021-08-06T00:00:00Z", "source": "APP"},
    {"name": "alpha", "activity_type": "task", "is_availability": False, "owner_id": 5},
    {"name": "100%_\\", "visibility_type": "public", "user_timezone": "Asia/Kolkata"},
    {"name": "", "is_send_invitation": True, "start": "2021-08-05T00:00:00Z", "source_id": "2"},
    {"name": "beta, two", "is_send_contacts_invitation": True, "contact_ids": [3, 4]},
    {"name": "ÉTÉ", "organization_ids": [4], "assignee_ids": [USER, 3], "is_availability": True},
]
QUERIES = {
    "": [1, 2, 3, 4, 5, 6, 7],
    "name=ALPHA": [2, 3],
    "name=100%25_%5C": [4],
    "name=%25": [4],
    "name=": [1, 2, 3, 4, 5, 6, 7],
    'name="beta, two"': [6],
    "name=été": [7],
    "name=alpha,name=two": [2, 3, 6],
    "name!null": [1, 2, 3, 4, 6, 7],
    "contact_id=4": [6],
    "contact_id=4,contact_id=9": [6],
    "contact_id!null": [6],
    "organization_id=4": [7],
    "assignee_id=3": [7],
    "deal_id=7": [1],
    "deal_id=0": [2, 3, 4, 5, 6, 7],
    "deal_id=9007199254740991": [],
    "date>1628121600": [1],
    "date>=1628121600": [1, 5],
    "date<1628121601": [5],
    "date<=1628121601": [1, 5],
    "date=1628121601": [1],
    "date=2021-08-05": [1, 5],
    "date!null": [1, 5],
    "activityType=call": [2],
    "activity_type=call,activtyType=task": [2, 3],
    "activityType=": [1, 4, 5, 6, 7],
    "is_status=true": [1],
    "is_status=FALSE,name=a": [2, 3, 6],
    "source=APP": [2],
    "source=app": [],
    "source_id=2": [5],
    "source_id!null": [5],
    "query=name=alpha,activityType=call,": [2],
    " name = alpha , deal_id = 0 ": [2, 3],
}
UNSET = {"linked_to": 0, "activity_type": ""}
"""How null is shown, where not as null."""

WRONG_QUERIES = [
    *("act", "=act", "name", "name>act", "nope=1", "name=a,,source=b", "Name=act", "id>1"),
    *("contact_id=abc", "contact_id=-1", "deal_id=9007199254740992", "contact_id=", "deal_id>5"),
    *("is_status=1", "is_status=", "date=today", "date=2021-02-30", "date>", 'name="open'),
    *('name="a"b', "end>=", "name=%22a", "date>99999999999999", "assignee_id=1.0"),
]
WRONG_PARAMETERS = {
    "page": ["0", "-1", "1.0", "abc", "+1", "1e3", "%D9%A1", "9" * 400, f"{2**53}"],
    "pageSize": ["0", "-1", "501", "1.5", "ten", "9" * 20],
    "sortBy": ["nope", "Name", "updated_at,id", "notes", "id;drop"],
    "sortDir": ["up", "1", "ASCENDING", "asc,desc"],
}


@pytest.fixture
def rows(call: Api, clock: Clock) -> Api:
    """Give a caller of a tenant with seven activities, of which no two are alike in everything."""
    for number, fields in enumerate(ROWS):
        clock.advance(seconds=number % 3)
        call.create(**fields)
    return call


def walked(call: Api, query: str, *, size: int) -> list[int]:
    """Return the ids of all pages of a list."""
    found: list[int] = []
    for page in range(1, 9):
        ids, total = call.page(f"{query}&page={page}&pageSize={size}")
        assert total == len(ROWS)
        found += ids
    return found


def test_every_order_holds_over_pages(rows: Api):
    records = {number: rows.read(number) for number in range(1, len(ROWS) + 1)}
    for field in SORT_FIELDS:
        shown = {number: record[field] for number, record in records.items()}
        unset = UNSET.get(field)
        # What is not set comes last, as in PostgreSQL; ties are in the order of ids.
        rank = {number: (value == unset, value, number) for number, value in shown.items()}
        expected = sorted(shown, key=rank.__getitem__)
        assert walked(rows, f"sortBy={field}&sortDir=asc", size=2) == expected, field
        assert walked(rows, f"sortBy={field}&sortDir=DESC", size=3) == expected[::-1], field
        assert walked(rows, f"sortBy={field}", size=500) == expected[::-1], field


def test_pages_follow_last_change(rows: Api, clock: Clock):
    clock.advance(hours=1)
    rows("PUT", 3, json={"is_status": True})
    assert rows.page()[0] == [3, 7, 6, 5, 4, 2, 1]


def test_ten_are_on_a_page(call: Api):
    for _ in range(12):
        call.create()
    assert call.page() == ([12, 11, 10, 9, 8, 7, 6, 5, 4, 3], 12)
    assert call.page("page=2") == ([2, 1], 12)
    assert call.page("page=&pageSize=&sortBy=&sortDir=&query=&other=5") == call.page()
    assert call.page("pageSize=1&pageSize=5") == ([12], 12)


def test_page_past_end_is_empty(rows: Api):
    for page in (8, 500, 2**53 // 500):
        answer = rows("GET", query=f"page={page}&pageSize=1")
        info = {"page": page, "totalRecords": 7, "isZeroState": False}
        assert answer.json == {"data": [], "paginationInfo": info}


def test_zero_state_ignores_queries(call: Api, client: FlaskClient, tenant: Home):
    def zero_state(caller: Api, query: str = "") -> tuple[int, bool]:
        info = caller("GET", query=query).json["paginationInfo"]
        return info["totalRecords"], info["isZeroState"]

    stranger = Api(client, tenant.caller(USER + 1).key)
    assert zero_state(call) == zero_state(call, "page=5") == (0, True)
    call.create(name="hidden", visibility_type="private")
    assert zero_state(stranger) == zero_state(stranger, "query=name=hidden") == (0, True)
    assert zero_state(call, "query=name=none") == zero_state(call, "query=source=X") == (0, False)
    assert zero_state(call, "page=5") == (1, False)
    call("DELETE", 1)
    assert zero_state(call) == (0, True)


def test_wrong_parameter_is_named(rows: Api):
    for name, values in WRONG_PARAMETERS.items():
        for value in values:
            assert fields_of(rows("GET", query=f"{name}={value}")) == (400, [name]), value


def test_refused_page_size_says_why(call: Api):
    reason = "must be a whole number from 1 to 500"
    expected = refusal(400, "BAD_REQUEST", f"pageSize: {reason}", ("pageSize", reason))
    assert refused(call("GET", query="pageSize=501")) == expected
    assert call.page("pageSize=500") == ([], 0)


def test_queries_find_their_rows(rows: Api):
    found = {query: sorted(rows.page(f"query={query}")[0]) for query in QUERIES}
    assert found == QUERIES
    assert [rows.page(f"pageSize=1&query={query}")[1] for query in QUERIES] == [
        len(ids) for ids in QUERIES.values()
    ]


# The parameter's keys, and where what they compare is shown.
SHOWN_AT = {
    "contact_id": "contact_ids",
    "organization_id": "organization_ids",
    "assignee_id": "assignee_ids",
    "deal_id": "linked_to",
} | {
    key: key
    for key in (
        *("id", "owner_id", "created_by", "linked_to", "activity_type", "visibility_type"),
        *("is_status", "source", "source_id", "start", "end", "created_at", "updated_at"),
    )
}


def test_unequal_means_what_is_shown(rows: Api):
    records = {number: rows.read(number) for number in range(1, len(ROWS) + 1)}
    for key, place in SHOWN_AT.items():
        shown = {number: record[place] for number, record in records.items()}
        lists = {number: one if isinstance(one, list) else [one] for number, one in shown.items()}
        for value in {member for members in lists.values() for member in members} - {None}:
            text = str(value).lower() if isinstance(value, bool) else value
            equal = [number for number, members in lists.items() if value in members]
            unequal = [number for number in shown if number not in equal]
            assert sorted(rows.page(f"query={key}={text}")[0]) == equal, (key, value)
            assert sorted(rows.page(f"query={key}!={text}")[0]) == unequal, (key, value)


def test_timestamps_are_compared_in_order(rows: Api):
    records = {number: rows.read(number) for number in range(1, len(ROWS) + 1)}
    for key in ("start", "end", "created_at", "updated_at"):
        shown = {number: record[key] for number, record in records.items() if record[key]}
        for value in set(shown.values()):
            for operator, holds in ((">", gt), (">=", ge), ("<", lt), ("<=", le)):
                expected = [number for number, one in shown.items() if holds(one, value)]
                assert sorted(rows.page(f"query={key}{operator}{value}")[0]) == expected


def test_wrong_queries_are_named(rows: Api):
    answers = {query: fields_of(rows("GET", query=f"query={query}")) for query in WRONG_QUERIES}
    assert answers == dict.fromkeys(WRONG_QUERIES, (400, ["query"]))


def test_unreadable_parameters_are_refused(call: Api):
    places = {"query=%ff": "query", "%ff=1": "query string", "query=name=%00": "query"}
    places["query=" + "a" * 9000] = "query"
    for raw, place in places.items():
        assert fields_of(call("GET", query=raw)) == (400, [place])


def test_sample_query_means_ten_conditions(client: FlaskClient, demo: Demo):
    call = Api(client, demo.deskera.key)
    query = golden("list_query")["request"]["query"]
    assert call.page(query) == ([81, 1], 2)
    name, _, conditions = query.partition("=")
    terms = conditions.split(",")
    assert len(terms) == 10
    others = ["zzz", "5", "5", "5", "5", "1628233199", "task", "false", "APP", "2"]
    for place, other in enumerate(others):
        operator = ">" if ">" in terms[place] else "="
        key = terms[place].partition(operator)[0]
        changed = [*terms[:place], f"{key}{operator}{other}", *terms[place + 1 :]]
        assert call.page(f"{name}={','.join(changed)}") == ([], 0), key


def test_query_of_2020_is_understood(call: Api):
    call.create(
        name="A test contact",
        contact_ids=[1, 2],
        linked_to=3,
        start="2019-04-11T23:00:00Z",
        activity_type="call",
        is_status=True,
        notes=base64("x"),
    )
    query = (
        'query=name="Test Contact",contact_id=2,deal_id=3,date=2019-04-11,activtyType="call",'
        "is_status=true"
    )
    assert call.page(query) == ([1], 1)
    assert call.page(query.replace("04-11", "04-12")) == ([], 0)
