"""The forms around keys: what a person fills in, and how it becomes what the use cases take."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any, cast

from wtforms import DateField, Form, IntegerField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    NumberRange,
    Optional,
    ValidationError,
)
from wtforms.widgets import CheckboxInput, ListWidget

from core.domain.errors import InvalidInput
from core.domain.model import MAX_ID
from core.storage.credential_store import DEFAULT_SCOPES, MAX_NAME, SCOPES
from core.storage.revocation_store import MAX_TOKEN_ID

NEVER, ON_DATE = "never", "date"
LIFETIMES: Mapping[str, timedelta] = {
    "1": timedelta(days=1),
    "7": timedelta(days=7),
    "30": timedelta(days=30),
    "90": timedelta(days=90),
    "365": timedelta(days=365),
}
OVERLAPS: Mapping[str, tuple[str, timedelta]] = {
    "24h": ("a day", timedelta(days=1)),
    "1h": ("an hour", timedelta(hours=1)),
    "7d": ("a week", timedelta(days=7)),
    "0": ("not at all", timedelta(0)),
}
MEANINGS = {
    "read": "read activities",
    "write": "create, change and delete activities",
    "directory": "change users, contacts, companies and deals",
    "admin": "see private activities of others, and log in here",
}
WHOLE = f"Enter a whole number from 1 to {MAX_ID}."
ONE_SCOPE = "Choose one or more."
NO_DATE = "Enter the day on which the key ends."
PAST_DATE = "Choose a day that is still to come."


class NewKeyForm(Form):
    """A new key."""

    name = StringField(
        "Name",
        [Length(max=MAX_NAME, message=f"Enter at most {MAX_NAME} letters.")],
        description="What or whom it is for. Lists show it.",
    )
    user_id = IntegerField(
        "User",
        [InputRequired(WHOLE), NumberRange(1, MAX_ID, WHOLE)],
        description="The number of the user that it acts as.",
    )
    scopes = SelectMultipleField(
        "Scopes",
        [DataRequired(ONE_SCOPE)],
        choices=[SelectChoice(scope, MEANINGS[scope]) for scope in SCOPES],
        default=list(DEFAULT_SCOPES),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    lifetime = SelectField(
        "Ends",
        choices=[
            *(SelectChoice(days, f"in {days} day{'s' * (days != '1')}") for days in LIFETIMES),
            SelectChoice(ON_DATE, "on a day"),
            SelectChoice(NEVER, "never"),
        ],
        default="90",
    )
    ends_on = DateField(
        "Day", [Optional()], description="Only for “on a day”: the key ends when it begins, in UTC."
    )

    def validate_ends_on(self, field: DateField) -> None:
        """Refuse a day that is over."""
        is_chosen = self.lifetime.data == ON_DATE and field.data is not None
        if is_chosen and field.data <= datetime.now(UTC).date():
            raise ValidationError(PAST_DATE)

    def validate(self, extra_validators: Any = None) -> bool:
        """Return whether everything is right, the day there where one is needed among it."""
        is_right = bool(super().validate(extra_validators))
        if self.lifetime.data == ON_DATE and not (self.ends_on.data or self.ends_on.errors):
            self.ends_on.errors = [NO_DATE]
            return False
        return is_right

    def expires_at(self, now: datetime) -> datetime | None:
        """Return the instant at which the key shall end, or None."""
        if self.lifetime.data == NEVER:
            return None
        if self.lifetime.data == ON_DATE:
            return datetime.combine(self.ends_on.data, time(), UTC)
        return now + LIFETIMES[self.lifetime.data]

    def show_problems(self, error: InvalidInput) -> None:
        """Show what the core refused beside the fields that it names."""
        places = {"expires_at": "lifetime"}
        for name, reason in error.problems:
            field = self._fields[places.get(name, name)]
            field.errors = [*field.errors, f"This {reason}."]


class RotationForm(Form):
    """How long an old key still opens."""

    overlap = SelectField(
        "The old key still opens for",
        choices=[SelectChoice(name, text) for name, (text, _) in OVERLAPS.items()],
        description="Time for its users to change over.",
    )

    @property
    def length(self) -> timedelta:
        """The choice, as a length of time."""
        return OVERLAPS[cast(Any, self.overlap.data)][1]


class TokenForm(Form):
    """A JWT to revoke."""

    token_id = StringField(
        "Its jti",
        [
            InputRequired("Enter the jti of the token."),
            Length(max=MAX_TOKEN_ID, message=f"Enter at most {MAX_TOKEN_ID} letters."),
        ],
    )

    def validate_token_id(self, field: StringField) -> None:
        """Refuse what no token can carry."""
        if not str(field.data).isprintable():
            raise ValidationError("Enter printable letters alone.")
