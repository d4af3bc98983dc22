"""Parsers of single values of the `query` parameter; each raises Refused with the reason."""

import re
from datetime import UTC, date, datetime, timedelta

from adapters.deskera.body_values import parse_timestamp
from core.domain.model import MAX_ID, VISIBILITIES
from core.domain.validators import DAY, Refused, one_of

WHOLE_NUMBER = re.compile(r"\d{1,16}", re.ASCII)
EPOCH_SECONDS = re.compile(r"-?\d{1,12}", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FLAGS = {"true": True, "false": False}


def parse_moment(value: str) -> date | datetime:
    """Return a day, or the instant of an epoch second: docs/dialects/deskera.md D84."""
    try:
        if DAY.fullmatch(value):
            return date.fromisoformat(value)
        if EPOCH_SECONDS.fullmatch(value):
            return EPOCH + timedelta(seconds=int(value))
    except (ValueError, OverflowError) as error:
        raise Refused("names a moment that is not on the calendar") from error
    raise Refused("takes seconds since 1970, or a day as YYYY-MM-DD")


def parse_instant_or_day(value: str) -> date | datetime:
    """Return a day, or the instant of an epoch second or of an RFC 3339 text."""
    if "t" in value.lower() and (instant := parse_timestamp(value)) is not None:
        return instant
    return parse_moment(value)


def parse_visibility(value: str) -> str:
    """Return one of the three visibilities."""
    return str(one_of(VISIBILITIES)(value))


def parse_number(value: str) -> int:
    """Return a whole number, 0 or more."""
    if not WHOLE_NUMBER.fullmatch(value) or int(value) > MAX_ID:
        raise Refused("takes a whole number")
    return int(value)


def parse_flag(value: str) -> bool:
    """Return true or false, in any case."""
    try:
        return FLAGS[value.lower()]
    except KeyError as error:
        raise Refused("takes true or false") from error
