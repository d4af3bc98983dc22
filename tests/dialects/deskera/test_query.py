"""The parameters of a list, and the mini-language of `query`."""

from datetime import UTC, date, datetime
from urllib.parse import quote

import pytest

from adapters.deskera.filters import to_condition
from adapters.deskera.grammar import MAX_BYTES, MAX_CONDITIONS
from adapters.deskera.query import SORT_FIELDS, to_query
from core.domain.errors import InvalidQuery
from core.domain.model import MAX_ID, Activity
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
    SortKey,
)

EPOCH_DAY = datetime(2021, 8, 5, tzinfo=UTC)
DAY = date(2021, 8, 5)


def refused(query_string: bytes) -> dict[str, str]:
    """Return what a refused query string names."""
    with pytest.raises(InvalidQuery) as caught:
        to_query(query_string)
    return dict(caught.value.problems)


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("", EVERYTHING),
        (",", EVERYTHING),
        ("query=", EVERYTHING),
        ("name=act", ContainsText("act")),
        ("query=name=act", ContainsText("act")),
        ("name=act,", ContainsText("act")),
        (" name = act , ", ContainsText("act")),
        ('name="Test, Contact"', ContainsText("Test, Contact")),
        ('name=" act "', ContainsText(" act ")),
        ('name=5" pipe', ContainsText('5" pipe')),
        ("name=a=b>c", ContainsText("a=b>c")),
        ("name=100%_\\", ContainsText("100%_\\")),
        ("name=", ContainsText("")),
        ("name=a,name=b", AnyOf((ContainsText("a"), ContainsText("b")))),
        ("contact_id=5", HasMember("contact_ids", (5,))),
        ("contact_id=5,contact_id=6", HasMember("contact_ids", (5, 6))),
        ("organization_id=5", HasMember("company_ids", (5,))),
        ("assignee_id=5", HasMember("assignee_ids", (5,))),
        ("deal_id=5", Compare("deal_id", "=", 5)),
        ("deal_id=0", IsNull("deal_id")),
        ("deal_id=5,deal_id=0", AnyOf((Compare("deal_id", "=", 5), IsNull("deal_id")))),
        ("deal_id=5,deal_id=6", OneOf("deal_id", (5, 6))),
        ("activityType=call", Compare("activity_type", "=", "call")),
        ("activity_type=call", Compare("activity_type", "=", "call")),
        ('activtyType="call"', Compare("activity_type", "=", "call")),
        ("activityType=call,activity_type=task", OneOf("activity_type", ("call", "task"))),
        (
            "activityType=",
            AnyOf((IsNull("activity_type"), Compare("activity_type", "=", ""))),
        ),
        ("is_status=true", Compare("completed", "=", True)),
        ("is_status=False", Compare("completed", "=", False)),
        ("source=WEB", Compare("source", "=", "WEB")),
        ("source_id=1", Compare("source_id", "=", "1")),
        ("date>1628121600", Compare("start_at", ">", EPOCH_DAY)),
        ("date<=1628121600", Compare("start_at", "<=", EPOCH_DAY)),
        ("date=1628121600", Compare("start_at", "=", EPOCH_DAY)),
        ("date>=2021-08-05", Compare("start_at", ">=", EPOCH_DAY)),
        ("date=2021-08-05", Compare("start_date", "=", DAY)),
        (
            "date>=2021-08-05,date<2021-08-06,",
            AllOf(
                (
                    Compare("start_at", ">=", EPOCH_DAY),
                    Compare("start_at", "<", EPOCH_DAY.replace(day=6)),
                )
            ),
        ),
        ("date=-1", Compare("start_at", "=", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))),
        ("contact_id!null", Not(IsNull("contact_ids"))),
        ("deal_id!null", Not(IsNull("deal_id"))),
        ("date!null", Not(IsNull("start_at"))),
        ("activityType!null", Compare("activity_type", "<>", "")),
        ("source_id!null", Compare("source_id", "<>", "")),
        ("is_status!null", EVERYTHING),
        ("id=5,id=6", OneOf("id", (5, 6))),
        ("owner_id=5", Compare("owner_id", "=", 5)),
        ("created_by!=5", Not(Compare("created_by", "=", 5))),
        ("linked_to=0", IsNull("deal_id")),
        ("linked_to!=0", Not(IsNull("deal_id"))),
        ("linked_to!=5", AnyOf((IsNull("deal_id"), Not(Compare("deal_id", "=", 5))))),
        ("visibility_type=private", Compare("visibility", "=", "private")),
        ("name!=act", Not(ContainsText("act"))),
        ("contact_id!=5", AnyOf((IsNull("contact_ids"), Not(HasMember("contact_ids", (5,)))))),
        ("is_status!=true", Not(Compare("completed", "=", True))),
        ("source!=WEB", Not(Compare("source", "=", "WEB"))),
        (
            "activity_type!=call",
            AnyOf((IsNull("activity_type"), Not(Compare("activity_type", "=", "call")))),
        ),
        ("updated_at>=2021-08-05T05:30:00+05:30", Compare("updated_at", ">=", EPOCH_DAY)),
        ("created_at<1628121600", Compare("created_at", "<", EPOCH_DAY)),
        ("start=2021-08-05T00:00:00Z", Compare("start_at", "=", EPOCH_DAY)),
        ("start=2021-08-05", Compare("start_date", "=", DAY)),
        ("end<=2021-08-05", Compare(SHOWN_END, "<=", EPOCH_DAY)),
        (
            "end!=2021-08-05T00:00:00Z",
            AnyOf((IsNull(SHOWN_END), Not(Compare(SHOWN_END, "=", EPOCH_DAY)))),
        ),
        (
            "created_at=2021-08-05",
            AllOf(
                (
                    Compare("created_at", ">=", EPOCH_DAY),
                    Compare("created_at", "<", EPOCH_DAY.replace(day=6)),
                )
            ),
        ),
    ],
)
def test_query_is_a_condition(query: str, condition: Condition):
    assert to_condition(query) == condition


