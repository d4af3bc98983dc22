"""The values that the core speaks in: frozen, and made of the standard library alone.

`Activity` is a named tuple because its rows come from the database in the same order: turning a
row into an activity is one call and copies nothing, which matters on pages.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from core.domain.entity import EntityRef, Related

MAX_ID = 2**53 - 1  # The largest integer that every JSON client reads exactly.
MAX_IMPORTED_ID = 2**52  # Leaves as many numbers again for ids given out after an import.
MAX_PAGE_BYTES = 16 * 2**20  # Of one answer: a page that would be larger is refused.
MAX_PAGE_ENTITIES = 20_000  # Different entities that one page may show.
MAX_LINKED_IDS = 1000  # Elements of one list of ids, and ids of one bulk call.
VISIBILITIES = ("private", "public", "team")


class Activity(NamedTuple):
    """A call, meeting or task of one tenant.

    Wall clocks (`start_date`, `start_time`) are what was written on the calendar in the tenant's
    zone; instants (`start_at`) are aware UTC datetimes. A date without a time is a whole day, and
    its instant is midnight in that zone. `timezone` (an IANA name or "") is a note of the user's,
    and moves neither. The three lists of ids are ordered. `location_geocoded` is JSON text.
    `version` grows by one with every change.
    """

    tenant_id: int
    id: int
    version: int
    subject: str
    activity_type: str | None
    notes: str | None
    public_description: str | None
    location: str | None
    location_geocoded: str | None
    start_date: date | None
    start_time: time | None
    start_at: datetime | None
    end_date: date | None
    end_time: time | None
    end_at: datetime | None
    timezone: str
    duration_minutes: int | None
    completed: bool
    assignee_ids: tuple[int, ...]
    contact_ids: tuple[int, ...]
    company_ids: tuple[int, ...]
    deal_id: int | None
    owner_id: int
    created_by: int
    updated_by: int
    visibility: str
    is_availability: bool | None
    is_send_invitation: bool
    is_send_contacts_invitation: bool
    source: str
    source_id: str
    email_sent: str
    consumer_id: str
    scheduled_status: str
    batch_id: str
    cron_status: str
    notification_error: str
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


def blank_activity(*, tenant_id: int, user_id: int, now: datetime) -> Activity:
    """Return the activity that a create starts from: every field at its unset value.

    `id` is 0 until a number is given out for it. Owner and creator are the caller.
    """
    return Activity(
        tenant_id=tenant_id,
        id=0,
        version=1,
        subject="",
        activity_type=None,
        notes=None,
        public_description=None,
        location=None,
        location_geocoded=None,
        start_date=None,
        start_time=None,
        start_at=None,
        end_date=None,
        end_time=None,
        end_at=None,
        timezone="",
        duration_minutes=None,
        completed=False,
        assignee_ids=(),
        contact_ids=(),
        company_ids=(),
        deal_id=None,
        owner_id=user_id,
        created_by=user_id,
        updated_by=user_id,
        visibility="team",
        is_availability=None,
        is_send_invitation=False,
        is_send_contacts_invitation=False,
        source="WEB",
        source_id="",
        email_sent="NEW",
        consumer_id="",
        scheduled_status="",
        batch_id="",
        cron_status="NEW",
        notification_error="",
        created_at=now,
        updated_at=now,
        deleted_at=None,
    )


def references(activities: Iterable[Activity]) -> set[EntityRef]:
    """Return every entity that the activities name."""
    refs: set[EntityRef] = set()
    for activity in activities:
        refs.update([("user", user_id) for user_id in activity.assignee_ids])
        refs.update([("contact", contact_id) for contact_id in activity.contact_ids])
        refs.update([("company", company_id) for company_id in activity.company_ids])
        if activity.deal_id:
            refs.add(("deal", activity.deal_id))
        refs.add(("user", activity.owner_id))
        refs.add(("user", activity.created_by))
    return refs


class Listed(NamedTuple):
    """A record of a page without its fields: enough to know one again that was read before."""

    tenant_id: int
    id: int
    version: int


TEXTS = (
    "subject",
    "notes",
    "public_description",
    "location",
    "location_geocoded",
    "source",
    "source_id",
    "email_sent",
    "consumer_id",
    "scheduled_status",
    "batch_id",
    "cron_status",
    "notification_error",
)
"""The fields of unbounded length, whose bytes bound a page."""


def text_bytes(activity: Activity) -> int:
    """Return the bytes, in UTF-8, of an activity's texts."""
    return sum(len((getattr(activity, name) or "").encode()) for name in TEXTS)


class Tenant(NamedTuple):
    """A customer of the service, and the two zones that its records are read in (IANA names).

    All wall clocks of its activities are in `timezone`; `deskera_timezone` is only the
    zone that Deskera's stamps are written in.
    """

    id: int
    name: str
    timezone: str
    deskera_timezone: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: one user, the tenants that the credential spans, and what it may do."""

    user_id: int
    tenant_ids: tuple[int, ...]
    scopes: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether private activities of others are seen."""
        return "admin" in self.scopes


class Viewer(NamedTuple):
    """The user who decides which private records are visible; `sees_all` shows them all."""

    user_id: int
    sees_all: bool


class Versions(NamedTuple):
    """The versions of a tenant's activities and of its directory; each write moves one."""

    activities: int
    directory: int


class Found(NamedTuple):
    """One activity with what a dialect needs to show it.

    A read also tells the versions of the tenant in the snapshot that it was read from.
    """

    activity: Activity
    related: Related
    tenant: Tenant
    versions: Versions | None = None


Knows = Callable[[Sequence[Listed], Versions], bool]
"""Tells whether a caller has all records of a page, at these versions, from before."""


class Page(NamedTuple):
    """One page of a list.

    `total` counts every match that the caller may see, `visible_total` the same without the
    filter. `versions` are those of the snapshot that the page was read from. There are no
    activities where the caller knows them all, nor entities.
    """

    activities: list[Activity]
    total: int
    visible_total: int
    related: Related
    tenant: Tenant
    versions: Versions


class IdempotencyKey(NamedTuple):
    """A client's key for one create: scoped to tenant, user and dialect; `digest` is the body's."""

    dialect: str
    key: str
    digest: bytes
