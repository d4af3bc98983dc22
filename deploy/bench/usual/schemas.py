"""marshmallow schemas of both dialects' reads: every key in the order of the wire."""

from datetime import datetime
from typing import Any

from flask import g
from marshmallow import EXCLUDE, Schema, fields, validate

from deploy.bench.usual.models import Activity


class Stamp(fields.Field):
    """An instant in the tenant's zone, as Deskera writes it."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        wall = value.astimezone(g.zone)
        text = wall.replace(tzinfo=None).isoformat()
        if wall.microsecond:
            text = text.rstrip("0")
        offset = wall.strftime("%z")
        return text + ("Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}")


class MillisecondStamp(fields.Field):
    """An instant in UTC with three digits of a second, as AchieveApex writes it."""

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        if value is None:
            return None
        return value.astimezone().isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Text(fields.String):
    """Text that is never null."""

    def _serialize(self, value: str | None, *args: Any, **kwargs: Any) -> str:
        return super()._serialize(value, *args, **kwargs) or ""


class UserInfo(Schema):
    """Deskera's UserShortInfo."""

    id = fields.Integer()
    first_name = fields.String()
    last_name = fields.String()
    email = fields.String()
    country_code = fields.String()
    contact = fields.String(attribute="phone")
    profile_url = fields.String()


class PersonInfo(Schema):
    """Deskera's ContactShortInfo."""

    id = fields.Integer()
    name = fields.String()
    email = fields.String()
    phone = fields.String()
    country_code = fields.String()
    address = fields.String()
    type = fields.Constant("person")
    organization_id = fields.Function(lambda contact: contact.company_id or 0)
    label_id = fields.Constant(0)
    label = fields.Function(lambda contact: {"name": contact.label} if contact.label else {})
    logo = fields.String()


class OrganizationInfo(PersonInfo):
    """The same of an organization."""

    type = fields.Constant("organization")
    organization_id = fields.Constant(0)


class StageInfo(Schema):
    """The stage of a deal."""

    pipeline_id = fields.Integer()
    order = fields.Integer()
    name = fields.String()
    deal_probability = fields.Integer()
    rotting_days = fields.Integer()
    help_text = fields.String()
    system_generated = fields.Boolean()
    won_lost_status = fields.String()


class CustomFieldInfo(Schema):
    """A custom field of a deal."""

    code = fields.String()
    label = fields.String()
    value = fields.String()
    module = fields.String()
    short_name = fields.String(data_key="shortName")


class DealInfo(Schema):
    """Deskera's deal_details."""

    id = fields.Integer()
    name = fields.String()
    pipeline_id = fields.Integer()
    stage_id = fields.Integer()
    stage = fields.Nested(StageInfo)
    contact_id = fields.Integer()
    organization_id = fields.Integer(attribute="company_id")
    mobile = fields.String(attribute="contact.phone")
    email = fields.String(attribute="contact.email")
    currency_code = fields.String()
    amount = fields.String()
    closing_date = fields.String()
    status = fields.Integer()
    activity_id = fields.Constant(0)
    order = fields.Constant(0)
    stage_name = fields.Constant("")
    deal_probability = fields.Constant(0)
    rotting_days = fields.Constant(0)
    owner_id = fields.Integer()
    is_deleted = fields.Constant(False)
    contact_info = fields.Nested(PersonInfo, attribute="contact")
    organization_info = fields.Nested(OrganizationInfo, attribute="company")
    owner_info = fields.Nested(UserInfo, attribute="owner")
    reason = fields.String()
    custom_field = fields.Nested(CustomFieldInfo, many=True, attribute="custom_fields")
    created_at = fields.String()


def _duration(activity: Activity) -> str:
    minutes = activity.span_minutes
    minutes = activity.duration_minutes if minutes is None else minutes
    return "" if minutes is None else f"{minutes // 60}h {minutes % 60}m"