def test_different_keys_must_all_match():
    assert to_condition("name=a,deal_id=5,name=b") == AllOf(
        (AnyOf((ContainsText("a"), ContainsText("b"))), Compare("deal_id", "=", 5))
    )


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("act", "condition 'act' is not a key"),
        ("name", "condition 'name' is not a key"),
        ("=act", "condition '=act' is not a key"),
        ("name=a,,source=b", "condition '' is not a key"),
        ("name=a,,", "condition '' is not a key"),
        (",name=a", "condition '' is not a key"),
        ("name~a", "condition 'name~a' is not a key"),
        ('name="a', "has no closing quote"),
        ('name="a"b', "must be followed by a comma"),
        ("deal_id!nullx", "must be followed by a comma"),
        ("subject=a", "condition 'subject=a' has an unknown key"),
        ("name=a,duration=4", "condition 'duration=4' has an unknown key"),
        ("id>4", 'takes only "=", "!="'),
        ("created_at>2021-08-05T", "must be an RFC 3339 timestamp"),
        ("visibility_type!=secret", "must be one of"),
        ("Name=a", "has an unknown key"),
        ("name>a", 'takes only "="'),
        ("contact_id>=5", 'takes only "="'),
        ("contact_id=", "takes a whole number"),
        ("contact_id=x", "takes a whole number"),
        ("contact_id=-1", "takes a whole number"),
        ("contact_id=1.0", "takes a whole number"),
        ("contact_id=٣", "takes a whole number"),
        (f"contact_id={MAX_ID + 1}", "takes a whole number"),
        ("is_status=1", "takes true or false"),
        ("is_status=", "takes true or false"),
        ("date>", "takes seconds since 1970"),
        ("date>yesterday", "takes seconds since 1970"),
        ("date>1628121600000", "takes seconds since 1970"),
        ("date>999999999999", "not on the calendar"),
        ("date=2021-02-29", "not on the calendar"),
    ],
)
def test_unreadable_condition_is_shown(query: str, reason: str):
    problems = refused(b"query=" + quote(query).encode())
    assert list(problems) == ["query"]
    assert reason in problems["query"]


