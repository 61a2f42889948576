"""Whom we deal with: accounts, contacts, and how the two belong together."""

from datetime import date
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Address as AddressType
from crmkit.schema.types import Boolean, Choice, Date, Email, Integer, LongText, Phone, Reference, Text, Url
from crmkit.schema.types import Money as MoneyType
from crmkit.schema.types import PersonName as PersonNameType
from crmkit.values import Address, Money, PersonName

__all__ = ["LIFECYCLE", "Account", "AccountContact", "Contact"]

LIFECYCLE = ("new", "following", "won", "renewing", "dormant", "churn_warning", "lost")
"""Where we stand with an account; ``me.accounts.advance`` goes from one to another."""


@record_type("account", plural="accounts", title="name")
class Account(Record):
    """An organisation. ``lifecycle`` is one of LIFECYCLE and moves by the ways that lead from one to another, with
    ``lifecycle_reason`` where it goes back.
    """

    name: str = field(Text())
    industry: str | None = field(Text(max_length=100), default=None)
    website: str | None = field(Url(), default=None)
    phone: str | None = field(Phone(), default=None)
    address: Address | None = field(AddressType(), default=None)
    parent: UUID | None = field(Reference("account", back="subsidiaries"), default=None)
    annual_revenue: Money | None = field(MoneyType(), default=None)
    headcount: int | None = field(Integer(minimum=0), default=None)
    description: str | None = field(LongText(), default=None)
    lifecycle: str = field(Choice(list(LIFECYCLE)), default="new")
    lifecycle_reason: str | None = field(Text(), default=None)
    owner: UUID | None = field(Reference("user"), default=None)


@record_type("contact", plural="contacts", title="name")
class Contact(Record):
    """A person. Needs no account; ``account`` is the main one, AccountContact holds all of them."""

    name: PersonName = field(PersonNameType())
    email: str | None = field(Email(), default=None, indexed=True)
    phone: str | None = field(Phone(), default=None, indexed=True)
    title: str | None = field(Text(max_length=100), default=None)
    account: UUID | None = field(Reference("account", back="contacts"), default=None)
    address: Address | None = field(AddressType(), default=None)
    do_not_contact: bool = field(Boolean(), default=False)
    owner: UUID | None = field(Reference("user"), default=None)


@record_type("account_contact", plural="account_contacts", title="label", link=True)
class AccountContact(Record):
    """A contact belongs to an account, as what (``label``: "decision maker") and from when until when."""

    account: UUID = field(Reference("account", back="people"))
    contact: UUID = field(Reference("contact", back="employers"))
    label: str | None = field(Text(max_length=100), default=None)
    since: date | None = field(Date(), default=None)
    until: date | None = field(Date(), default=None, check="since <= until")
