"""Schema fields that check values by the parsers of bodies and describe themselves."""

from typing import Any

from marshmallow import ValidationError, fields

from adapters.deskera.body_values import parse_ids, parse_timestamp
from core.domain.model import MAX_ID, MAX_LINKED_IDS, VISIBILITIES
from core.domain.validators import Check, Refused, flag, one_of, text, whole_number


class ParsedField(fields.Field[Any]):
    """A value that a parser checks; every other option goes into the API document.

    `wire` is the key, where it is not a name that Python code should have.
    """

    def __init__(
        self,
        parse: Check,
        *,
        wire: str | None = None,
        nullable: bool = False,
        required: bool = False,
        **document: Any,
    ) -> None:
        """Wrap a parser; `nullable` and `required` are as marshmallow means them."""
        super().__init__(data_key=wire, allow_none=nullable, required=required, metadata=document)
        self.parse = parse

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self.parse(value)
        except Refused as refusal:
            raise ValidationError(str(refusal)) from refusal


def string(**options: Any) -> ParsedField:
    """Return a field for any text."""
    return ParsedField(text, type="string", **options)


def boolean(**options: Any) -> ParsedField:
    """Return a field for true and false."""
    return ParsedField(flag, type="boolean", **options)


def integer(**options: Any) -> ParsedField:
    """Return a field for a number that counts or names something, or 0."""
    return ParsedField(whole_number(0), type="integer", minimum=0, maximum=MAX_ID, **options)


def id_list(**options: Any) -> ParsedField:
    """Return a field for an ordered list of ids."""
    options.setdefault("parse", parse_ids)
    items = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    return ParsedField(type="array", items=items, maxItems=MAX_LINKED_IDS, **options)


def timestamp(**options: Any) -> ParsedField:
    """Return a field for an RFC 3339 timestamp."""
    return ParsedField(parse_timestamp, type="string", format="date-time", **options)


def visibility(*, nullable: bool = False, **options: Any) -> ParsedField:
    """Return a field for who may see an activity."""
    choices = [*VISIBILITIES, None] if nullable else list(VISIBILITIES)
    parse = one_of(VISIBILITIES)
    return ParsedField(parse, type="string", enum=choices, nullable=nullable, **options)
