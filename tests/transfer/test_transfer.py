"""Whole files in and out."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from support.callers import Demo, Home
from support.clock import Clock
from support.own_tables import empty_tables

from core.domain.errors import EntityNotFound
from core.storage.database import Database
from core.storage.tables import metadata
from core.transfer.demo import APEX_TENANT_ID, load_demo
from core.transfer.exporter import export_lines
from core.transfer.import_report import ImportReport
from core.transfer.importer import import_lines
from core.transfer.line_loader import MAX_BAD_LINES_SHOWN


@pytest.fixture
def load(database: Database, tenant: Home, clock: Clock) -> Any:
    """Give a function that imports records into this test's tenant."""

    def load(*records: dict[str, Any], **options: Any) -> ImportReport:
        lines = [orjson.dumps(record) for record in records]
        chosen = {"tenant_id": tenant.id, "clock": clock, **options}
        return import_lines(database, lines, **chosen)

    return load


def activity(activity_id: int = 1, **fields: Any) -> dict[str, Any]:
    """Return the record of an activity."""
    return {"kind": "activity", "id": activity_id, "subject": f"Act {activity_id}", **fields}


def user(user_id: int = 1, **fields: Any) -> dict[str, Any]:
    """Return the record of a user."""
    return {"kind": "user", "id": user_id, "first_name": "A", "last_name": "B", **fields}


def exported(database: Database, tenant: Home) -> list[dict[str, Any]]:
    """Return what the tenant's export holds, without the tenant itself."""
    return [orjson.loads(line) for line in export_lines(database, tenant_id=tenant.id)][1:]


def rows(database: Database) -> dict[str, list[str]]:
    """Return every row of every table as text."""
    with database.transaction() as connection:
        return {
            name: sorted(
                connection.exec_driver_sql(f"SELECT t::TEXT FROM {name} AS t").scalars().all()
            )
            for name in metadata.tables
        }


def counters(database: Database, tenant: Home) -> tuple[int, int]:
    """Return the tenant's counters of shared and private activities, checked by counting."""
    counted = "count(*) FILTER (WHERE visibility {} 'private' AND deleted_at IS NULL)"
    where = f"WHERE tenant_id = {tenant.id}"
    with database.transaction() as connection:
        kept = connection.exec_driver_sql(
            f"SELECT sum(shared)::INT, sum(private)::INT FROM activity_counters {where}"
        ).one()
        true = connection.exec_driver_sql(
            f"SELECT {counted.format('<>')}, {counted.format('=')} FROM activities {where}"
        ).one()
    assert tuple(kept) == tuple(true)
    return kept[0], kept[1]


def last_id(database: Database, tenant: Home) -> int:
    """Return the last activity id that the tenant gave out."""
    with database.transaction() as connection:
        sql = f"SELECT last_id FROM activity_numbers WHERE tenant_id = {tenant.id}"
        return int(connection.exec_driver_sql(sql).scalar_one())


def directory_version(database: Database, tenant: Home) -> int:
    """Return the version of the tenant's directory."""
    with database.transaction() as connection:
        sql = f"SELECT directory_version FROM tenants WHERE tenant_id = {tenant.id}"
        return int(connection.exec_driver_sql(sql).scalar_one())


def test_export_of_an_import_is_equal(demo: Demo, database: Database):
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE activities SET deleted_at = now() WHERE id = 124")
        connection.exec_driver_sql("UPDATE activities SET start_time = '05:30:00.01'")
    before = list(export_lines(database))
    empty_tables(database)
    assert import_lines(database, before).bad_count == 0
    assert list(export_lines(database)) == before


def test_importing_an_export_moves_nothing(demo: Demo, database: Database, clock: Clock):
    before = rows(database)
    clock.advance(days=1)
    report = import_lines(database, list(export_lines(database)), clock=clock)
    assert report.records == 24
    assert all(counts[:2] == (0, 0) for counts in report.counts.values())
    assert rows(database) == before


def test_export_is_ordered(database: Database, tenant: Home, load: Any):
    company = {"kind": "company", "id": 9, "name": "C"}
    load(activity(3), activity(1), user(2), user(1), company)
    lines = exported(database, tenant)
    assert [(line["kind"], line["id"]) for line in lines] == [
        ("user", 1),
        ("user", 2),
        ("company", 9),
        ("activity", 1),
        ("activity", 3),
    ]
    assert {line["tenant_id"] for line in lines} == {tenant.id}


def test_export_of_unknown_tenant_is_refused(database: Database):
    with pytest.raises(EntityNotFound):
        list(export_lines(database, tenant_id=999_999))


def test_one_bad_line_stops_all(database: Database, tenant: Home, load: Any):
    report = load(activity(1), activity(0), user(1), {**user(2), "age": 3})
    assert [line.number for line in report.bad_lines] == [2, 4]
    assert "id" in report.bad_lines[0].reason
    assert "age" in report.bad_lines[1].reason
    assert exported(database, tenant) == []


def test_bad_lines_are_counted_beyond_those_shown(load: Any):
    report = load(*[activity(0)] * (MAX_BAD_LINES_SHOWN + 5))
    assert len(report.bad_lines) == MAX_BAD_LINES_SHOWN
    assert report.bad_count == MAX_BAD_LINES_SHOWN + 5


def test_lines_are_numbered_with_blank_ones(database: Database, tenant: Home):
    report = import_lines(database, [b"\n", b"  \r\n", b"oops\n"], tenant_id=tenant.id)
    assert [line.number for line in report.bad_lines] == [3]


