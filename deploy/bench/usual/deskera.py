"""marshmallow schemas of Deskera's list: every key in the order of the wire."""

from datetime import datetime
from typing import Any

from flask import g
from marshmallow import Schema, fields, validate

from deploy.bench.usual.models import Activity


class Stamp(fields.Field[datetime]):
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
    organization_id = fields.Integer(attribute="company_id")
    label_id = fields.Constant(0)
    label = fields.Function(lambda contact: {"name": contact.label} if contact.label else {})
    logo = fields.String()


class OrganizationInfo(PersonInfo):
    """The same of an organization."""

    type = fields.Constant("organization")
    organization_id = fields.Integer(attribute="company_id", dump_default=0)


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
    total_records = fields.Integer(data_key="totalRecords")
    is_zero_state = fields.Boolean(data_key="isZeroState")


class DeskeraPage(Schema):
    """A page of Deskera's list."""

    data = fields.Nested(DeskeraActivity, many=True)
    pagination_info = fields.Nested(PaginationInfo, data_key="paginationInfo")


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
