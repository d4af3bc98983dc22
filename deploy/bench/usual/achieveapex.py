"""marshmallow schemas of AchieveApex's reads."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, fields

from deploy.bench.usual.models import Activity


class MillisecondStamp(fields.Field[datetime]):
    """An instant in UTC with three digits of a second, as AchieveApex writes it."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ApexUserInfo(Schema):
    """A user or contact in AchieveApex's expansions."""

    id = fields.Integer()
    full_name = fields.String()
    email = fields.String()


class ApexContact(ApexUserInfo):
    """A contact in AchieveApex's expansions."""

    full_name = fields.String(attribute="name")


class ApexDealInfo(Schema):
    """A deal in AchieveApex's expansions."""

    id = fields.Integer()
    name = fields.String()
    stage = fields.String(attribute="stage.name")


class ApexCompanyInfo(Schema):
    """A company in AchieveApex's expansions."""

    id = fields.Integer()
    name = fields.String()
    website = fields.String()


class _First(fields.Field[Any]):
    """The first of a list, as one of its attributes or dumped by a schema; null of none."""

    def __init__(self, shape: Schema | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shape = shape

    def _serialize(self, value: list[Any] | None, *_: Any, **__: Any) -> Any:
        if not value:
            return None
        shape = self._shape
        return getattr(value[0], shape) if isinstance(shape, str) else shape.dump(value[0])


def _duration(activity: Activity) -> int | None:
    if activity.duration_minutes is None:
        return activity.span_minutes
    return activity.duration_minutes


class ApexActivityInfo(Schema):
    """AchieveApex's activity as it is listed."""

    id = fields.Integer()
    organization_id = fields.Integer(attribute="tenant_id")
    created_by_user_id = fields.Integer(attribute="created_by")
    assigned_to_user_id = _First("id", attribute="assignees")
    subject = fields.String()
    note = fields.String(attribute="notes")
    public_description = fields.String()
    location = fields.String()
    location_geocoded = fields.Raw()
    start_date = fields.Date()
    start_time = fields.Time()
    end_date = fields.Date()
    end_time = fields.Time()
    duration = fields.Function(_duration)
    deal_id = fields.Integer()
    contact_id = _First("id", attribute="contacts")
    company_id = _First("id", attribute="companies")
    activity_type = fields.String()
    done = fields.Boolean(attribute="completed")
    created_at = MillisecondStamp()
    updated_at = MillisecondStamp()
    deleted_at = MillisecondStamp()


class ApexExpandedActivityInfo(ApexActivityInfo):
    """AchieveApex's activity as it is got by id."""

    created_by_user = fields.Nested(ApexUserInfo, attribute="creator")
    assigned_to_user = _First(ApexUserInfo(), attribute="assignees", dump_only=True)
    deal = fields.Nested(ApexDealInfo, allow_none=True)
    contact = _First(ApexContact(), attribute="contacts", dump_only=True)
    company = _First(ApexCompanyInfo(), attribute="companies", dump_only=True)


class ApexPage(Schema):
    """A page of AchieveApex's list."""

    total = fields.Integer()
    limit = fields.Integer()
    skip = fields.Integer()
    data = fields.Nested(ApexActivityInfo, many=True)


class ApexQuery(Schema):
    """The parameters of AchieveApex's list that the bench uses."""

    class Meta:
        """The others are ignored."""

        unknown = EXCLUDE

    limit = fields.Integer(data_key="$limit", load_default=10)
    skip = fields.Integer(data_key="$skip", load_default=0)
