"""What we sell and how far we are: leads, products, pipelines, deals."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import Boolean, Choice, Date, Email, Integer, Json, LongText, Percent, Phone, Reference, Text
from crmkit.schema.types import Money as MoneyType
from crmkit.schema.types import PersonName as PersonNameType
from crmkit.values import Money, PersonName

__all__ = ["OUTCOMES", "Deal", "Lead", "Pipeline", "Product", "Stage"]

OUTCOMES = ("open", "won", "lost", "disqualified")


@record_type("lead", plural="leads", title="name")
class Lead(Record):
    """Interest nobody has qualified yet."""

    name: PersonName = field(PersonNameType())
    company: str | None = field(Text(), default=None)
    title: str | None = field(Text(max_length=100), default=None)
    email: str | None = field(Email(), default=None, indexed=True)
    phone: str | None = field(Phone(), default=None, indexed=True)
    source: str | None = field(Text(max_length=100), default=None)
    status: str = field(Choice(["new", "working", "qualified", "unqualified", "converted"]), default="new")
    notes: str | None = field(LongText(), default=None)
    owner: UUID | None = field(Reference("user"), default=None)


@record_type("product", plural="products", title="name")
class Product(Record):
    """Something we sell."""

    name: str = field(Text(), unique=True)
    family: str | None = field(Text(max_length=100), default=None)
    price: Money | None = field(MoneyType(), default=None)
    active: bool = field(Boolean(), default=True)


@record_type("pipeline", plural="pipelines", title="name")
class Pipeline(Record):
    """A way of selling: an ordered list of stages."""

    name: str = field(Text(), unique=True)


@record_type("stage", plural="stages", title="name", sort="position", unique=(("pipeline", "name"),))
class Stage(Record):
    """A step of a pipeline. Its kind, never its name or probability, says whether a deal there is open, won or lost.

    ``required_fields`` lists keys of fields a deal must have to be there.
    """

    pipeline: UUID = field(Reference("pipeline", back="stages"))
    name: str = field(Text(max_length=100))
    position: int = field(Integer(minimum=0))
    kind: str = field(Choice(list(OUTCOMES)), default="open")
    probability: Decimal | None = field(Percent(), default=None)
    required_fields: Any = field(Json(), default=None)


@record_type("deal", plural="deals", title="name", sort="amount", indexes=(("outcome", "closed_on"),))
class Deal(Record):
    """A possible sale. ``outcome`` follows the stage's kind; expected and actual close are two fields.

    A deal without a stage starts in the first one of its pipeline, and without a pipeline in the tenant's oldest.
    """

    name: str = field(Text())
    account: UUID | None = field(Reference("account", back="deals"), default=None)
    contact: UUID | None = field(Reference("contact", back="deals"), default=None)
    product: UUID | None = field(Reference("product", back="deals"), default=None)
    pipeline: UUID | None = field(Reference("pipeline", back="deals"), default=None)
    stage: UUID | None = field(Reference("stage", back="deals"), default=None)
    outcome: str = field(Choice(list(OUTCOMES)), default="open")
    amount: Money | None = field(MoneyType(), default=None)
    probability: Decimal | None = field(Percent(), default=None)
    expected_close: date | None = field(Date(), default=None)
    closed_on: date | None = field(Date(), default=None)
    loss_reason: str | None = field(Text(), default=None)
    owner: UUID | None = field(Reference("user"), default=None)
