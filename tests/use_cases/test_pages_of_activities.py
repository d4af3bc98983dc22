"""Which activities a caller's pages hold and count."""

import random

import pytest
from support.callers import Home
from support.use_cases import ALL, NEWEST, id_of, same, setting

from core.activities import Activities
from core.domain.errors import (
    ActivityNotFound,
)
from core.domain.model import Principal, Viewer
from core.domain.query import (
    EVERYTHING,
    NOTHING,
    ActivityQuery,
    AllOf,
    Compare,
    ContainsText,
    SortKey,
)
from core.storage.activity_reader import ActivityReader
from core.storage.database import Database


@pytest.mark.parametrize(
    ("fields", "seen_by_bob"),
    [
        ({"visibility": "private"}, False),
        ({"visibility": "public"}, True),
        ({"visibility": "team"}, True),
        ({"visibility": "private", "assignee_ids": (9, 2)}, True),
        ({"visibility": "private", "owner_id": 2}, True),
        ({"visibility": "private", "contact_ids": (2,), "deal_id": 2}, False),
    ],
)
def test_visibility_holds_everywhere(
    activities: Activities,
    ann: Principal,
    bob: Principal,
    boss: Principal,
    fields: dict[str, object],
    seen_by_bob: bool,
) -> None:
    activities.create(ann, setting(subject="secret", **fields), id_of)
    activities.create(ann, setting(subject="other"), id_of)
    for query in (ALL, ALL._replace(where=ContainsText("SECRET"))):
        others = query.where == EVERYTHING
        assert activities.page(ann, query).total == 1 + others
        assert activities.page(boss, query).total == 1 + others
        page = activities.page(bob, query)
        assert page.total == seen_by_bob + others == len(page.activities)
        assert page.visible_total == 1 + seen_by_bob
    assert activities.change_many(bob, [1], same) == ([1] if seen_by_bob else [])
    assert activities.remove_many(bob, [1]) == ([1] if seen_by_bob else [])


def test_hidden_is_not_found_by_id(activities: Activities, ann: Principal, bob: Principal) -> None:
    activities.create(ann, setting(visibility="private"), id_of)
    for call in (
        lambda: activities.get(bob, 1),
        lambda: activities.change(bob, 1, same),
        lambda: activities.remove(bob, 1),
    ):
        with pytest.raises(ActivityNotFound):
            call()


def test_counters_equal_exact_counts(
    activities: Activities, ann: Principal, bob: Principal, tenant: Home, database: Database
) -> None:
    """A long random walk of writes leaves totals that are right for every viewer."""
    walk = random.Random(7)
    for _ in range(30):
        activities.create(ann, setting(visibility=walk.choice(["team", "private"])), id_of)
    for _ in range(60):
        chosen = walk.sample(range(1, 31), 3)
        visibility = walk.choice(["team", "private", "public"])
        walk.choice(
            [
                lambda c=chosen, v=visibility: activities.change_many(
                    ann, c, setting(visibility=v)
                ),
                lambda c=chosen: activities.remove_many(ann, c[:1]),
                lambda c=chosen: activities.change_many(bob, c, setting(completed=True)),
            ]
        )()
    for user_id, sees_all in ((1, False), (2, False), (9, True)):
        everything = AllOf((Compare("id", ">", 0),))
        viewer = Viewer(user_id, sees_all)
        reader = ActivityReader(database)
        counted = reader.page(tenant.id, viewer, ALL._replace(where=everything), count=True)
        assert counted.visible_total == counted.total == len(counted.activities)


def test_everything_and_nothing_differ(activities: Activities, ann: Principal) -> None:
    activities.create(ann, same, id_of)
    assert activities.page(ann, ALL).total == 1
    assert activities.page(ann, ALL._replace(where=NOTHING)).total == 0


@pytest.mark.parametrize("hidden_cost", [0, 10])
def test_deep_pages_equal_shallow_ones(
    activities: Activities,
    ann: Principal,
    bob: Principal,
    boss: Principal,
    monkeypatch: pytest.MonkeyPatch,
    hidden_cost: int,
) -> None:
    """Also where some records are hidden from some viewers: ids of few are kept from an index."""
    monkeypatch.setattr("core.storage.deep_pages.HIDDEN_COST", hidden_cost)
    for number in range(23):
        visibility = "private" if number % 3 == 0 else "team"
        assignee_ids = (2,) if number % 2 else ()
        fields = {"visibility": visibility, "assignee_ids": assignee_ids}
        activities.create(ann, setting(subject=f"{number % 5}", **fields), id_of)
    queries = [
        ActivityQuery(where, order, limit, offset)
        for where in (EVERYTHING, Compare("subject", "<>", "3"))
        for order in (NEWEST, (SortKey("subject"), SortKey("id")))
        for limit in (1, 4, 50)
        for offset in (0, 9, 1, 18, 22, 23, 40)
    ]
    pages = [(viewer, query) for viewer in (ann, bob, boss) for query in queries]
    shallow = [activities.page(*page)[:3] for page in pages]
    monkeypatch.setattr("core.storage.activity_reader.DEEP_OFFSET", 1)
    monkeypatch.setattr("core.caching.count_cache.DEEP_OFFSET", 1)
    assert [activities.page(*page)[:3] for page in pages] == shallow


def test_deep_pages_go_on_from_each_other(
    activities: Activities, ann: Principal, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.storage.activity_reader.DEEP_OFFSET", 1)
    monkeypatch.setattr("core.caching.count_cache.DEEP_OFFSET", 1)
    for _ in range(30):
        activities.create(ann, same, id_of)
    for order in (NEWEST, (SortKey("id"),), (SortKey("created_at", True), SortKey("id", True))):
        ids = [
            activity.id
            for activity in activities.page(ann, ActivityQuery(EVERYTHING, order, 50, 0)).activities
        ]
        for offset in (5, 5, 9, 14, 29, 7):
            page = activities.page(ann, ActivityQuery(EVERYTHING, order, 4, offset))
            assert [activity.id for activity in page.activities] == ids[offset : offset + 4]
    assert sum("position_0" in statement for statement in statements) == 3 * 4
    activities.create(ann, same, id_of)
    page = activities.page(ann, ActivityQuery(EVERYTHING, (SortKey("id"),), 4, 29))
    assert [activity.id for activity in page.activities] == [30, 31]
    assert "position_0" not in statements[-1]


def test_filtered_total_follows_writes(activities: Activities, ann: Principal) -> None:
    query = ALL._replace(where=Compare("completed", "=", False))
    totals = []
    for _ in range(4):
        activities.create(ann, same, id_of)
        totals += [activities.page(ann, query).total, activities.page(ann, query).total]
    assert totals == [1, 1, 2, 2, 3, 3, 4, 4]


def test_search_ignores_case_of_every_letter(activities: Activities, ann: Principal) -> None:
    activities.create(ann, setting(subject="ΟΔΟΣ Straße İstanbul"), id_of)
    for part in ("οδο", "ΔΟΣ", "δος", "STRAß", "i̇STAN", "σ str"):
        assert activities.page(ann, ALL._replace(where=ContainsText(part))).total == 1, part
