"""What both dialects show, over generated records: checked against the oracle."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.dialects import thoroughly
from support.oracle import Zones, achieveapex_view, deskera_view
from support.strategies import records
from support.wire_bodies import json_of

from adapters.achieveapex import translate as achieveapex
from adapters.deskera import translate as deskera
from core.domain.entity import Entity, EntityRef
from core.domain.model import Activity, Tenant


@thoroughly
@given(record=records())
def test_views_worked_out_twice_agree(record: tuple[Activity, Tenant]) -> None:
    activity, tenant = record
    zones = Zones(tenant.timezone, tenant.deskera_timezone)
    row = activity._asdict()
    assert json_of(deskera.show(activity, {}, tenant)) == deskera_view(row, zones, {})
    assert json_of(achieveapex.show(activity, {}, tenant)) == achieveapex_view(row)


class RecordingDirectory(dict[EntityRef, Entity]):
    """A directory that knows nothing, and records what is looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.refs: set[tuple[str, int]] = set()

    def get(self, ref: Any, default: Any = None) -> Any:
        self.refs.add(tuple(ref))
        return default


@thoroughly
@given(page=st.lists(records(), max_size=3))
def test_references_are_what_is_looked_up(page: list[tuple[Activity, Tenant]]) -> None:
    for dialect, more in ((deskera, ()), (achieveapex, ("detailed",))):
        directory = RecordingDirectory()
        for activity, tenant in page:
            dialect.show(activity, directory, tenant, *more)
        assert directory.refs == dialect.references(activity for activity, _ in page)
