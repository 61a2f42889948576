"""What we sell and how far we are: leads, products, pipelines, deals."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from crmkit.schema import Record, field, record_type
from crmkit.schema.types import (
    Boolean,
    Choice,
    Date,
    DateTime,
    Email,
    Integer,
    Json,
    LongText,
    Percent,
    Phone,
    Reference,
    Text,
)
from crmkit.schema.types import Money as MoneyType
from crmkit.schema.types import PersonName as PersonNameType
from crmkit.values import Money, PersonName

__all__ = [
    "CATEGORIES",
    "OUTCOMES",
    "Deal",
    "DealSplit",
    "Lead",
    "Pipeline",
    "Product",
    "Stage",
    "StageGate",
    "StageInterval",
]

OUTCOMES = ("open", "won", "lost", "disqualified")
CATEGORIES = ("omitted", "pipeline", "best_case", "commit", "closed")
"""What a forecast makes of a deal: a judgement beside its stage, not its stage."""


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


@record_type("pipeline", plural="pipelines", title="name", cached=True)
class Pipeline(Record):
    """A way of selling: an ordered list of stages.

    Where ``loss_reasons`` lists texts, a deal is lost for one of them. A ``strict`` pipeline lets deals move only where
    a StageGate leads.
    """

    name: str = field(Text(), unique=True)
    loss_reasons: Any = field(Json(), default=None)
    strict: bool = field(Boolean(), default=False)


@record_type("stage", plural="stages", title="name", sort="position", unique=(("pipeline", "name"),), cached=True)
class Stage(Record):
    """A step of a pipeline. Its kind, never its name or probability, says whether a deal there is open, won or lost.

    ``required_fields`` lists keys of fields a deal must have to be there; ``idle_days`` is how long it may be there
    without a contact. A stage that is not ``active`` takes no more deals.
    """

    pipeline: UUID = field(Reference("pipeline", back="stages"))
    name: str = field(Text(max_length=100))
    position: int = field(Integer(minimum=0))
    kind: str = field(Choice(list(OUTCOMES)), default="open")
    probability: Decimal | None = field(Percent(), default=None)
    forecast_category: str | None = field(Choice(list(CATEGORIES)), default=None)
    idle_days: int | None = field(Integer(minimum=0), default=None)
    required_fields: Any = field(Json(), default=None)
    active: bool = field(Boolean(), default=True)


@record_type("stage_gate", plural="stage_gates", title="label", sort="label", link=True, cached=True)
class StageGate(Record):
    """What it takes to go to a stage: from one stage, or, without ``from_stage``, from anywhere and by being created.

    ``where`` is an expression the deal must meet as it will be there; ``action`` a right on the deal that whoever moves
    it must have.
    """

    label: str | None = field(Text(max_length=100), default=None)
    from_stage: UUID | None = field(Reference("stage", back="ways_out"), default=None)
    to_stage: UUID = field(Reference("stage", back="ways_in"))
    where: Any = field(Json(), default=None)
    action: str | None = field(Text(max_length=48), default=None)


@record_type(
    "deal",
    plural="deals",
    title="name",
    sort="amount",
    indexes=(("outcome", "closed_on"),),
    together=("pipeline", "stage", "stage_since", "outcome"),
)
class Deal(Record):
    """A possible sale. ``outcome`` follows the stage's kind; expected and actual close are two fields.

    A deal without a stage starts in the first one of its pipeline, and without a pipeline in the tenant's oldest.
    ``probability`` and ``forecast_category`` are the stage's; what a person thinks stands beside them, in
    ``manual_probability`` and ``manual_category``, and goes before. ``stage_since`` is when it came to its stage;
    ``credited_to`` is who owned it when it was closed.
    """

    name: str = field(Text())
    account: UUID | None = field(Reference("account", back="deals"), default=None)
    contact: UUID | None = field(Reference("contact", back="deals"), default=None)
    product: UUID | None = field(Reference("product", back="deals"), default=None)
    pipeline: UUID | None = field(Reference("pipeline", back="deals"), default=None)
    stage: UUID | None = field(Reference("stage", back="deals"), default=None)
    stage_since: datetime | None = field(DateTime(), default=None)
    outcome: str = field(Choice(list(OUTCOMES)), default="open")
    amount: Money | None = field(MoneyType(), default=None)
    probability: Decimal | None = field(Percent(), default=None)
    manual_probability: Decimal | None = field(Percent(), default=None)
    forecast_category: str | None = field(Choice(list(CATEGORIES)), default=None)
    manual_category: str | None = field(Choice(list(CATEGORIES)), default=None)
    expected_close: date | None = field(Date(), default=None)
    closed_on: date | None = field(Date(), default=None)
    loss_reason: str | None = field(Text(), default=None)
    owner: UUID | None = field(Reference("user"), default=None)
    credited_to: UUID | None = field(Reference("user"), default=None)


@record_type(
    "deal_split",
    plural="deal_splits",
    title="id",
    link=True,
    unique=(("deal", "user"),),
    adds_up=("share", 100),
    managed_by="me.deals.split(deal, {user: share, ...})",
)
class DealSplit(Record):
    """One person's share of a deal, in percent; the shares of a deal add up to 100.

    Written by ``me.deals.split`` alone.
    """

    deal: UUID = field(Reference("deal", back="splits", part_of=True))
    user: UUID = field(Reference("user", holds=True))
    share: Decimal = field(Percent())


@record_type(
    "stage_interval",
    plural="stage_intervals",
    title="id",
    link=True,
    indexes=(("deal", "entered", "left", "stage", "position"), ("stage", "deal", "entered", "left")),
    tracks="stage",
)
class StageInterval(Record):
    """The time a deal spent in a stage without leaving it; written by crmkit when a deal is made or moves.

    ``left`` is empty while it is there. ``position`` and ``kind`` are the stage's as they were when it came, ``amount``
    the deal's; ``by`` is the user who moved it.
    """

    deal: UUID = field(Reference("deal", back="intervals", part_of=True))
    stage: UUID = field(Reference("stage", back="intervals", holds=True))
    position: int = field(Integer(minimum=0))
    kind: str = field(Choice(list(OUTCOMES)))
    entered: datetime = field(DateTime())
    left: datetime | None = field(DateTime(), default=None)
    amount: Money | None = field(MoneyType(), default=None)
    by: UUID | None = field(Reference("user", holds=True), default=None)