class DeskeraActivity(Schema):
    """Deskera's activity."""

    id = fields.Integer()
    name = fields.String(attribute="subject")
    activity_type = fields.String()
    duration = fields.Function(_duration)
    notes = Text()
    visibility_type = fields.String(attribute="visibility")
    is_availability = fields.Boolean()
    is_send_invitation = fields.Boolean()
    is_send_contacts_invitation = fields.Boolean()
    assigned_to = fields.Constant("")
    assignee_ids = fields.Pluck(UserInfo, "id", many=True, attribute="assignees")
    assignee_details = fields.Nested(UserInfo, many=True, attribute="assignees", dump_only=True)
    contact_ids = fields.Pluck(PersonInfo, "id", many=True, attribute="contacts")
    contact_details = fields.Nested(PersonInfo, many=True, attribute="contacts", dump_only=True)
    organization_ids = fields.Pluck(OrganizationInfo, "id", many=True, attribute="companies")
    organization_details = fields.Nested(
        OrganizationInfo, many=True, attribute="companies", dump_only=True
    )
    linked_to = fields.Function(lambda activity: activity.deal_id or 0)
    deal_details = fields.Nested(DealInfo, attribute="deal", allow_none=True)
    owner_id = fields.Integer()
    owner_details = fields.Nested(UserInfo, attribute="owner")
    tenant_id = fields.Integer()
    is_status = fields.Boolean(attribute="completed")
    created_at = Stamp()
    updated_at = Stamp()
    created_by = fields.Integer()
    updated_by = fields.Integer()
    is_deleted = fields.Function(lambda activity: activity.deleted_at is not None)
    email_sent = fields.String(data_key="EmailSent")
    consumer_id = fields.String()
    scheduled_status = fields.String()
    batch_id = fields.String()
    cron_status = fields.String()
    notification_error = fields.String()
    source = fields.String()
    source_id = fields.String()
    user_timezone = fields.String(attribute="timezone")
    start = Stamp(attribute="start_at")
    end = Stamp(attribute="end_at")


class PaginationInfo(Schema):
    """What Deskera says of a page."""

    page = fields.Integer()
    totalRecords = fields.Integer()  # noqa: N815: the wire's own spelling
    isZeroState = fields.Boolean()  # noqa: N815


class DeskeraPage(Schema):
    """A page of Deskera's list."""

    data = fields.Nested(DeskeraActivity, many=True)
    paginationInfo = fields.Nested(PaginationInfo)  # noqa: N815


class DeskeraQuery(Schema):
    """The parameters of Deskera's list."""

    page = fields.Integer(load_default=1, validate=validate.Range(min=1))
    page_size = fields.Integer(
        data_key="pageSize", load_default=10, validate=validate.Range(min=1, max=500)
    )
    sort_by = fields.String(
        data_key="sortBy",
        load_default="updated_at",
        validate=validate.OneOf(["id", "name", "start", "end", "created_at", "updated_at"]),
    )
    sort_dir = fields.String(
        data_key="sortDir", load_default="DESC", validate=validate.OneOf(["ASC", "DESC"])
    )


class ApexUser(Schema):
    """A user or contact in AchieveApex's expansions."""

    id = fields.Integer()
    full_name = fields.String()
    email = fields.String()


class ApexContact(ApexUser):
    """A contact in AchieveApex's expansions."""

    full_name = fields.String(attribute="name")


class ApexDeal(Schema):
    """A deal in AchieveApex's expansions."""

    id = fields.Integer()
    name = fields.String()
    stage = fields.String(attribute="stage.name")


class ApexCompany(Schema):
    """A company in AchieveApex's expansions."""

    id = fields.Integer()
    name = fields.String()
    website = fields.String()


class _First(fields.Field):
    """The first of a list, as one of its attributes or dumped by a schema; null of none."""

    def __init__(self, shape: Schema | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shape = shape

    def _serialize(self, value: list[Any], *_: Any, **__: Any) -> Any:
        if not value:
            return None
        shape = self._shape
        return getattr(value[0], shape) if isinstance(shape, str) else shape.dump(value[0])


def _apex_duration(activity: Activity) -> int | None:
    if activity.duration_minutes is None:
        return activity.span_minutes
    return activity.duration_minutes


class ApexActivity(Schema):
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
    duration = fields.Function(_apex_duration)
    deal_id = fields.Integer()
    contact_id = _First("id", attribute="contacts")
    company_id = _First("id", attribute="companies")
    activity_type = fields.String()
    done = fields.Boolean(attribute="completed")
    created_at = MillisecondStamp()
    updated_at = MillisecondStamp()
    deleted_at = MillisecondStamp()


class ApexExpandedActivity(ApexActivity):
    """AchieveApex's activity as it is got by id."""

    created_by_user = fields.Nested(ApexUser, attribute="creator")
    assigned_to_user = _First(ApexUser(), attribute="assignees", dump_only=True)
    deal = fields.Nested(ApexDeal, allow_none=True)
    contact = _First(ApexContact(), attribute="contacts", dump_only=True)
    company = _First(ApexCompany(), attribute="companies", dump_only=True)


class ApexPage(Schema):
    """A page of AchieveApex's list."""

    total = fields.Integer()
    limit = fields.Integer()
    skip = fields.Integer()
    data = fields.Nested(ApexActivity, many=True)


class ApexQuery(Schema):
    """The parameters of AchieveApex's list that the bench uses."""

    class Meta:
        """The others are ignored."""

        unknown = EXCLUDE

    limit = fields.Integer(data_key="$limit", load_default=10)
    skip = fields.Integer(data_key="$skip", load_default=0)
