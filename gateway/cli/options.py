"""What options of several commands have in common: their types, and how values are checked."""

from typing import Any

import click

from core.domain import validators
from core.domain.model import MAX_ID
from core.domain.validators import Refused

ID = click.IntRange(1, MAX_ID)


def checked(check: validators.Check, value: str, option: str) -> Any:
    """Return what a check makes of an option's value; raises BadParameter, naming the option."""
    try:
        return check(value)
    except Refused as refusal:
        raise click.BadParameter(str(refusal), param_hint=option) from refusal
