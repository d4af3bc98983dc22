"""ORM models over the yardstick's own tables (`peers.sql`)."""

from datetime import date, datetime, time
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Integer, MetaData, Table
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """What every model has in common: plain integer keys, and stamps with a zone."""

    metadata = MetaData(schema="usual")
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        datetime: DateTime(timezone=True),
        Any: JSONB,
    }


def _link(name: str, column: str, target: str) -> Table:
    return Table(
        name,
        Base.metadata,
        Column("activity_id", ForeignKey("activities.id"), primary_key=True),
        Column(column, ForeignKey(target), primary_key=True),
        Column("position", Integer),
    )


activity_assignees = _link("activity_assignees", "user_id", "users.id")
activity_contacts = _link("activity_contacts", "contact_id", "contacts.id")
activity_companies = _link("activity_companies", "company_id", "companies.id")


class Tenant(Base):
    """A customer, and the zone that its stamps are shown in."""

    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(primary_key=True)
    timezone: Mapped[str]
    deskera_timezone: Mapped[str]


class User(Base):
    """A user of a tenant."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    first_name: Mapped[str]
    last_name: Mapped[str]
    email: Mapped[str]
    country_code: Mapped[str]
    phone: Mapped[str]
    profile_url: Mapped[str]

    @property
    def full_name(self) -> str:
        """First and last name."""
        return f"{self.first_name} {self.last_name}"


class Company(Base):
    """A company of a tenant."""

    __tablename__ = "companies"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str]
    country_code: Mapped[str]
    address: Mapped[str]
    label: Mapped[str]
    logo: Mapped[str]
    website: Mapped[str]


class Contact(Base):
    """A person of a tenant."""

    __tablename__ = "contacts"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str]
    country_code: Mapped[str]
    address: Mapped[str]
    label: Mapped[str]
    logo: Mapped[str]
    company_id: Mapped[int | None]


class Deal(Base):
    """A deal of a tenant; its stage and custom fields are JSON columns."""

    __tablename__ = "deals"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    name: Mapped[str]
    pipeline_id: Mapped[int]
    stage_id: Mapped[int]
    stage: Mapped[Any]
    contact_id: Mapped[int | None] = mapped_column(ForeignKey(Contact.id))
    company_id: Mapped[int | None] = mapped_column(ForeignKey(Company.id))
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    currency_code: Mapped[str]
    amount: Mapped[str]
    closing_date: Mapped[str]
    status: Mapped[int]
    reason: Mapped[str]
    custom_fields: Mapped[Any]
    created_at: Mapped[str]
    contact: Mapped[Contact | None] = relationship()
    company: Mapped[Company | None] = relationship()
    owner: Mapped[User] = relationship()


class Activity(Base):
    """An activity with everything that it names."""

    __tablename__ = "activities"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    subject: Mapped[str]
    activity_type: Mapped[str | None]
    notes: Mapped[str | None]
    public_description: Mapped[str | None]
    location: Mapped[str | None]
    location_geocoded: Mapped[Any]
    start_date: Mapped[date | None]
    start_time: Mapped[time | None]
    start_at: Mapped[datetime | None]
    end_date: Mapped[date | None]
    end_time: Mapped[time | None]
    end_at: Mapped[datetime | None]
    timezone: Mapped[str]
    duration_minutes: Mapped[int | None]
    completed: Mapped[bool]
    deal_id: Mapped[int | None] = mapped_column(ForeignKey(Deal.id))
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    created_by: Mapped[int] = mapped_column(ForeignKey(User.id))
    updated_by: Mapped[int]
    visibility: Mapped[str]
    is_availability: Mapped[bool | None]
    is_send_invitation: Mapped[bool]
    is_send_contacts_invitation: Mapped[bool]
    source: Mapped[str]
    source_id: Mapped[str]
    email_sent: Mapped[str]
    consumer_id: Mapped[str]
    scheduled_status: Mapped[str]
    batch_id: Mapped[str]
    cron_status: Mapped[str]
    notification_error: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    assignees: Mapped[list[User]] = relationship(
        secondary=activity_assignees, order_by=activity_assignees.c.position
    )
    contacts: Mapped[list[Contact]] = relationship(
        secondary=activity_contacts, order_by=activity_contacts.c.position
    )
    companies: Mapped[list[Company]] = relationship(
        secondary=activity_companies, order_by=activity_companies.c.position
    )
    deal: Mapped[Deal | None] = relationship()
    owner: Mapped[User] = relationship(foreign_keys=owner_id)
    creator: Mapped[User] = relationship(foreign_keys=created_by)

    @property
    def span_minutes(self) -> int | None:
        """Whole minutes between two timed ends."""
        start, end = self.start_at, self.end_at
        if self.start_time is None or self.end_time is None or start is None or end is None:
            return None
        return int((end - start).total_seconds() // 60)
