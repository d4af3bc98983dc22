"""What is on AchieveApex's wire, for the published document.

Nothing is loaded or dumped through these: `translate` reads and writes the wire by hand, and a
test holds both to the same keys. Types come from the vendor's page "Activities API", nullability
from docs/dialects/achieveapex.md A27.
"""

from marshmallow import INCLUDE, Schema, fields

from adapters.achieveapex.body_values import MAX_TYPE_LENGTH, TIME_PATTERN
from adapters.achieveapex.fields import FIELDS, READ_ONLY
from adapters.achieveapex.schema_fields import identifier, text, timestamp
from core.domain.model import MAX_ID, MAX_LINKED_IDS

WHOLE_DAY = "HH:MM:SS; null for a whole day."
FIRST = (
    "the first of several. Another id replaces the first, one of the others moves to the front, "
    "null removes all."
)


class Place(Schema):
    """A geocoded location; further members are kept."""

    class Meta:
        """Other members are data."""

        unknown = INCLUDE

    lat = fields.Float(metadata={"description": "Latitude in degrees.", "example": 37.7749})
    lng = fields.Float(metadata={"description": "Longitude in degrees.", "example": -122.4194})
    address = text("Postal address.", example="San Francisco, CA")


class Person(Schema):
    """A user or contact in a list."""

    id = identifier("Number of the user or contact.")
    full_name = text("First and last name.", example="Jane Smith")


class DetailedPerson(Person):
    """A user or contact of a single activity."""

    email = text("E-mail address.", example="jane.smith@example.com")


class NamedThing(Schema):
    """A deal or company in a list."""

    id = identifier("Number of the deal or company.")
    name = text("Its name.", example="Enterprise Solution")


class DetailedDeal(NamedThing):
    """The deal of a single activity."""

    stage = text("Name of the stage of its pipeline.", example="Proposal")


class DetailedCompany(NamedThing):
    """The company of a single activity."""

    website = text("Its website.", example="https://acmecorp.com")


class Activity(Schema):
    """A call, meeting or task."""

    id = identifier("Number of the activity.")
    organization_id = identifier("Organization that it belongs to.")
    created_by_user_id = identifier("User who made it.")
    assigned_to_user_id = identifier(f"User it is assigned to, {FIRST}", nullable=True)
    subject = fields.String(metadata={"description": "What it is about."})
    note = text("Internal notes.")
    public_description = text("Text for guests.")
    location = text("Where it takes place, in free text.")
    location_geocoded = fields.Nested(Place, allow_none=True)
    start_date = text("First day, by the calendar on the wall.", format="date")
    start_time = text(WHOLE_DAY, pattern=TIME_PATTERN, example="14:30:00")
    end_date = text("Last day.", format="date")
    end_time = text(WHOLE_DAY, pattern=TIME_PATTERN, example="15:00:00")
    duration = fields.Integer(
        strict=True,
        allow_none=True,
        metadata={
            "description": "Minutes; null follows the times.",
            "minimum": 0,
            "maximum": MAX_ID,
        },
    )
    deal_id = identifier("Deal that it serves.", nullable=True)
    contact_id = identifier(f"Contact, {FIRST}", nullable=True)
    company_id = identifier(f"Company, {FIRST}", nullable=True)
    activity_type = text("Such as call, meeting or task.", maxLength=MAX_TYPE_LENGTH)
    done = fields.Boolean(metadata={"description": "Whether it is completed."})
    created_at = timestamp("When it was made.")
    updated_at = timestamp("When it was last changed.")
    deleted_at = timestamp("When it was deleted.", nullable=True)


class ListedActivity(Activity):
    """An activity of a list; related entities stand there with fastJoinForActivityList."""

    created_by_user = fields.Nested(Person, allow_none=True)
    assigned_to_user = fields.Nested(Person, allow_none=True)
    deal = fields.Nested(NamedThing, allow_none=True)
    contact = fields.Nested(Person, allow_none=True)
    company = fields.Nested(NamedThing, allow_none=True)


class DetailedActivity(Activity):
    """A single activity with its related entities."""

    created_by_user = fields.Nested(DetailedPerson, allow_none=True)
    assigned_to_user = fields.Nested(DetailedPerson, allow_none=True)
    deal = fields.Nested(DetailedDeal, allow_none=True)
    contact = fields.Nested(DetailedPerson, allow_none=True)
    company = fields.Nested(DetailedCompany, allow_none=True)


class ActivityPatch(Activity):
    """The fields to change; what may not be written is ignored when it is sent back."""

    class Meta:
        """Read-only keys are accepted, but not documented."""

        exclude = tuple(
            field.wire
            for field in FIELDS
            if field.wire in READ_ONLY and field.wire != "organization_id"
        )


class NewActivity(ActivityPatch):
    """A new activity."""

    subject = fields.String(required=True, metadata={"description": "What it is about."})


class Bulk(Schema):
    """Activities to set as done, or as not done."""

    organization_id = identifier("Must be the credential's, if sent.")
    ids = fields.List(
        fields.Integer(strict=True),
        required=True,
        metadata={"minItems": 1, "maxItems": MAX_LINKED_IDS},
    )
    done = fields.Boolean(required=True)


class BulkResult(Schema):
    """What a bulk call has reached."""

    updated = fields.Integer(metadata={"description": "How many were found."})
    ids = fields.List(
        fields.Integer(), metadata={"description": "Those found, in the order of the request."}
    )


class Page(Schema):
    """A page of activities."""

    total = fields.Integer(metadata={"description": "Matches on all pages."})
    limit = fields.Integer(metadata={"description": "Largest number of activities here."})
    skip = fields.Integer(metadata={"description": "Matches before these."})
    data = fields.List(fields.Nested(ListedActivity))


class ErrorBody(Schema):
    """A Feathers error."""

    name = fields.String(metadata={"example": "NotFound"})
    message = fields.String(metadata={"example": "No record found for id '999'"})
    code = fields.Integer(metadata={"description": "The HTTP status.", "example": 404})
    class_name = fields.String(data_key="className", metadata={"example": "not-found"})
    data = fields.Raw(metadata={"description": "Details, such as one entry a field that failed."})
