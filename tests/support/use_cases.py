"""Changes and queries for tests of the use cases."""

from collections.abc import Callable
from typing import Any

from core.domain.model import Activity, Tenant
from core.domain.query import (
    EVERYTHING,
    ActivityQuery,
    SortKey,
)

NEWEST = (SortKey("updated_at", descending=True), SortKey("id", descending=True))
ALL = ActivityQuery(EVERYTHING, NEWEST, 500, 0)


def same(activity: Activity, _tenant: Tenant) -> Activity:
    return activity


def id_of(activity: Activity, _tenant: Tenant) -> bytes:
    return str(activity.id).encode()


def setting(**fields: Any) -> Callable[[Activity, Tenant], Activity]:
    return lambda activity, _tenant: activity._replace(**fields)
