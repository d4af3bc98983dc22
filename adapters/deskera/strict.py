"""Schema fields that are as strict as the readers behind them, and that document themselves."""

from typing import Any

from marshmallow import ValidationError, fields

from adapters.deskera.readers import read_ids
from adapters.deskera.stamps import read_stamp
from core.domain.model import MAX_ID, MAX_LINKED_IDS, VISIBILITIES
from core.domain.validators import Check, Refused, flag, one_of, text, whole_number


class Strict(fields.Field[Any]):
    """A value as one of the readers takes it; what else is given goes into the API document.

    `wire` is the key, where it is not a name that Python code should have.
    """

    def __init__(
        self,
        read: Check,
        *,
        wire: str | None = None,
        nullable: bool = False,
        required: bool = False,
        **document: Any,
    ) -> None:
        """Wrap a reader; `nullable` and `required` are as marshmallow means them."""
        super().__init__(data_key=wire, allow_none=nullable, required=required, metadata=document)
        self.read = read

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Any:
        try:
            return self.read(value)
        except Refused as refusal:
            raise ValidationError(str(refusal)) from refusal


def string(**options: Any) -> Strict:
    """Return a field for any text."""
    return Strict(text, type="string", **options)


def boolean(**options: Any) -> Strict:
    """Return a field for true and false."""
    return Strict(flag, type="boolean", **options)


def integer(**options: Any) -> Strict:
    """Return a field for a number that counts or names something, or 0."""
    return Strict(whole_number(0), type="integer", minimum=0, maximum=MAX_ID, **options)


def id_list(**options: Any) -> Strict:
    """Return a field for an ordered list of ids."""
    options.setdefault("read", read_ids)
    items = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    return Strict(type="array", items=items, maxItems=MAX_LINKED_IDS, **options)


def stamp(**options: Any) -> Strict:
    """Return a field for an RFC 3339 timestamp."""
    return Strict(read_stamp, type="string", format="date-time", **options)


def visibility(*, nullable: bool = False, **options: Any) -> Strict:
    """Return a field for who may see an activity."""
    choices = [*VISIBILITIES, None] if nullable else list(VISIBILITIES)
    read = one_of(VISIBILITIES)
    return Strict(read, type="string", enum=choices, nullable=nullable, **options)
