"""What is on the wire: for the API document, and for the one body that has no echo.

Named as on Deskera's page where it has a name. Views answer with finished responses, so that
nothing is ever dumped through these; an activity's body is read by `translate.apply`, because
what it may hold depends on what is stored.
"""

from marshmallow import EXCLUDE, Schema, fields

from adapters.deskera.body_values import ACTIVITY_TYPES, parse_bulk_ids, parse_duration
from adapters.deskera.schema_fields import (
    ParsedField,
    boolean,
    id_list,
    integer,
    string,
    timestamp,
    visibility,
)
from core.domain.model import MAX_ID

DURATION = "Whole minutes, as hours and minutes; empty where unknown."
SHOWN_TIMESTAMP = "RFC 3339 in the tenant's Deskera zone."
IN_NOTES = (
    "Base64 of UTF-8 text, usually HTML; answers hold the text itself, and exactly that text is "
    "accepted back."
)
IN_DURATION = (
    'Text such as "1h 21m", or whole minutes. Where `end` is not sent it moves the end of a timed '
    "start; where `end` is sent and both ends are timed it is ignored."
)
IN_TYPE = f"One of {', '.join(ACTIVITY_TYPES)}, or the value that the activity shows."


class UserShortInfo(Schema):
    """A user inside an activity; empty texts where unknown."""

    id = integer()
    first_name = string()
    last_name = string()
    email = string()
    country_code = string()
    contact = string(description="The user's phone number.")
    profile_url = string()


class ContactLabel(Schema):
    """A contact's label; an empty object where there is none."""

    name = string()


class ContactShortInfo(Schema):
    """A person or an organization inside an activity; zeros and empty texts where unknown."""

    id = integer()
    name = string()
    email = string()
    phone = string()
    country_code = string()
    address = string()
    type = string(enum=["person", "organization", ""])
    organization_id = integer(description="The organization that a person belongs to, or 0.")
    label_id = integer(description="Always 0.")
    label = fields.Nested(ContactLabel)
    logo = string()


class DealStage(Schema):
    """The stage that a deal is in."""

    pipeline_id = integer()
    order = integer()
    name = string()
    deal_probability = integer(description="Percent.")
    rotting_days = integer()
    help_text = string()
    system_generated = boolean()
    won_lost_status = string()


class CustomField(Schema):
    """One custom field of a deal."""

    code = string()
    label = string()
    value = string()
    module = string()
    short_name = string(wire="shortName")


class Deal(Schema):
    """The deal that an activity is linked to."""

    id = integer()
    name = string()
    pipeline_id = integer()
    stage_id = integer()
    stage = fields.Nested(DealStage, allow_none=True)
    contact_id = integer()
    organization_id = integer()
    mobile = string(description="The contact's phone number.")
    email = string(description="The contact's e-mail address.")
    currency_code = string()
    amount = string(description="A decimal number as text.")
    closing_date = timestamp(nullable=True)
    status = integer(description="0 open, 1 won, 2 lost.")
    activity_id = integer(description="Always 0.")
    order = integer(description="Always 0.")
    stage_name = string(description="Always empty; see `stage`.")
    deal_probability = integer(description="Always 0; see `stage`.")
    rotting_days = integer(description="Always 0; see `stage`.")
    owner_id = integer()
    is_deleted = boolean()
    contact_info = fields.Nested(ContactShortInfo)
    organization_info = fields.Nested(ContactShortInfo)
    owner_info = fields.Nested(UserShortInfo)
    reason = string()
    custom_field = fields.List(fields.Nested(CustomField))
    created_at = timestamp(nullable=True)


