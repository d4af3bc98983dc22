"""The records behind the samples of Deskera's page, in our words, and its samples themselves."""

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapters.deskera.translate import apply, show
from core.domain.entity import Entity
from core.domain.errors import InvalidActivity
from core.domain.model import Activity, Tenant, blank_activity
from core.domain.schedule import with_instant, with_wall_clock

GOLDEN = Path(__file__).parents[1] / "golden" / "deskera"
TENANT = Tenant(64797, "Deskera sample", timezone="UTC", deskera_timezone="Asia/Kolkata")
DAY = date(2021, 8, 5)
UTC_TENANT = TENANT._replace(deskera_timezone="UTC")
USER = 46944
CREATED_AT = datetime(2021, 8, 5, 11, 50, 58, 875416, tzinfo=UTC)
BLANK = blank_activity(tenant_id=TENANT.id, user_id=USER, now=CREATED_AT)

# Singapore is 8 hours ahead of UTC: 12:37:03 in India is 15:07:03 there.
SHOWN_ACTIVITY = BLANK._replace(
    id=1,
    subject="Act 3",
    activity_type="call",
    notes="Test Note<br>",
    start_date=date(2021, 8, 5),
    start_time=time(15, 7, 3),
    start_at=datetime(2021, 8, 5, 7, 7, 3, tzinfo=UTC),
    end_date=date(2021, 8, 5),
    end_time=time(16, 28, 3),
    end_at=datetime(2021, 8, 5, 8, 28, 3, tzinfo=UTC),
    timezone="Asia/Singapore",
    completed=True,
    assignee_ids=(USER,),
    contact_ids=(179642, 179640),
    company_ids=(196518, 196517),
    deal_id=1227,
    is_send_invitation=True,
    is_send_contacts_invitation=True,
    source_id="1",
)


def golden(case: str) -> dict[str, Any]:
    """Return one golden document; its objects keep the order of their keys."""
    document: dict[str, Any] = json.loads((GOLDEN / f"{case}.json").read_text("utf-8"))
    return document


def activity(**changes: Any) -> Activity:
    """Return a blank activity of the page's tenant with some fields set."""
    return BLANK._replace(id=7, **changes)


def _deal(owner: Entity, contact: Entity) -> Entity:
    fields = {
        "name": "AA",
        "pipeline_id": 13774,
        "stage_id": 95977,
        "stage": {
            "pipeline_id": 0,
            "order": 1,
            "name": "Appointment Scheduled",
            "deal_probability": 20,
            "rotting_days": 30,
            "help_text": "Appointment Scheduled",
            "system_generated": False,
            "won_lost_status": "open",
        },
        "contact_id": contact.id,
        "currency_code": "USD",
        "amount": "0",
        "closing_date": "2021-04-22T00:00:00Z",
        "owner_id": owner.id,
        "custom_fields": [{"code": "D-0000008", "label": "CF01", "short_name": "CF01"}],
        "created_at": "2021-04-22T05:16:05.857311Z",
    }
    return Entity("deal", 1227, fields, {"contact": contact, "owner": owner})


def _entities() -> list[Entity]:
    owner_fields = {"first_name": "C1", "last_name": "C1", "email": "crm-test@getnada.com"}
    owner = Entity("user", USER, owner_fields)
    phone = "+1(239) 595-0413"
    contact_fields = {"name": "CT-1", "email": "ct-1@getnada.com", "phone": phone}
    contact = Entity("contact", 146987, {**contact_fields, "label": "No label"})
    persons = {179642: "T1 temp contact person", 179640: "T0 temp contact person"}
    companies = {196518: "A2", 196517: "A1"}
    return [
        owner,
        contact,
        _deal(owner, contact),
        *(
            Entity("contact", id_, {"name": name, "country_code": "+232", "label": "No label"})
            for id_, name in persons.items()
        ),
        *(
            Entity("company", id_, {"name": name, "address": "India ", "label": "No label"})
            for id_, name in companies.items()
        ),
    ]


RELATED = {(entity.kind, entity.id): entity for entity in _entities()}


def shown(of: Activity, tenant: Tenant = UTC_TENANT) -> dict[str, Any]:
    """Return what the dialect shows, as a client reads it."""
    document: dict[str, Any] = orjson.loads(orjson.dumps(show(of, RELATED, tenant)))
    return document


def written(of: Activity, **body: Any) -> Activity:
    """Return the activity after a write."""
    return apply(of, body, UTC_TENANT)


def problems(of: Activity, body: Any) -> dict[str, str]:
    """Return what a refused write names."""
    with pytest.raises(InvalidActivity) as caught:
        apply(of, body, UTC_TENANT)
    return dict(caught.value.problems)


def timed(start: datetime | None, end: datetime | None, **changes: Any) -> Activity:
    """Return an activity with two timed ends."""
    made = with_instant(activity(**changes), "start", start, tenant_timezone="UTC")
    return with_instant(made, "end", end, tenant_timezone="UTC")


def whole_days(**changes: Any) -> Activity:
    """Return an activity of one whole day."""
    made = with_wall_clock(activity(**changes), "start", DAY, None, tenant_timezone="UTC")
    return with_wall_clock(made, "end", DAY, None, tenant_timezone="UTC")
