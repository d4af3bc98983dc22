"""Filters by a member of a list: counted first, then read in the way that suits their number."""

import pytest
from flask import Flask
from support.callers import Home
from support.factories import make_principal

from core.activities import Activities
from core.caching.count_cache import CountCache
from core.domain.model import Activity, Principal, Tenant, Viewer
from core.domain.query import (
    ActivityQuery,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    HasMember,
    SortKey,
    names_members,
)
from core.storage.activity_reader import ActivityReader
from core.storage.database import Database

NEWEST = (SortKey("updated_at", descending=True), SortKey("id", descending=True))
BY_NAME = (SortKey("subject"), SortKey("id"))
SEVEN = HasMember("assignee_ids", (7,))
VIEWER = Viewer(1, False)
FENCE = "OFFSET 0)"


@pytest.fixture
def ann(app: Flask, tenant: Home) -> Principal:
    """Give a principal whose tenant has 30 activities, every third of them assigned to user 7."""
    ann = make_principal(user_id=1, tenant_ids=(tenant.id,))
    for number in range(30):
        create(app, ann, number)
    return ann


def create(app: Flask, ann: Principal, number: int) -> None:
    def write(activity: Activity, _tenant: Tenant) -> Activity:
        assignees = (3, 7) if number % 3 == 0 else (3,)
        return activity._replace(subject=f"{number % 4} of {number}", assignee_ids=assignees)

    activities: Activities = app.extensions["activities"]
    activities.create(ann, write, lambda activity, _: str(activity.id).encode())


@pytest.mark.parametrize("order", [NEWEST, BY_NAME])
@pytest.mark.parametrize("where", [SEVEN, AllOf((SEVEN, Compare("completed", "=", False)))])
def test_both_ways_find_the_same_page(
    ann: Principal, tenant: Home, database: Database, where: Condition, order: tuple[SortKey, ...]
) -> None:
    reader = ActivityReader(database)
    query = ActivityQuery(where, order, 4, 3)
    walked = reader.page(tenant.id, VIEWER, query, count=True)
    fetched = reader.page(tenant.id, VIEWER, query, count=True, is_rare=True)
    assert walked == fetched
    assert (len(walked.activities), walked.total) == (4, 10)


def test_rare_member_is_counted_then_fetched(
    ann: Principal, app: Flask, tenant: Home, database: Database, statements: list[str]
) -> None:
    cache = CountCache(ActivityReader(database))
    query = ActivityQuery(SEVEN, NEWEST, 4, 0)
    statements.clear()
    first = cache.page(tenant.id, VIEWER, query)
    assert [FENCE in sql for sql in statements] == [False, True]
    statements.clear()
    assert cache.page(tenant.id, VIEWER, query) == first
    assert [FENCE in sql for sql in statements] == [True]
    create(app, ann, 30)
    assert cache.page(tenant.id, VIEWER, query).total == 11


def test_frequent_member_walks_the_index(
    ann: Principal,
    tenant: Home,
    database: Database,
    statements: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.caching.count_cache.MAX_RARE", 9)
    cache = CountCache(ActivityReader(database))
    found = cache.page(tenant.id, VIEWER, ActivityQuery(SEVEN, NEWEST, 4, 0))
    assert (len(found.activities), found.total) == (4, 10)
    assert not any(FENCE in sql for sql in statements)


def test_only_what_all_matches_share_counts() -> None:
    other = Compare("completed", "=", True)
    assert names_members(AllOf((other, SEVEN)))
    assert not names_members(AnyOf((other, SEVEN)))
    assert not names_members(other)