def test_line_of_another_tenant_is_bad(load: Any, tenant: Home):
    report = load({**user(), "tenant_id": tenant.id + 1})
    assert str(tenant.id) in report.bad_lines[0].reason


def test_unknown_tenant_is_bad_before_its_line(database: Database, tenant: Home):
    new_id = tenant.id + 500_000
    line = orjson.dumps({**user(), "tenant_id": new_id})
    tenant_line = orjson.dumps({"kind": "tenant", "id": new_id, "name": "New"})
    assert import_lines(database, [line, tenant_line]).bad_count == 1
    assert import_lines(database, [tenant_line, line]).records == 2


def test_later_line_of_an_id_wins(database: Database, tenant: Home, load: Any):
    load(activity(1, subject="first"), user(first_name="first"))
    load(
        activity(1, subject="second"),
        user(first_name="second"),
        activity(1, subject="third"),
        user(first_name="third"),
    )
    lines = exported(database, tenant)
    assert [line.get("subject", line.get("first_name")) for line in lines] == ["third", "third"]


def test_repeated_ids_move_nothing_either(database: Database, load: Any):
    lines = [activity(1, subject="x"), user(email="x"), activity(1), user()]
    load(*lines)
    before = rows(database)
    load(*lines)
    assert rows(database) == before


@pytest.mark.parametrize(
    "awkward", ["\\N", "a\tb\\tc", "a\nb\r\nc", "\\.", "\\", "\v\x7f\u2028", "'\"{},"]
)
def test_texts_are_kept_to_the_letter(database: Database, tenant: Home, load: Any, awkward: str):
    load(activity(1, subject=awkward, notes=awkward, source=""), user(first_name=awkward))
    of_user, of_activity = exported(database, tenant)
    assert of_user["first_name"] == awkward
    kept = [of_activity[name] for name in ("subject", "notes", "source", "location")]
    assert kept == [awkward, awkward, "", None]


@pytest.mark.parametrize("size", [1, 2500])
def test_batches_make_no_difference(database: Database, tenant: Home, load: Any, size: int):
    report = load(*(activity(number) for number in range(1, size + 1)), *map(user, range(1, size)))
    assert report.counts["activity"] == (size, 0, 0)
    assert len(exported(database, tenant)) == 2 * size - 1


def test_counters_stay_exact(database: Database, tenant: Home, load: Any):
    load(activity(1), activity(2, visibility="private"), activity(3, visibility="private"))
    assert counters(database, tenant) == (1, 2)
    load(
        activity(1, visibility="private"),
        activity(2, deleted_at="2026-01-01T00:00:00Z"),
        activity(3),
        activity(4, deleted_at="2026-01-01T00:00:00Z"),
        activity(5),
    )
    assert counters(database, tenant) == (2, 1)


def test_later_ids_never_collide(database: Database, tenant: Home, load: Any):
    load(activity(70), activity(7))
    assert last_id(database, tenant) == 70
    load(activity(8))
    assert last_id(database, tenant) == 70


def test_change_is_stamped_where_no_stamp_is_given(
    database: Database, tenant: Home, load: Any, clock: Clock
):
    load(activity(1))
    created_at = exported(database, tenant)[0]["created_at"]
    clock.advance(hours=1)
    load(activity(1))
    assert exported(database, tenant)[0]["updated_at"] == created_at
    load(activity(1, subject="other"))
    changed = exported(database, tenant)[0]
    assert changed["created_at"] == created_at < changed["updated_at"]


def test_given_stamps_are_kept(database: Database, tenant: Home, load: Any):
    stamps = {"created_at": "2020-01-01T00:00:00Z", "updated_at": "2020-01-02T00:00:00.5Z"}
    load(activity(1, **stamps), activity(2, created_at=stamps["created_at"]))
    first, second = exported(database, tenant)
    assert {name: first[name] for name in stamps} == stamps
    assert second["updated_at"] == stamps["created_at"]


def test_entity_change_moves_the_directory(database: Database, tenant: Home, load: Any):
    load(user())
    before = directory_version(database, tenant)
    load(user())
    assert directory_version(database, tenant) == before
    load(user(email="new@example.com"))
    assert directory_version(database, tenant) == before + 1


def test_demo_overwrites_and_revives_nothing(demo: Demo, database: Database):
    changes = (
        "UPDATE activities SET subject = 'mine', deleted_at = now() WHERE id = 123",
        "UPDATE entities SET fields = '{}', is_removed = true WHERE id = 456",
        "UPDATE tenants SET name = 'mine'",
    )
    with database.transaction() as connection:
        for sql in changes:
            connection.exec_driver_sql(sql)
    before = rows(database)
    load_demo(database)
    assert rows(database) == before


def test_demo_fills_what_was_never_there(demo: Demo, database: Database):
    whole = list(export_lines(database))
    with database.transaction() as connection:
        connection.exec_driver_sql(f"DELETE FROM entities WHERE tenant_id = {APEX_TENANT_ID}")
    load_demo(database)
    assert list(export_lines(database)) == whole


def test_import_reads_lines_as_they_come(database: Database, tenant: Home):
    def lines() -> Iterable[bytes]:
        for number in range(1, 4):
            yield orjson.dumps(activity(number))

    assert import_lines(database, lines(), tenant_id=tenant.id).records == 3
