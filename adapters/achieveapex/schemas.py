"""What is on AchieveApex's wire, for the published document.

Nothing is loaded or dumped through these: `translate` reads and writes the wire by hand, and a
test holds both to the same keys. Types come from the vendor's page "Activities API", nullability
from reference 2.1.
"""

from typing import Any

from marshmallow import INCLUDE, Schema, fields

from adapters.achieveapex.fields import EXPANSIONS, FIELDS, MAX_TYPE_LENGTH, READ_ONLY, Kind
from core.domain.model import MAX_LINKED_IDS


def _id(description: str, *, nullable: bool = False) -> fields.Integer:
    metadata = {"description": description, "minimum": 1}
    return fields.Integer(strict=True, allow_none=nullable, metadata=metadata)


def _text(description: str, **metadata: Any) -> fields.String:
    return fields.String(allow_none=True, metadata={"description": description, **metadata})


def _stamp(description: str, *, nullable: bool = False) -> fields.String:
    example = None if nullable else "2025-03-28T09:30:15.391Z"
    metadata = {"description": description, "format": "date-time", "example": example}
    return fields.String(allow_none=nullable, metadata=metadata)


class Place(Schema):
    """A geocoded location; further members are kept."""

    class Meta:
        """Other members are data."""

        unknown = INCLUDE

    lat = fields.Float(metadata={"description": "Latitude in degrees.", "example": 37.7749})
    lng = fields.Float(metadata={"description": "Longitude in degrees.", "example": -122.4194})
    address = _text("Postal address.", example="San Francisco, CA")


class Person(Schema):
    """A user or contact in a list."""

    id = _id("Number of the user or contact.")
    full_name = _text("First and last name.", example="Jane Smith")


class DetailedPerson(Person):
    """A user or contact of a single activity."""

    email = _text("E-mail address.", example="jane.smith@example.com")


class NamedThing(Schema):
    """A deal or company in a list."""

    id = _id("Number of the deal or company.")
    name = _text("Its name.", example="Enterprise Solution")


class DetailedDeal(NamedThing):
    """The deal of a single activity."""

    stage = _text("Name of the stage of its pipeline.", example="Proposal")


class DetailedCompany(NamedThing):
    """The company of a single activity."""

    website = _text("Its website.", example="https://acmecorp.com")


class Activity(Schema):
    """A call, meeting or task."""

    id = _id("Number of the activity.")
    organization_id = _id("Organization that it belongs to.")
    created_by_user_id = _id("User who made it.")
    assigned_to_user_id = _id("User it is assigned to, the first of several.", nullable=True)
    subject = fields.String(metadata={"description": "What it is about."})
    note = _text("Internal notes.")
    public_description = _text("Text for guests.")
    location = _text("Where it takes place, in free text.")
    location_geocoded = fields.Nested(Place, allow_none=True)
    start_date = _text("First day, by the calendar on the wall.", format="date")
    start_time = _text("HH:MM:SS; null for a whole day.", example="14:30:00")
    end_date = _text("Last day.", format="date")
    end_time = _text("HH:MM:SS; null for a whole day.", example="15:00:00")
    duration = fields.Integer(
        strict=True,
        allow_none=True,
        metadata={"description": "Minutes; null follows the times.", "minimum": 0},
    )
    deal_id = _id("Deal that it serves.", nullable=True)
    contact_id = _id("Contact, the first of several.", nullable=True)
    company_id = _id("Company, the first of several.", nullable=True)
    activity_type = _text("Such as call, meeting or task.", maxLength=MAX_TYPE_LENGTH)
    done = fields.Boolean(metadata={"description": "Whether it is completed."})
    created_at = _stamp("When it was made.")
    updated_at = _stamp("When it was last changed.")
    deleted_at = _stamp("When it was deleted.", nullable=True)


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
        """Read-only keys are accepted, but not worth documenting."""

        exclude = tuple(
            field.wire
            for field in FIELDS
            if field.wire in READ_ONLY and field.wire != "organization_id"
        )


class NewActivity(ActivityPatch):
    """A new activity."""

    subject = fields.String(required=True, metadata={"description": "What it is about."})


class Bulk(Schema):
    """Activities to mark as done, or as not done."""

    organization_id = _id("Must be the credential's, if sent.")
    ids = fields.List(
        fields.Integer(strict=True),
        required=True,
        metadata={"minItems": 1, "maxItems": MAX_LINKED_IDS},
    )
    done = fields.Boolean(required=True)


class BulkResult(Schema):
    """What a bulk call has reached."""

    updated = fields.Integer(metadata={"description": "How many were found."})
    ids = fields.List(fields.Integer(), metadata={"description": "Those found, as asked for."})


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


_TYPES: dict[Kind, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "members": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}
_OPERATORS = "A value, or operators in brackets, such as `[$gte]=...`, `[$in][0]=...`, `[$ne]=...`."


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"in": "query", "name": name, "schema": schema, "description": description}


SELECT = _parameter(
    "$select", {"type": "array", "items": {"type": "string"}}, "Keys of the answer; id is added."
)
_SORT = {
    "type": "object",
    "additionalProperties": {"enum": [1, -1]},
    "example": {"start_date": 1},
}
FILTERS = [
    _parameter(field.wire, _TYPES.get(field.kind, {"type": "string"}), _OPERATORS)
    for field in FIELDS
]
LISTING = [
    _parameter("$limit", {"type": "integer", "minimum": 0, "default": 10}, "Activities a page."),
    _parameter("$skip", {"type": "integer", "minimum": 0, "default": 0}, "Matches to pass over."),
    _parameter("$sort", _SORT, "1 ascending, -1 descending, as in `$sort[start_date]=1`.")
    | {"style": "deepObject"},
    SELECT,
    _parameter(
        "fastJoinForActivityList",
        {"type": "boolean", "default": False},
        f"Add {', '.join(EXPANSIONS)}.",
    ),
    *FILTERS,
]
NARROWING = [SELECT, *FILTERS]