class Activity(Schema):
    """An activity as it is shown: 38 keys, always all of them."""

    id = integer()
    name = string()
    activity_type = string()
    duration = ParsedField(parse_duration, type="string", description=DURATION, examples=["1h 21m"])
    notes = string(description="The text itself; base64 is for requests only.")
    visibility_type = visibility()
    is_availability = boolean(nullable=True)
    is_send_invitation = boolean()
    is_send_contacts_invitation = boolean()
    assigned_to = string(description="Always empty.")
    assignee_ids = id_list()
    assignee_details = fields.List(fields.Nested(UserShortInfo))
    contact_ids = id_list()
    contact_details = fields.List(fields.Nested(ContactShortInfo))
    organization_ids = id_list()
    organization_details = fields.List(fields.Nested(ContactShortInfo))
    linked_to = integer(description="The deal's id; 0 for none.")
    deal_details = fields.Nested(Deal, allow_none=True)
    owner_id = integer()
    owner_details = fields.Nested(UserShortInfo)
    tenant_id = integer()
    is_status = boolean(description="Whether the activity is done.")
    created_at = timestamp(description=SHOWN_TIMESTAMP)
    updated_at = timestamp(description=SHOWN_TIMESTAMP)
    created_by = integer()
    updated_by = integer()
    is_deleted = boolean(description="Always false.")
    email_sent = string(wire="EmailSent")
    consumer_id = string()
    scheduled_status = string()
    batch_id = string()
    cron_status = string()
    notification_error = string()
    source = string()
    source_id = string()
    user_timezone = string(description="An IANA zone or empty; it moves no time.")
    start = timestamp(nullable=True, description=SHOWN_TIMESTAMP)
    end = timestamp(nullable=True, description=SHOWN_TIMESTAMP)


class ActivityBody(Schema):
    """What a create or an update may say; null means empty, absent means unchanged.

    Every other key is ignored, and so is one that carries what the activity shows already.
    """

    class Meta:
        """Keys that are not declared are tolerated."""

        unknown = EXCLUDE

    name = string(nullable=True)
    activity_type = string(nullable=True, description=IN_TYPE)
    duration = ParsedField(
        parse_duration,
        nullable=True,
        type=["string", "integer"],
        minimum=0,
        maximum=MAX_ID,
        description=IN_DURATION,
    )
    notes = string(nullable=True, description=IN_NOTES)
    visibility_type = visibility(nullable=True)
    is_availability = boolean(nullable=True)
    is_send_invitation = boolean(nullable=True)
    is_send_contacts_invitation = boolean(nullable=True)
    assignee_ids = id_list(nullable=True)
    contact_ids = id_list(nullable=True)
    organization_ids = id_list(nullable=True)
    linked_to = integer(nullable=True, description="The deal's id; 0 for none.")
    owner_id = integer(nullable=True, description="0 for the activity's creator.")
    is_status = boolean(nullable=True, description="Whether the activity is done.")
    source = string(nullable=True)
    source_id = string(nullable=True)
    user_timezone = string(nullable=True, description="An IANA zone or empty; it moves no time.")
    start = timestamp(nullable=True)
    end = timestamp(nullable=True)


class MultiActivityUpdate(Schema):
    """Which activities to change, and how; unknown ids are skipped."""

    class Meta:
        """Keys that are not declared are tolerated."""

        unknown = EXCLUDE

    ids = id_list(parse=parse_bulk_ids, required=True, minItems=1)
    visibility_type = visibility(nullable=True)
    is_status = boolean(nullable=True)


class PaginationInfo(Schema):
    """Where a page stands."""

    page = integer()
    total_records = integer(wire="totalRecords", description="Matches on all pages.")
    is_zero_state = boolean(
        wire="isZeroState", description="Whether there is no activity at all to see."
    )


class ActivityResponse(Schema):
    """One page of activities."""

    data = fields.List(fields.Nested(Activity))
    pagination_info = fields.Nested(PaginationInfo, data_key="paginationInfo")


class ActivityId(Schema):
    """The answer of a create or an update: nothing but the id."""

    id = integer()


class FieldError(Schema):
    """One field, and what is wrong with it."""

    field = string()
    error = string()


class ErrorBody(Schema):
    """Every error below /v1/crm; `errors` is there where a field is known."""

    code = integer()
    error_message = string(wire="errorMessage")
    debug_message = string(wire="debugMessage")
    http_status = string(wire="httpStatus")
    errors = fields.List(fields.Nested(FieldError))


class EdgeErrorBody(Schema):
    """Every error of a path that belongs to no dialect."""

    status = string(enum=["error"])
    code = integer()
    message = string()
    request_path = string(wire="requestPath")