def test_query_has_bounds():
    assert isinstance(to_condition(",".join(["contact_id=1"] * MAX_CONDITIONS)), HasMember)
    with pytest.raises(InvalidQuery, match="more than 100 conditions"):
        to_condition(",".join(["contact_id=1"] * (MAX_CONDITIONS + 1)))
    with pytest.raises(InvalidQuery, match="longer than"):
        to_condition("name=" + "é" * (MAX_BYTES // 2))


@pytest.mark.parametrize(
    "query_string",
    [b"", b"page=&pageSize=&sortBy=&sortDir=&query=", b"search=x&_=1", b"&&"],
)
def test_defaults_hold_without_parameters(query_string: bytes):
    order = (SortKey("updated_at", True), SortKey("id", True))
    assert to_query(query_string).query == (EVERYTHING, order, 10, 0)


@pytest.mark.parametrize("key", SORT_FIELDS)
def test_order_ends_with_id(key: str):
    order = to_query(f"sortBy={key}&sortDir=asc".encode()).query.order
    assert order[-1] == SortKey("id", descending=False)
    assert order[0] == SortKey(SORT_FIELDS[key], descending=False)
    assert len({sort_key.field for sort_key in order}) == len(order)


def test_sort_fields_are_canonical():
    assert set(SORT_FIELDS.values()) <= {*Activity._fields, SHOWN_END}


def test_page_counts_from_one():
    requested = to_query(b"page=3&pageSize=500")
    assert (requested.query[2:], requested.page_number) == ((500, 1000), 3)


def test_largest_page_is_bounded():
    assert to_query(f"page={2**53}&pageSize=1".encode()).query.offset == 2**53 - 1
    assert list(refused(f"page={2**53}&pageSize=2".encode())) == ["page"]


@pytest.mark.parametrize(
    ("query_string", "name"),
    [
        (b"page=0", "page"),
        (b"page=-1", "page"),
        (b"page=1.0", "page"),
        (b"page=+1", "page"),
        (b"page=x", "page"),
        (b"page=" + b"9" * 5000, "page"),
        (b"page=%D9%A3", "page"),
        (b"pageSize=0", "pageSize"),
        (b"pageSize=501", "pageSize"),
        (b"pageSize=ten", "pageSize"),
        (b"sortBy=subject", "sortBy"),
        (b"sortBy=updated_at;drop", "sortBy"),
        (b"sortDir=down", "sortDir"),
        (b"sortDir=-1", "sortDir"),
        (b"query=name=%FF", "query"),
        (b"query=name=\xff", "query"),
        (b"query=name=a%00b", "query"),
        (b"query=name=%ED%A0%80", "query"),
        (b"page%FF=1", "query string"),
    ],
)
def test_wrong_parameter_is_named(query_string: bytes, name: str):
    assert list(refused(query_string)) == [name]


def test_percent_encoding_is_decoded_once():
    assert to_query(b"query=name=100%2525").query.where == ContainsText("100%25")
    assert to_query(b"query=name=a+b%2Bc").query.where == ContainsText("a b+c")
    assert to_query("query=name=é".encode()).query.where == ContainsText("é")
    assert to_query(b"query%3Dname=x&query=name%3Dact").query.where == ContainsText("act")


def test_first_of_repeated_parameters_wins():
    assert to_query(b"page=2&page=3").query.offset == 10


def test_parsed_query_is_cached():
    assert to_query(b"page=4&pageSize=7") is to_query(b"page=4&pageSize=7")
