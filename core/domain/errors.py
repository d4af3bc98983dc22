"""What can go wrong, as one tree; no class here knows HTTP.

CoreError
    InvalidInput          what was asked cannot be: names each field and its reason
        InvalidActivity   a write
        InvalidQuery      a filter, sort or page
            AnswerTooLarge    one answer would have too many bytes
        InvalidEntity     a directory entity, or a line of an import
    NotAuthenticated      no usable credential
        TokenExpired, TokenNotActive    JWT outside its time
    Forbidden             the credential may not do this
        ForeignTenant     an explicit tenant that is not the credential's
    NotFound
        ActivityNotFound  unknown, deleted, private or another tenant's: never told apart
        EntityNotFound
    Conflict
        IdempotencyConflict   the key was used with another body
        VersionMismatch       If-Match names another version
    RateLimited           more requests than a limit allows
    Unavailable           the database cannot answer now
        DatabaseTimeout   a statement ran too long, or waited too long for a lock

`str(error)` is for the log, `public_message` for the client. Never swap them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

Refusal = Literal["missing", "malformed", "expired", "not yet valid", "unknown"]


class CoreError(Exception):
    """Base of all errors that the core raises on purpose."""

    public_message = "The request could not be served."

    def __init__(self, public_message: str | None = None, *, detail: str | None = None) -> None:
        self.public_message = public_message or type(self).public_message
        super().__init__(detail or self.public_message)


class InvalidInput(CoreError):
    """Input that cannot be accepted; `problems` is a list of (field, reason)."""

    def __init__(self, field: str, reason: str, *more: tuple[str, str]) -> None:
        self.problems: list[tuple[str, str]] = [(field, reason), *more]
        super().__init__("; ".join(f"{name}: {why}" for name, why in self.problems))

    @classmethod
    def from_problems(cls, problems: Sequence[tuple[str, str]]) -> "InvalidInput":
        """Return one error that names all of `problems`, of which there must be one or more."""
        first, *more = problems
        return cls(*first, *more)


class InvalidActivity(InvalidInput):
    """A write that would make an activity that cannot be."""


class InvalidQuery(InvalidInput):
    """A filter, sort or page that cannot be read."""


class AnswerTooLarge(InvalidQuery):
    """What was asked for would give more bytes than one answer may have; so many records fit."""

    fits = 0


def page_too_large(fits: int, reason: str) -> AnswerTooLarge:
    """Return the error of a page of which only so many records fit; it names `limit`."""
    room = f"at most {fits} records fit" if fits else "not even its first record fits"
    error = AnswerTooLarge("limit", f"is too large here: {reason}; {room}")
    error.fits = fits
    return error


def record_too_large(max_bytes: int) -> AnswerTooLarge:
    """Return the error of one record that has no room in one answer; it names `id`."""
    reason = f"more than {max_bytes // 2**20} MiB, with the entities that it shows"
    return AnswerTooLarge("id", f"names an activity that is too large to be shown: {reason}")


class InvalidEntity(InvalidInput):
    """A directory entity, or a line of an import, that cannot be read."""


class NotAuthenticated(CoreError):
    """No credential, or none that is usable; `reason` tells which.

    "unknown" is also what is revoked, signed by others, or of no tenant: whoever asks learns no
    more than that it opens nothing here. `sources` are the places where a credential was looked
    for, up to the one that decided; whoever looked fills them in.
    """

    public_message = "Not authenticated"
    sources: tuple[str, ...] = ()

    def __init__(
        self,
        public_message: str | None = None,
        *,
        reason: Refusal = "unknown",
        detail: str | None = None,
    ) -> None:
        self.reason = reason
        super().__init__(public_message, detail=detail)

    @property
    def explanation(self) -> str:
        """What the client may be told: the reason, and where it was looked."""
        places = ", ".join(self.sources) or "the request"
        if self.reason == "missing":
            return f"There is no credential in {places}."
        return f"The credential in {self.sources[-1] if self.sources else places} is {self.reason}."


class TokenExpired(NotAuthenticated):
    """A JWT past its `exp`; `moment` is that instant."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        super().__init__("jwt expired", reason="expired")


class TokenNotActive(NotAuthenticated):
    """A JWT before its `nbf`; `moment` is that instant."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment
        super().__init__("jwt not active", reason="not yet valid")


class Forbidden(CoreError):
    """The credential is good, but may not do this: often it lacks `missing_scope`."""

    public_message = "Forbidden"

    def __init__(self, *, missing_scope: str | None = None, detail: str | None = None) -> None:
        self.missing_scope = missing_scope
        lacking = f"scope {missing_scope} is missing" if missing_scope else None
        super().__init__(detail=detail or lacking)

    @property
    def explanation(self) -> str:
        """What the client may be told: the scope that it lacks, if that is why."""
        if self.missing_scope is None:
            return self.public_message
        return f"The credential lacks the scope {self.missing_scope}."


class ForeignTenant(Forbidden):
    """A tenant was named that the credential does not span."""

    public_message = "You do not have access to this tenant"


class NotFound(CoreError):
    """Nothing is there, or nothing that the caller may know of."""

    public_message = "Not found"


class ActivityNotFound(NotFound):
    """Unknown, deleted, another tenant's, or private and not the caller's."""

    public_message = "Activity not found."

    def __init__(self, activity_id: object) -> None:
        self.activity_id = activity_id
        super().__init__(detail=f"no activity {activity_id!r} for this caller")


class EntityNotFound(NotFound):
    """The directory holds no such entity."""


class Conflict(CoreError):
    """What is stored contradicts the request."""


class IdempotencyConflict(Conflict):
    """An Idempotency-Key came again with another body."""

    public_message = "This Idempotency-Key was used with another body."


class VersionMismatch(Conflict):
    """`If-Match` names a version that is not the stored one."""

    public_message = "The activity has changed since the version named in If-Match."


class RateLimited(CoreError):
    """More requests than a limit allows; in `retry_after_seconds` there is room for another.

    `headers` are what responses tell of the limit.
    """

    def __init__(
        self,
        public_message: str,
        *,
        detail: str,
        retry_after_seconds: int,
        headers: Mapping[str, str],
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers
        super().__init__(public_message, detail=detail)


class Unavailable(CoreError):
    """The database cannot answer now; trying again later is right."""

    public_message = "The service is unavailable for the moment. Try again later."
    retry_after_seconds = 1


class DatabaseTimeout(Unavailable):
    """A statement ran longer than it may, or waited longer for a lock; nothing of it was done."""

    public_message = "The database took too long. Try again later, or ask for less."
    retry_after_seconds = 5
